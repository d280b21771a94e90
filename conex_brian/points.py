"""The points of a sweep: grids, the seed that belongs to each, and tables with units."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from brian2 import DimensionMismatchError, get_dimensions

from conex_brian.dimensions import as_quantity, check_no_group, nearest, short, unit_text
from conex_brian.experiment import check_names
from conex_brian.models import LIF

if TYPE_CHECKING:
    import pandas

Model = TypeVar("Model", bound=LIF)


@dataclass(frozen=True, eq=False)
class Point:
    """Values to run an experiment at, and the seed of that run.

    Attributes
    ----------
    values : dict
        From names to quantities or numbers, or one-dimensional arrays of them.
    seed : int
        Made from the sweep's seed, the values and, where a point occurs several times, which
        occurrence it is. Neither other points nor the order matter.
    key : str
        The same, as text: what results are stored under.
    """

    values: dict[str, Any]
    seed: int
    key: str

    def __str__(self) -> str:
        return ", ".join(f"{name} = {short(value)}" for name, value in self.values.items())


def grid(**axes: Any) -> list[dict[str, Any]]:
    """Return all combinations of values as points, the last name's values changing fastest.

    Parameters
    ----------
    **axes : Quantity, array or list
        From names to the values along that axis. A value that is a scalar is the same for all
        points. Where one is a two-dimensional array, each row is a value, one number a neuron.

    Returns
    -------
    list of dict
        For `conex_brian.sweep`.

    Raises
    ------
    ValueError
        For an axis without values, or none at all.

    Examples
    --------
    >>> from brian2 import ms, nA
    >>> from conex_brian import grid
    >>> len(grid(tau=[10, 20]*ms, I=[1, 1.5, 2]*nA))
    6
    """
    if not axes:
        raise ValueError("grid() needs at least one axis, for example grid(tau=[10, 20]*ms).")
    values = []
    for name, axis in axes.items():
        check_no_group(f"grid: {name}", axis)
        along = [axis] if np.ndim(axis) == 0 else list(axis)
        if not along:
            raise ValueError(f"grid: {name} = {short(axis)} has no values.")
        values.append(along)
    return [dict(zip(axes, combination, strict=True)) for combination in product(*values)]


def neuron_grid(model: Model, **axes: Any) -> tuple[Model, pandas.DataFrame]:
    """Return a model with one neuron for each combination of values, and the table of them.

    For neurons without connections one group is the better sweep: ``model.group()`` simulates all
    points at once, in vectorised code and without a process or a program for each.

    Parameters
    ----------
    model : LIF, ELIF or AELIF
        What all neurons have in common.
    **axes : Quantity, array or list
        From names of parameters or initial values to the values along that axis, as for `grid`.
        ``I`` is the input current of a group that is made without one.

    Returns
    -------
    model : as given
        With an array for each axis.
    table : pandas.DataFrame
        Row ``i`` has the values of neuron ``i`` in base units; ``table.attrs['units']`` names
        these.

    Raises
    ------
    TypeError, ValueError, brian2.DimensionMismatchError
        For names and values that the model does not take.

    Examples
    --------
    >>> from brian2 import *
    >>> from conex_brian import LIF, neuron_grid
    >>> neuron = LIF(R=10*Mohm, threshold=-50*mV, tau=10*ms, v_reset=-65*mV, v_rest=-65*mV)
    >>> neurons, table = neuron_grid(neuron, tau=[5, 10, 20]*ms, I=linspace(1, 3, 100)*nA)
    >>> group = neurons.group()
    >>> spikes = SpikeMonitor(group)
    >>> run(200*ms)
    >>> table['rate'] = spikes.count/(200*ms)
    """
    if not isinstance(model, LIF):
        raise TypeError(f"neuron_grid: model = {short(model)}: it needs a LIF, ELIF or AELIF.")
    known = ("I", *model.parameter_names(), *model.initial_names())
    for name in axes:
        if name not in known:
            raise TypeError(
                f"neuron_grid: {type(model).__name__} has no {name!r}{nearest(name, known)}: it "
                f"has {', '.join(known)}."
            )
    if "I" in axes and "init_I" in axes:
        raise TypeError("neuron_grid: I and init_I are the same input: give one of them.")
    points = grid(**axes)
    columns: dict[str, Any] = {name: [point[name] for point in points] for name in axes}
    for name, values in columns.items():
        truth = name == "init_s" and all(isinstance(one, (bool, np.bool_)) for one in values)
        columns[name] = np.array(values) if truth else as_quantity(f"neuron_grid: {name}", values)
    changed = model.replace(**{"init_I" if n == "I" else n: c for n, c in columns.items()})
    units = {name: unit_text(get_dimensions(points[0][name])) for name in axes}
    return changed, make_table({name: np.array(column) for name, column in columns.items()}, units)


def make_points(points: Iterable[Mapping[str, Any]], seed: int) -> list[Point]:
    """Check points, bring their values to one form, and give each its seed.

    Raises
    ------
    TypeError, ValueError, brian2.DimensionMismatchError
        For what is no point, or unlike the others; the message says which.
    """
    made: list[Point] = []
    units: dict[str, str] = {}
    seen: Counter[str] = Counter()
    for number, given in enumerate(points):
        where = f"points[{number}]"
        if not isinstance(given, Mapping) or not given:
            raise TypeError(
                f"{where} = {short(given)}: it needs a dict of values, such as {{'tau': 10*ms}}."
            )
        check_names(where, given)
        values = {n: _value(f"{where}: {n}", value) for n, value in given.items()}
        own = {name: unit_text(get_dimensions(value)) for name, value in values.items()}
        units = units or own
        if set(own) != set(units):
            raise ValueError(
                f"{where} has values for {', '.join(own)}, but points[0] for {', '.join(units)}: "
                "all points need the same names."
            )
        for name, unit in own.items():
            if unit != units[name]:
                raise DimensionMismatchError(
                    f"{where}: {name} = {short(values[name])} is in {unit}, but points[0] has it "
                    f"in {units[name]} (1: without unit)."
                )
        content = _digest(values, own)
        seen[content] += 1
        digest = hashlib.sha256(f"{seed} {content} {seen[content]}".encode())
        words = np.frombuffer(digest.digest(), dtype="<u4").tolist()
        run_seed = int(np.random.SeedSequence(words).generate_state(1)[0])
        made.append(Point({name: values[name] for name in units}, run_seed, digest.hexdigest()))
    if not made:
        raise ValueError("points is empty: there is nothing to run.")
    return made


def _value(name: str, value: Any) -> Any:
    """Return a value as a number or array of numbers; truth values are 0 and 1."""
    if not isinstance(value, (str, bytes)) and np.asarray(value).dtype == bool:
        value = np.asarray(value, dtype=int)
    return as_quantity(name, value)


def _digest(values: Mapping[str, Any], units: Mapping[str, str]) -> str:
    """Return the same text for the same names, numbers and units, in any order."""
    digest = hashlib.sha256()
    for name in sorted(values):
        array = np.asarray(values[name], dtype="<f8") + 0.0  # -0 is 0
        digest.update(repr((name, units[name], array.shape)).encode())
        digest.update(array.tobytes())
    return digest.hexdigest()


def make_table(columns: Mapping[str, Any], units: Mapping[str, str]) -> pandas.DataFrame:
    """Return a table of plain numbers, which keeps the units' names in its ``attrs``."""
    import pandas

    made = {name: pandas.Series(_column(values)) for name, values in columns.items()}
    table = pandas.DataFrame(made)
    table.attrs["units"] = dict(units)
    return table


def _column(values: Any) -> Any:
    """Return the values of a column, where arrays may be single values."""
    if isinstance(values, np.ndarray) or not any(isinstance(v, np.ndarray) for v in values):
        return values
    column = np.empty(len(values), dtype=object)
    for row, value in enumerate(values):
        column[row] = value
    return column
