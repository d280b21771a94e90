"""Groups with spikes at their exact times: what they need besides text, and their monitor."""

from __future__ import annotations

import weakref
from collections.abc import Mapping
from typing import Any

import numpy as np
from brian2 import DEFAULT_FUNCTIONS, BrianObject, NeuronGroup, SpikeMonitor, get_device
from brian2.codegen.generators.numpy_generator import NumpyCodeGenerator
from brian2.devices.cpp_standalone.device import CPPStandaloneDevice
from brian2.groups.group import CodeRunner

from conex_brian.dimensions import short
from conex_brian.precise import Timing

#: In a standalone program: takes the ``run_args``, as Brian2 does just before the first run.
SET_VALUES = "set_from_command_line(args); // before what follows from them"

# For numpy Brian2 has none of these, and would check units and write a message at each call.
for _name in ("expm1", "log1p"):
    DEFAULT_FUNCTIONS[_name].implementations.add_implementation(
        NumpyCodeGenerator, code=getattr(np, _name)
    )


class Constants(BrianObject):  # type: ignore[misc]
    """Sets what follows from the parameters and the time step, whenever a run starts.

    So whoever changes these, also through ``run_args``, need not know of it.
    """

    def __init__(self, group: NeuronGroup, texts: Mapping[str, str]) -> None:
        super().__init__(clock=group.clock, name=f"{group.name}_constants")
        self.group = weakref.proxy(group)
        self.texts = texts

    def before_run(self, run_namespace: Mapping[str, Any]) -> None:
        """Set them; in standalone the program does, after it has taken its ``run_args``."""
        device = get_device()
        if isinstance(device, CPPStandaloneDevice) and not device.run_args_applied:
            device.insert_code("main", SET_VALUES)
            device.run_args_applied = True
        for name, text in self.texts.items():
            getattr(self.group, name).set_item(slice(None), text, namespace={})


def prepare(group: NeuronGroup, timing: Timing) -> None:
    """Let the reset of ``group`` follow the threshold, before synapses change ``v``.

    A release and the watch come after the summed variables of synapses, just before the group's
    step, and the watch after it too.
    """
    group.resetter["spike"].when = "after_thresholds"
    if timing.constants:
        group.contained_objects.append(Constants(group, timing.constants))
    if timing.release is not None:
        group.set_event_schedule("release", when="groups", order=group.order - 0.9)
        group.run_on_event("release", timing.release, when="groups", order=group.order - 0.75)
        _skip_without_events(group.resetter["release"], group.variables["_releasespace"])
    if timing.watch is not None:
        before, after = timing.watch
        group.set_event_schedule("upswing", when="groups", order=group.order - 0.5)
        group.run_on_event("upswing", before, when="groups", order=group.order - 0.25)
        # Brian2 has one code for an event: the second is its like, on the same neurons.
        space = "_upswingspace"
        runner = CodeRunner(
            group,
            "reset",
            code=after,
            clock=group.clock,
            when="groups",
            order=group.order + 0.25,
            name=f"{group.name}_upswing_end",
            override_conditional_write=["not_refractory"],
            needed_variables=[space],
            template_kwds={"eventspace_variable": group.variables[space]},
        )
        group.contained_objects.append(runner)
        for one in (group.resetter["upswing"], runner):
            _skip_without_events(one, group.variables[space])
    _skip_without_events(group.resetter["spike"], group.variables["_spikespace"])


def _skip_without_events(runner: CodeRunner, events: Any) -> None:
    """Let ``runner`` do nothing in steps without ``events``, where Brian2 itself runs it.

    numpy takes as long for the statements of no neuron as for those of a few.
    """
    always = runner.run

    def run() -> None:
        if events.get_value()[-1]:
            always()

    runner.run = run


def spike_monitor(group: NeuronGroup, **options: Any) -> SpikeMonitor:
    """Return a SpikeMonitor of ``group`` that records the exact spike times, ``t_spike``.

    Within one time step spikes are recorded by neuron, not by time. For the order of spiking:
    ``order = argsort(monitor.t_spike)``, then ``monitor.i[order]``.

    Parameters
    ----------
    group : NeuronGroup
        Made with ``spike_timing='precise'``, or a part of such a group.
    **options
        Passed to SpikeMonitor: ``variables``, further ones to record, ``record``, ``name``...

    Returns
    -------
    SpikeMonitor
        Its ``t`` is the start of the spike's step, its ``t_spike`` the spike's exact time. From
        Brian2 2.10 on the arrays of every monitor end with it: take ``t_spike[:].copy()`` of what
        is to outlive it.

    Raises
    ------
    ValueError
        Where the group has no ``t_spike``, or ``when`` is given: it has to follow the reset.

    Examples
    --------
    >>> from brian2 import *
    >>> from conex_brian import LIF, spike_monitor
    >>> neuron = LIF(R=10*Mohm, threshold=-50*mV, tau=10*ms,
    ...              v_reset=-65*mV, v_rest=-65*mV)
    >>> group = neuron.group(1, I=2*nA, spike_timing="precise")
    >>> spikes = spike_monitor(group)
    >>> run(20*ms)
    >>> print(f"{spikes.t_spike[0]/ms:.6f} ms, in theory {10*log(4):.6f} ms")
    13.862944 ms, in theory 13.862944 ms
    """
    if "t_spike" not in group.variables:
        raise ValueError(
            f"{group.name} has no variable t_spike. Make it with spike_timing='precise', or use "
            "brian2.SpikeMonitor."
        )
    if "when" in options:
        raise ValueError(f"when = {short(options['when'])}: t_spike is read after the reset only.")
    more = options.pop("variables", None) or []
    names = ["t_spike", *([more] if isinstance(more, str) else more)]
    return SpikeMonitor(group, variables=list(dict.fromkeys(names)), when="after_resets", **options)
