"""Arguments and answers of the theory: units off and on, and one shape for all.

Neurons are the last axis: a model's arrays have one value a neuron, and a current, voltage or time
may have any shape that broadcasts with them.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import numpy as np
from brian2 import Quantity
from brian2.units.fundamentalunits import DIMENSIONLESS, Dimension

from conex_brian.dimensions import as_quantity, check_dimension
from conex_brian.field import Floats
from conex_brian.models import LIF
from conex_brian.options import refractory_period


def needs_scipy() -> None:
    try:
        import scipy.integrate  # noqa: F401
    except ImportError as error:
        raise ImportError(
            "conex_brian.analysis needs SciPy: pip install 'conex_brian[analysis]'."
        ) from error


def dim_of(neuron: LIF, kind: str) -> Dimension:
    return neuron.dimensions[kind][0]


def kinds_of(neuron: LIF) -> dict[str, str]:
    return {"v": "voltage", **{name: kind for name, (_, kind) in neuron.states.items()}}


def quantity(value: Any, dim: Dimension) -> Any:
    """Return numbers in SI base units as a Quantity, or as they are where there is no unit."""
    array = np.array(value, dtype=float)
    if dim is DIMENSIONLESS:
        return array if array.ndim else float(array)
    return Quantity(array, dim=dim)


def numbers(name: str, value: Any, admitted: tuple[Dimension, ...]) -> Floats:
    """Return a checked argument of any shape as numbers in SI base units."""
    if isinstance(value, (list, tuple)):
        with suppress(Exception):  # as_quantity says what is wrong
            value = Quantity(value)
    if isinstance(value, np.ndarray) and value.ndim > 1:
        flat = numbers(name, value.reshape(-1), admitted)
        return flat.reshape(value.shape)
    found = as_quantity(name, value)
    check_dimension(name, found, admitted)
    return np.asarray(found, dtype=float)


def current_of(neuron: LIF, I: Any) -> Floats:  # noqa: E741
    return numbers("I", I, (dim_of(neuron, "current"),))


def period_of(refractory: Any) -> Floats:
    if isinstance(refractory, str):
        raise TypeError(f"refractory = {refractory!r}: the theory needs a time, or one a neuron.")
    _, found = refractory_period(refractory)
    return np.asarray(found.get("t_ref", 0.0), dtype=float)


def values_of(neuron: LIF) -> dict[str, Floats]:
    return {n: np.asarray(getattr(neuron, n), dtype=float) for n in neuron.parameter_names()}


def shape_of(neuron: LIF, *arguments: Floats) -> tuple[int, ...]:
    """Return the shape of an answer: neurons are the last axis."""
    neurons = np.broadcast_shapes(*(value.shape for value in values_of(neuron).values()))
    try:
        return np.broadcast_shapes(neurons, *(np.shape(one) for one in arguments))
    except ValueError as error:
        shapes = " and ".join(str(np.shape(one)) for one in arguments if np.ndim(one))
        model = f"{neurons[0]} neurons" if neurons else "one neuron"
        raise ValueError(
            f"{type(neuron).__name__} has {model}, which do not fit arguments of shape {shapes}: "
            "the last axis is the neurons'. I[:, newaxis] gives each neuron each current."
        ) from error


def each(
    neuron: LIF, shape: tuple[int, ...], *arguments: Any
) -> Iterator[tuple[tuple[int, ...], dict[str, float], list[float]]]:
    """Yield the place, the parameters and the arguments of each neuron."""
    values = {name: np.broadcast_to(value, shape) for name, value in values_of(neuron).items()}
    spread = [np.broadcast_to(np.asarray(one), shape) for one in arguments]
    for place in np.ndindex(shape):
        p = {name: float(value[place]) for name, value in values.items()}
        yield place, p, [float(one[place]) for one in spread]


def neuron_at(place: tuple[int, ...]) -> str:
    return f" for neuron {place[-1]}" if place else ""
