"""A small simulation beside the user's own, which goes on as if it had not been."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from importlib import import_module
from typing import Any

from brian2 import Clock, Network, Quantity, SpikeMonitor, StateMonitor, prefs, second

from conex_brian.models import LIF
from conex_brian.precise_groups import spike_monitor
from conex_brian.recordings import Spikes, recorded

# The package brian2.devices has a variable of this module's name.
devices: Any = import_module("brian2.devices.device")


@contextmanager
def _beside() -> Iterator[None]:
    """Simulate on Brian2's runtime device without a compiler, then put everything back.

    `brian2.set_device` would carry the time step of one device's default clock over to the other's,
    and its way back would activate a standalone device again.
    """
    chosen, target = devices.active_device, prefs.codegen.target
    random = devices.runtime_device.get_random_state()
    devices.active_device = devices.runtime_device
    prefs.codegen.target = "numpy"
    try:
        yield
    finally:
        prefs.codegen.target = target
        devices.active_device = chosen
        devices.runtime_device.set_random_state(random)


@dataclass(frozen=True, eq=False)
class Run:
    """What a simulation gave.

    Attributes
    ----------
    spikes : Spikes
        At their exact times where the model has them.
    t : Quantity
        The times of the samples; the current is on from 0 on, and so for spikes.
    states : dict
        From the name of a state variable to its samples, a row a neuron.
    """

    spikes: Spikes
    t: Quantity
    states: dict[str, Any]


def simulate(
    neuron: LIF,
    I: Any,  # noqa: E741
    duration: Quantity,
    *,
    dt: Quantity,
    record: Sequence[str] = (),
    lead: Quantity = 0 * second,
    refractory: Any = False,
    noise: Any = None,
) -> Run:
    """Simulate one neuron for each current, all in one group, beside the user's simulation.

    Brian2's default clock, magic network, device, preferences and random numbers are as before.

    Parameters
    ----------
    neuron : LIF
        The model; spikes are precise where they can be.
    I : Quantity or ndarray
        The currents.
    duration, dt : Quantity
        How long, in which steps.
    record : sequence of str, optional
        The state variables to record in each step.
    lead : Quantity, optional
        A time without current before. Default: none.
    refractory, noise
        See `LIF.template`.
    """
    with _beside():
        if noise is not None:
            # The same picture each time; the user's random numbers are put back in the end.
            devices.runtime_device.seed(0)
        options = {"refractory": refractory, "noise": noise}
        try:
            template = neuron.template(I, spike_timing="precise", **options)
        except ValueError:  # noise, or a reset of the model's own
            template = neuron.template(I, **options)
        name = "conex_brian_aside"
        group = template.group(len(I), clock=Clock(dt, name=f"{name}_clock*"), name=f"{name}*")
        monitor = SpikeMonitor if template.timing is None else spike_monitor
        spikes = monitor(group, name=f"{name}_spikes*")
        states = StateMonitor(group, list(record), record=True, name=f"{name}_states*")
        network = Network(group, spikes, states, name=f"{name}_network*")
        if lead > 0 * second:
            group.I = 0 * group.I
            network.run(lead, namespace={})
            group.I = I
        network.run(duration, namespace={})
        values = {name: recorded(states, name) for name in record}
        found = Spikes.of(spikes)
        found = replace(found, t=found.t - lead, stamp=found.stamp - lead)
        return Run(found, recorded(states, "t") - lead, values)
