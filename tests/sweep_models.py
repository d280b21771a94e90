"""Experiments that tests sweep; worker processes import this."""

from __future__ import annotations

import math
import os
import signal
import time
from typing import Any

import numpy as np
from brian2 import (
    Mohm,
    Network,
    SpikeMonitor,
    StateMonitor,
    Synapses,
    collect,
    mean,
    ms,
    mV,
    nA,
    prefs,
)

from conex_brian import LIF, Experiment, grid
from conex_brian.devices import use_cpp
from devices import QUICK_FLAGS

LEAKY = LIF(R=11 * Mohm, threshold=-51 * mV, tau=9 * ms, v_reset=-66 * mV, v_rest=-64 * mV)

POINTS = grid(tau=[7, 13] * ms, I=[1.1, 1.9, 2.4] * nA)


def count(tau: float, current: float, duration: float, dt: float = 0.1) -> int:
    """Return how many spikes a neuron of `LEAKY` fires on the grid; ms and nA.

    From rest to the threshold, and then from the reset: each in whole steps.
    """
    above = 11 * current - 13
    if above <= 0:
        return 0
    steps = round(duration / dt)
    first = math.ceil(tau * math.log(11 * current / above) / dt - 1e-9)
    interval = math.ceil(tau * math.log((11 * current + 2) / above) / dt - 1e-9)
    return 0 if first > steps else 1 + (steps - first) // interval


def clockwork() -> Experiment:
    """Three neurons without chance: `count` knows what they do."""
    group = LEAKY.group(3, I=1.5 * nA)
    spikes = SpikeMonitor(group)
    return Experiment(
        Network(group, spikes),
        40 * ms,
        vary={"tau": group.tau, "I": group.I},
        observe={
            "spikes": lambda: spikes.num_spikes,
            "rate": lambda: spikes.num_spikes / 3 / (40 * ms),
        },
    )


def noisy() -> Experiment:
    """Random wiring, initial values and noise, and names from here in the equations."""
    jump = 0.7 * mV
    group = LEAKY.replace(init_v="v_rest + rand()*12*mV").group(20, I=2 * nA, noise=2 * mV)
    synapses = Synapses(group, group, "w : 1", on_pre="v_post += w*jump", delay=1 * ms)
    synapses.connect(p=0.2)
    synapses.w = "rand()"
    spikes = SpikeMonitor(group)
    trace = StateMonitor(group, "v", record=[0, 17], dt=5 * ms)
    assert jump
    return Experiment(
        Network(collect()),
        30 * ms,
        vary={"tau": group.tau, "I": group.I},
        observe={
            "spikes": lambda: spikes.num_spikes,
            "times": lambda: spikes.t,
            "v": lambda: mean(trace.v[1]),
            "weights": lambda: sum(synapses.w[:]),
        },
    )


def noisy_cpp() -> Experiment:
    """As `noisy`, in C++ standalone."""
    prefs.codegen.cpp.extra_compile_args_gcc = QUICK_FLAGS
    use_cpp()
    return noisy()


def mishaps() -> Experiment:
    """What happens is what the point says: 1 raises, 2 is nan, 3 kills the process."""
    group = LEAKY.group(1, I=2 * nA)
    happens = LEAKY.group(1, I=0 * nA, name="happens")
    spikes = SpikeMonitor(group)

    def observe() -> float:
        what = round(float(happens.I[:] / nA))
        if what == 1:
            raise ArithmeticError("no such luck")
        if what == 3:
            os.kill(os.getpid(), signal.SIGKILL)
        return math.nan if what == 2 else float(spikes.num_spikes)

    return Experiment(
        Network(group, happens, spikes),
        5 * ms,
        vary={"what": happens.I},
        observe={"result": observe, "half": lambda: 0.5},
    )


def slow() -> Experiment:
    """As `clockwork`, and each point takes 0.1 s more."""
    experiment = clockwork()

    def late() -> int:
        time.sleep(0.1)
        return int(experiment.observe["spikes"]())

    return Experiment(experiment.network, 10 * ms, experiment.vary, {"spikes": late})


def same(one: Any, two: Any) -> bool:
    """Return whether two tables are the same, bit for bit."""
    if list(one.columns) != list(two.columns) or len(one) != len(two) or one.attrs != two.attrs:
        return False
    return all(
        np.asarray(a).tobytes() == np.asarray(b).tobytes() and np.shape(a) == np.shape(b)
        for name in one.columns
        for a, b in zip(one[name], two[name], strict=True)
    )
