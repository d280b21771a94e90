"""What a sweep runs at each point: a network, what is varied, and what is observed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from brian2 import Network, Quantity, second
from brian2.core.namespace import get_local_namespace
from brian2.core.variables import Subexpression, VariableView

from conex_brian.dimensions import (
    as_quantity,
    check_dimension,
    check_positive,
    is_array,
    nearest,
    short,
)

#: Columns that the table of a sweep has besides.
RESERVED = ("seed", "key", "error")


@dataclass(frozen=True, eq=False)
class Experiment:
    """A simulation that `conex_brian.sweep` repeats with other values.

    Parameters
    ----------
    network : Network
        All that is simulated. It may have been run before, and then goes on from there.
    duration : Quantity
        For how long each point runs.
    vary : dict
        From the names that points have to variables, such as ``{'tau': group.tau}``. Just before
        a run they are set to the point's values; what ``build()`` has computed from their former
        values stays as it is.
    observe : dict
        From names to functions without arguments, evaluated after a run. Each returns a number, a
        Quantity, or a one-dimensional array of them.
    namespace : dict, optional
        What the equations' names mean. Default: what is known where the Experiment is made, as
        for Brian2's ``run``.

    Raises
    ------
    TypeError, ValueError, brian2.DimensionMismatchError
        For what cannot be run, varied or observed; the message says which and why.

    Examples
    --------
    >>> from brian2 import *
    >>> from conex_brian import LIF, Experiment
    >>> def build():
    ...     neuron = LIF(R=10*Mohm, threshold=-50*mV, tau=10*ms, v_reset=-65*mV, v_rest=-65*mV)
    ...     group = neuron.group(100, I=2*nA)
    ...     spikes = SpikeMonitor(group)
    ...     return Experiment(Network(group, spikes), 200*ms, vary={'I': group.I, 'tau': group.tau},
    ...                       observe={'rate': lambda: spikes.num_spikes/100/(200*ms)})
    """

    network: Network
    duration: Quantity
    vary: Mapping[str, VariableView]
    observe: Mapping[str, Callable[[], Any]]
    namespace: Mapping[str, Any] | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.network, Network):
            raise TypeError(
                f"Experiment: network = {short(self.network)}: it needs a Network with all groups, "
                "synapses and monitors, for example Network(collect())."
            )
        duration = as_quantity("Experiment: duration", self.duration, "a time")
        check_dimension("Experiment: duration", duration, (second.dim,))
        check_positive("Experiment: duration", duration)
        if is_array(duration):
            raise ValueError(f"Experiment: duration = {short(duration)}: it needs one time.")
        for what, entries in (("vary", self.vary), ("observe", self.observe)):
            if not isinstance(entries, Mapping) or not entries:
                raise TypeError(
                    f"Experiment: {what} = {short(entries)}: it needs a dict with at least one "
                    "name."
                )
            check_names(f"Experiment: {what}", entries)
        twice = set(self.vary) & set(self.observe)
        if twice:
            raise ValueError(
                f"Experiment: {min(twice)!r} is varied and observed: give one of them another name."
            )
        for name, view in self.vary.items():
            _check_variable(name, view)
        for name, function in self.observe.items():
            if not callable(function):
                raise TypeError(
                    f"Experiment: observe[{name!r}] = {short(function)}: it needs a function "
                    "without arguments, for example lambda: spikes.num_spikes, since there is "
                    "nothing to observe before the run."
                )
        # As Brian2's run() does, but the run comes when this place in the program is left. The
        # dataclass's own __init__ lies between.
        names = get_local_namespace(level=2) if self.namespace is None else dict(self.namespace)
        object.__setattr__(self, "duration", duration)
        object.__setattr__(self, "namespace", names)


def check_names(what: str, names: Mapping[Any, Any]) -> None:
    """Refuse names that no column of the table can have."""
    for name in names:
        if not isinstance(name, str) or not name:
            raise TypeError(f"{what}: {short(name)} is no name: names are texts.")
        if name in RESERVED:
            raise ValueError(
                f"{what}: {name!r} is a column of the results already: take another name."
            )


def _check_variable(name: str, view: Any) -> None:
    what = f"Experiment: vary[{name!r}] = {short(view)}"
    if not isinstance(view, VariableView):
        raise TypeError(
            f"{what}: it needs a variable, such as group.tau, not a {type(view).__name__}."
        )
    variable = view.variable
    if isinstance(variable, Subexpression):
        raise ValueError(f"{what} is computed from other variables: vary those.")
    if variable.read_only:
        raise ValueError(f"{what} is read-only: nothing but Brian2 sets it.")
    if view.index_var not in ("_idx", "0"):
        raise ValueError(
            f"{what} is a part of a variable: vary the whole one, with an array for each point, or "
            "a variable that only these neurons' equations use."
        )


def converted(name: str, value: Any, view: VariableView) -> Any:
    """Return a point's value as numbers in base units, as the variable ``view`` takes them.

    Raises
    ------
    ValueError, brian2.DimensionMismatchError
        If the variable cannot have that value.
    """
    check_dimension(name, value, (view.variable.dim,), f", as {view.group_name}.{view.name} has.")
    array = np.asarray(value, dtype=float)
    dtype = np.dtype(view.variable.dtype)
    if dtype.kind in "iub" and (array != array.astype(dtype)).any():
        raise ValueError(
            f"{name} = {short(value)}: {view.group_name}.{view.name} holds "
            f"{'truth values, 0 or 1' if dtype.kind == 'b' else 'whole numbers'}."
        )
    size = 1 if view.variable.scalar else None if view.variable.dynamic else view.variable.size
    if array.ndim and size not in (None, array.size):
        raise ValueError(
            f"{name} has {array.size} values, but {view.group_name}.{view.name} has {size}."
        )
    return array.astype(dtype)


def check_point_names(names: tuple[str, ...], experiment: Experiment) -> None:
    """Check that points have values for what the experiment varies, and no others."""
    vary = tuple(experiment.vary)
    for name in names:
        if name not in vary:
            raise ValueError(
                f"points have values for {name!r}, which the Experiment does not vary"
                f"{nearest(name, vary)}: it varies {', '.join(vary)}."
            )
    missing = [name for name in vary if name not in names]
    if missing:
        raise ValueError(
            f"The Experiment varies {', '.join(missing)}, but the points have no value for it: "
            f"they have {', '.join(names)}."
        )
