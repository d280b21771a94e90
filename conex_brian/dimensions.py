"""Values and their dimensions: what a parameter may be, said before Brian2 sees it."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from brian2 import DimensionMismatchError, Quantity, get_dimensions, second
from brian2.core.variables import VariableView
from brian2.groups.group import Group
from brian2.units.fundamentalunits import DIMENSIONLESS, Dimension, get_unit

#: Beyond these magnitudes (in SI base units) products of a few values leave the range of
#: double precision, and a run would end in infinities that no message explains.
LARGEST = 1e30
SMALLEST_POSITIVE = 1e-30

#: In the order in which Brian2 keeps their exponents.
_BASE_UNITS = ("metre", "kilogram", "second", "amp", "kelvin", "mole", "candle")


def unit_text(dim: Dimension) -> str:
    """Return ``dim`` as Brian2 equations write it: in base units, ``1`` where dimensionless."""
    if dim is DIMENSIONLESS:
        return "1"
    name = repr(get_unit(dim))
    if name.isidentifier():
        return name
    powers = zip(_BASE_UNITS, dim._dims, strict=True)
    # Before numpy 2.3 Brian2 takes metre**1 for a quantity.
    return "*".join(unit if power == 1 else f"{unit}**{power:g}" for unit, power in powers if power)


def _described(dim: Dimension) -> str:
    return "a number without unit" if dim is DIMENSIONLESS else f"a value in {unit_text(dim)}"


def dimensions_of(voltage: Dimension, resistance: Dimension) -> dict[str, tuple[Dimension, ...]]:
    """Return the dimensions that each kind of quantity may have in a model.

    Parameters
    ----------
    voltage, resistance : Dimension
        The two that a model's values choose (those of ``v_rest`` and ``R``). Time is always a time.

    Returns
    -------
    dict
        From kind (``'voltage'``, ``'resistance'``, ``'time'``, ``'current'``, ``'conductance'``,
        ``'jump'``, ``'number'``) to the dimensions admitted. A ``'jump'`` may be a current, or a
        current per time (then a spike adds it times ``dt``, as CoNeX does).
    """
    current = voltage / resistance
    return {
        "voltage": (voltage,),
        "resistance": (resistance,),
        "time": (second.dim,),
        "current": (current,),
        "conductance": (current / voltage,),
        "jump": (current, current / second.dim),
        "number": (DIMENSIONLESS,),
    }


def short(value: Any) -> str:
    """Return ``value`` as a few words for a message, whatever its type and length."""
    try:
        text = repr(value) if isinstance(value, str) else str(value)
    except Exception:  # a foreign object may fail to print itself; the message must not
        text = f"a {type(value).__name__}"
    text = " ".join(text.split())
    return text if len(text) <= 60 else f"{text[:50]} ..."


def nearest(name: str, known: Iterable[str]) -> str:
    """Return ``' (did you mean ...?)'`` with the known name nearest to ``name``, or nothing."""
    found = difflib.get_close_matches(name, list(known), n=1, cutoff=0.5)
    return f" (did you mean {found[0]!r}?)" if found else ""


def first_where(condition: np.ndarray) -> str:
    """Return ``' for neuron 3'`` for the first true place, nothing where there is one value."""
    return f" for neuron {int(np.flatnonzero(condition)[0])}" if np.ndim(condition) else ""


def check_no_group(name: str, value: Any, example: str = "numbers or a Quantity") -> None:
    """Raise ``TypeError`` for a group, and for a list with one.

    A group is a sequence to NumPy, which asks for one item after the other; Synapses never end.
    """
    inside = value if isinstance(value, (list, tuple)) else [value]
    for one in inside:
        if isinstance(one, Group):
            kind = type(one).__name__
            raise TypeError(f"{name} = {short(value)}: it needs {example}, not a {kind}.")


def as_quantity(name: str, value: Any, example: str = "a number or a Quantity") -> Any:
    """Return ``value`` as a finite float: a scalar, or one value a neuron.

    Parameters
    ----------
    name : str
        What messages call it.
    value : Quantity, float or array_like
        A scalar or a one-dimensional array. Lists and group variables are taken too.
    example : str, optional
        What messages say is needed.

    Returns
    -------
    Quantity, float or ndarray
        A copy in double precision, read-only where it is an array; a plain float or array
        where it has no unit.

    Raises
    ------
    TypeError
        Where it is not made of real numbers.
    ValueError
        Where it is nan, infinite, empty, of more than one dimension, or too large.
    """
    if isinstance(value, VariableView):
        value = value[:]
    needs = f"{name} = {short(value)}: it needs {example}"
    check_no_group(name, value, example)
    if isinstance(value, (str, bytes, bool, np.bool_)) or value is None:
        raise TypeError(f"{needs}, not a {type(value).__name__}.")
    if isinstance(value, np.ma.MaskedArray) and np.any(value.mask):
        missing = first_where(np.asarray(value.mask))
        raise ValueError(f"{name} = {short(value)} is masked{missing}. Give numbers.")
    try:
        quantity = value if isinstance(value, Quantity) else Quantity(value)
        array = np.asarray(quantity)
    except DimensionMismatchError as error:
        raise DimensionMismatchError(f"{needs}: {error}") from error
    except Exception as error:
        raise TypeError(f"{needs}, not a {type(value).__name__}.") from error
    if array.dtype.kind not in "iuf":
        raise TypeError(f"{needs}, not values of type {array.dtype}.")
    if array.ndim > 1:
        raise ValueError(f"{needs}: a scalar or one value a neuron, not {array.ndim} dimensions.")
    if array.size == 0:
        raise ValueError(f"{needs}: a scalar or one value a neuron, but the array is empty.")
    array = np.array(array, dtype=float)
    bad = ~np.isfinite(array)
    if bad.any():
        raise ValueError(f"{name} = {short(value)} is not finite{first_where(bad)}. Give numbers.")
    bad = np.abs(array) > LARGEST
    if bad.any():
        raise ValueError(
            f"{name} = {short(value)} is too large{first_where(bad)}: "
            f"it needs a magnitude of at most {LARGEST:g} in SI base units. Check its unit."
        )
    array.setflags(write=False)
    dim = get_dimensions(quantity)
    if dim is DIMENSIONLESS:
        return array if array.ndim else float(array)
    return Quantity(array, dim=dim, copy=False)


def check_dimension(
    name: str, value: Any, admitted: tuple[Dimension, ...], because: str = "."
) -> None:
    """Raise ``DimensionMismatchError`` unless ``value`` has one of the ``admitted`` dimensions.

    ``because`` ends the message: where the need comes from.
    """
    dim = get_dimensions(value)
    if dim in admitted:
        return
    if admitted == (second.dim,):
        needed = "a time, for example 20*ms"
    else:
        needed = " or ".join(_described(one) for one in admitted)
    raise DimensionMismatchError(
        f"{name} = {short(value)} is {_described(dim)}, but needs {needed}{because}"
    )


def check_positive(name: str, value: Any) -> None:
    """Raise ``ValueError`` unless every value is positive (and large enough to divide by)."""
    bad = ~(np.asarray(value) >= SMALLEST_POSITIVE)
    if bad.any():
        raise ValueError(
            f"{name} = {short(value)} is not positive{first_where(bad)}: "
            f"it needs at least {SMALLEST_POSITIVE:g} in SI base units."
        )


def common_length(values: Mapping[str, Any], owner: str) -> int | None:
    """Return the length that the arrays among ``values`` share, or None where all are scalars.

    Raises
    ------
    ValueError
        Where two arrays have different lengths; the message names both.
    """
    lengths = {name: len(value) for name, value in values.items() if is_array(value)}
    if not lengths:
        return None
    first = next(iter(lengths))
    for name, length in lengths.items():
        if length != lengths[first]:
            raise ValueError(
                f"{owner}: {name} has {length} values, but {first} has {lengths[first]}. "
                "Each array needs one value for each neuron."
            )
    return lengths[first]


def is_array(value: Any) -> bool:
    """Return whether ``value`` holds one value a neuron (a text is none)."""
    return not isinstance(value, str) and np.ndim(value) == 1
