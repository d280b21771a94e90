"""From a template to a NeuronGroup with its values."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from brian2 import NeuronGroup, Quantity, defaultclock, get_device, second
from brian2.devices.cpp_standalone.device import CPPStandaloneDevice

from conex_brian import checks, precise_groups
from conex_brian.dimensions import (
    as_quantity,
    check_dimension,
    check_positive,
    is_array,
    nearest,
    short,
)

if TYPE_CHECKING:
    from conex_brian.templates import Template


#: What marks a neuron as refractory.
REFRACTORY_STATE = ("not_refractory", "lastspike", "t_release")


def make_group(
    template: Template, N: int | None, options: dict[str, Any], names: Mapping[str, Any]
) -> NeuronGroup:
    """Return a NeuronGroup made from ``template``; see `conex_brian.templates.Template.group`."""
    count = _count(template, N)
    arguments = template.arguments()
    known = set(inspect.signature(NeuronGroup.__init__).parameters) - {"self", "N"}
    for name in options:
        if name in arguments and name != "namespace":
            raise TypeError(
                f"{name!r} is what the template says: it follows from the model and the options of "
                "template()."
            )
        if name not in known:
            raise TypeError(
                f"group() and NeuronGroup have no option {name!r}{nearest(name, known)}."
            )
    given = options.pop("namespace", None) or {}
    # Checked before the group exists: a half-made group would join Brian2's next magic run.
    checks.check(template, _time_step(options), {**names, **given})
    arguments["namespace"] = {**given, **template.namespace}
    group = NeuronGroup(count, **arguments, **options)
    _complete(group, template, {**names, **arguments["namespace"]})
    return group


def initialise(template: Template, group: NeuronGroup, names: Mapping[str, Any]) -> None:
    """Check ``group`` and set its values; see `conex_brian.templates.Template.initialise`."""
    if template.length not in (None, len(group)):
        raise ValueError(_wrong_count(template, len(group)))
    checks.check(template, group.clock.dt, names)
    _complete(group, template, names)


def _complete(group: NeuronGroup, template: Template, names: Mapping[str, Any]) -> None:
    """Set a new group's schedule and values."""
    if template.timing is not None:
        precise_groups.prepare(group, template.timing)
    set_values(group, template.values, names)


def _count(template: Template, N: int | None) -> int:
    if N is None:
        if template.length is None:
            raise ValueError(
                "N is not given, and no value holds one number a neuron: say how many neurons, "
                "for example group(100, ...)."
            )
        return template.length
    if isinstance(N, (bool, np.bool_)) or not isinstance(N, (int, np.integer)):
        raise TypeError(f"N = {short(N)}: it needs a whole number of neurons.")
    if N < 1:
        raise ValueError(f"N = {N}: a group needs at least one neuron.")
    if template.length not in (None, N):
        raise ValueError(_wrong_count(template, int(N)))
    return int(N)


def _wrong_count(template: Template, N: int) -> str:
    given = {**template.neuron.given(), **template.values}
    name = next((name for name, value in given.items() if is_array(value)), "I")
    return (
        f"N = {N}, but {name} has values for {template.length} neurons. "
        "Give as many, or leave N out."
    )


def _time_step(options: Mapping[str, Any]) -> Quantity:
    """Return the time step that a group made with ``options`` has at this moment."""
    if options.get("dt") is not None:
        dt = as_quantity("dt", options["dt"], "a time")
        check_dimension("dt", dt, (second.dim,))
        check_positive("dt", dt)
        if is_array(dt):
            raise ValueError(f"dt = {short(dt)}: it needs one time.")
        return dt
    clock = options.get("clock")
    return (defaultclock if clock is None else clock).dt


def set_values(group: NeuronGroup, values: Mapping[str, Any], names: Mapping[str, Any]) -> None:
    """Set each of ``values`` on ``group``; expressions refer to ``names``.

    In standalone mode numbers go into the program's data files, not into its text, so that models
    that differ in values only share their program.
    """

    def turn(name: str) -> int:
        # Expressions may use the numbers; v cannot be set any more where a neuron is refractory.
        return 2 if name in REFRACTORY_STATE else int(isinstance(values[name], str))

    device = get_device()
    for name in sorted(values, key=turn):
        value, variable, view = values[name], group.variables[name], getattr(group, name)
        if isinstance(value, str):
            view.set_item(slice(None), value, namespace=names)
            continue
        array = np.full(variable.size, np.asarray(value), dtype=variable.dtype)
        if isinstance(device, CPPStandaloneDevice):
            _set_by_data(device, variable, array)
        else:
            # As for any assignment, but no Quantity is made: truth values have no unit.
            view.set_with_index_array(
                slice(None), array if variable.size > 1 else array[0], check_units=False
            )


def _set_by_data(device: CPPStandaloneDevice, variable: Any, array: np.ndarray) -> None:
    """Set a variable from a data file, as Brian2 does for arrays of more than one value."""
    name = device.get_array_name(variable, access_data=False)
    device.array_cache[variable] = array
    data = device.static_array(name, array)
    device.main_queue.append(("set_by_array", (name, data, False)))
