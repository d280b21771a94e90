"""What a process takes over from the one that asks for a sweep, and gives back afterwards."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from typing import Any

import numpy as np
from brian2 import defaultclock, get_device, prefs, second, set_device
from brian2.core.tracking import InstanceFollower, InstanceTrackerSet
from brian2.devices.cpp_standalone.device import CPPStandaloneDevice
from brian2.devices.device import Device, RuntimeDevice, all_devices

from conex_brian.cpp_device import preferences

#: The module: `brian2.devices.device` itself is the device that is selected.
_devices: Any = import_module("brian2.devices.device")


@dataclass(frozen=True)
class Settings:
    """What a process must know of the one that asks for a sweep, to simulate as that would."""

    device: str
    build_on_run: bool
    build_options: Mapping[str, Any]
    dt: float
    preferences: Mapping[str, Any]

    @staticmethod
    def present() -> Settings:
        """Return those of this process: device, default time step, preferences that were changed.

        Preferences with their default value may have another default elsewhere.
        """
        device = get_device()
        check_device(device)
        changed = {}
        for name, value in prefs.items():
            category, _, last = name.rpartition(".")
            default = prefs.pref_register[category][0][last].default
            if value is not default and repr(value) != repr(default):
                changed[name] = value
        return Settings(
            device=next(name for name, one in all_devices.items() if one is device),
            build_on_run=getattr(device, "build_on_run", True),
            build_options=dict(getattr(device, "build_options", None) or {}),
            dt=float(defaultclock.dt),
            preferences=changed,
        )

    @contextmanager
    def applied(self) -> Iterator[None]:
        """Simulate with these settings for a while, and with no Brian2 object in sight.

        Names of objects decide the order in which they are updated, and are part of a program's
        text. So what else lives in this process must not change them.
        """
        standalone = [d for d in all_devices.values() if isinstance(d, CPPStandaloneDevice)]
        device, stack = get_device(), list(_devices.previous_devices)
        states = [dict(one.__dict__) for one in standalone]
        # A standalone device's clock is part of its state.
        clock, numbers = all_devices["runtime"].defaultclock, np.random.get_state()
        dt = clock.dt
        names = InstanceFollower.instance_sets
        InstanceFollower.instance_sets = defaultdict(InstanceTrackerSet)
        try:
            # All of them, since build() may change any. Unless this one is false, the first Ctrl+C
            # ends a run early, as if it were complete.
            stop = {"core.stop_on_keyboard_interrupt": False}
            with preferences({**dict(prefs.items()), **self.preferences, **stop}):
                for one in standalone:
                    one.reinit()
                set_device(self.device, build_on_run=self.build_on_run, **self.build_options)
                defaultclock.dt = self.dt * second
                yield
        finally:
            for one, state in zip(standalone, states, strict=True):
                one.__dict__ = state
            _devices.active_device = device
            _devices.previous_devices[:] = stack
            clock.dt = dt
            np.random.set_state(numbers)
            for kind, instances in InstanceFollower.instance_sets.items():
                for reference in instances:
                    if (instance := reference()) is not None:
                        names[kind].add(instance)
            InstanceFollower.instance_sets = names


def check_device(device: Device) -> None:
    standalone = isinstance(device, CPPStandaloneDevice) and "cuda" not in type(device).__module__
    if not standalone and not isinstance(device, RuntimeDevice):
        raise NotImplementedError(
            f"A sweep cannot run on the device {type(device).__name__}, whose programs take no "
            "arguments: use use_cpp(), or a loop with a build for each point."
        )
