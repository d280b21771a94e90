"""Fit a neuron to a trace
=======================

A LIF neuron is fitted to a recorded membrane potential under a fluctuating current: SciPy's
differential evolution, where each generation of candidates is one group and one run, a neuron a
candidate, with precise spikes. The resting potential is read from the time without current.

The recording is synthetic, so that what is found can be held against the truth: a LIF neuron with
noise in its membrane and noise in the measurement. The first second is fitted; the score counts on
the second one, which had no part in the fit, and is given for the true parameters too: with noise
in the membrane they do not score perfectly either.

Takes a quarter of a minute. Prints parameters, root mean square errors and spikes found, and writes
``fit_a_trace.png``::

    python examples/fit_a_trace.py [--output FOLDER]
"""

import argparse
import sys
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from brian2 import (
    Mohm,
    Network,
    SpikeMonitor,
    StateMonitor,
    TimedArray,
    ms,
    mV,
    pA,
    prefs,
    second,
    seed,
)  # fmt: skip
from scipy.optimize import differential_evolution

from conex_brian import LIF, plotting, spike_monitor

STEP = 0.5 * ms  # of the current and of the recording
HALF, SILENT = 1 * second, 100 * ms  # what is fitted; without current at the beginning
TRUTH = LIF(R=82 * Mohm, threshold=-51.3 * mV, tau=16.5 * ms, v_reset=-63.7 * mV, v_rest=-68.2 * mV)
#: What is fitted: units and the bounds of the search.
UNITS = {"R": Mohm, "threshold": mV, "tau": ms, "v_reset": mV}
BOUNDS = [(20, 200), (-58, -42), (4, 50), (-78, -59)]
CANDIDATES, GENERATIONS = 160, 40


def fluctuating_current(rng: np.random.Generator) -> TimedArray:
    """Return an Ornstein-Uhlenbeck current (mean 210 pA, sd 90 pA, 6 ms) after a silent time."""
    count, keep = int(2 * HALF / STEP), np.exp(-STEP / (6 * ms))
    kicks = rng.normal(size=count) * np.sqrt(1 - keep**2)
    values = np.zeros(count)
    for k in range(1, count):
        values[k] = keep * values[k - 1] + kicks[k]
    values = 210 + 90 * values
    values[: int(SILENT / STEP)] = 0
    return TimedArray(values * pA, dt=STEP)


def record(current: TimedArray, rng: np.random.Generator) -> tuple[np.ndarray, Any]:
    """Return the true neuron's noisy v in mV, and its spikes."""
    seed(5)
    group = TRUTH.group(1, I=current, noise=0.15 * mV, dt=STEP / 10)
    states, spikes = StateMonitor(group, "v", record=True, dt=STEP), SpikeMonitor(group)
    Network(group, states, spikes).run(2 * HALF, namespace={})
    return states.v[0] / mV + rng.normal(scale=0.5, size=len(states.t)), spikes.t[:].copy()


def simulate(neuron: LIF, current: TimedArray) -> tuple[Any, np.ndarray, Any]:
    """Return a neuron's times, v in mV and precise spikes over both seconds."""
    # Copies: the arrays of Brian2's monitors end with them.
    group = neuron.group(1, I=current, spike_timing="precise", dt=STEP)
    states, spikes = StateMonitor(group, "v", record=True), spike_monitor(group)
    Network(group, states, spikes).run(2 * HALF, namespace={})
    return states.t[:].copy(), states.v[0] / mV, spikes.t_spike[:].copy()


def fit(current: TimedArray, recorded: np.ndarray) -> tuple[LIF, list[float]]:
    """Return the neuron that fits the first second, and the best error of each generation."""
    rest = recorded[: int(SILENT / STEP)].mean() * mV
    pairs = zip(UNITS.items(), BOUNDS, strict=True)  # each generation sets other values
    middle = {name: np.full(CANDIDATES, np.mean(ends)) * unit for (name, unit), ends in pairs}
    group = LIF(**middle, v_rest=rest).group(I=current, spike_timing="precise", dt=STEP)
    states = StateMonitor(group, "v", record=True)
    network = Network(group, states)
    network.store()
    best: list[float] = []

    def errors(x: np.ndarray) -> np.ndarray:
        """Return the root mean square error in mV of each candidate, a column of ``x``."""
        network.restore()
        for (name, unit), values in zip(UNITS.items(), x, strict=True):
            setattr(group, name, values * unit)
        network.run(HALF, namespace={})
        found = np.sqrt(np.mean((states.v / mV - recorded[: len(states.t)]) ** 2, axis=1))
        best.append(min([*best[-1:], found.min()]))
        return found

    found = differential_evolution(
        errors, BOUNDS, popsize=CANDIDATES // len(BOUNDS), maxiter=GENERATIONS, tol=0, seed=3,
        polish=False, vectorized=True, updating="deferred",
    )  # fmt: skip
    values = {name: x * unit for (name, unit), x in zip(UNITS.items(), found.x, strict=True)}
    return LIF(**values, v_rest=rest), best


def score(v: np.ndarray, spikes: Any, recorded: np.ndarray, real: Any) -> str:
    """Return in words how well the second second is met."""
    later = int(HALF / STEP)
    error = np.sqrt(np.mean((v[later:] - recorded[later:]) ** 2))
    mine, real = (np.asarray(t[t >= HALF] / ms) for t in (spikes, real))
    near = np.abs(mine[:, np.newaxis] - real)
    found, extra = np.sum(near.min(axis=0) <= 2), np.sum(near.min(axis=1) > 2)
    return f"rms {error:.2f} mV, {found} of {len(real)} spikes within 2 ms, {extra} extra"


def main(output: Path) -> None:
    """Record, fit, judge and draw."""
    prefs.codegen.target = "numpy"  # compiling would take longer
    rng = np.random.default_rng(1)
    current = fluctuating_current(rng)
    recorded, real = record(current, rng)
    found, best = fit(current, recorded)
    for name, unit in {**UNITS, "v_rest": mV}.items():
        value, true = getattr(found, name) / unit, getattr(TRUTH, name) / unit
        print(f"{name:9} found {value:7.2f}, true {true:7.2f} {unit}")
    time, v, spikes = simulate(found, current)
    _, true_v, true_spikes = simulate(TRUTH, current)
    print(f"held out, fitted: {score(v, spikes, recorded, real)}")
    print(f"held out, true parameters: {score(true_v, true_spikes, recorded, real)}")

    figure, (ax, below) = plt.subplots(2, figsize=(8, 5.6), layout="constrained")
    peak = -35 * mV
    plotting.trace(time, recorded * mV, real, ax, peak=peak, color="0.6", lw=3, label="recorded")
    plotting.trace(time, v * mV, spikes, ax, peak=peak, color="#0072B2", lw=1, label="fitted")
    ax.set_xlim(HALF / ms, HALF / ms + 400)
    ax.set_title("held out: not used for the fit", loc="left", fontsize=11)
    ax.legend(frameon=False, ncols=2, loc="upper right", bbox_to_anchor=(1, 1.18))
    below.plot(best, "o-", color="#D55E00", ms=4)
    below.set(xlabel="generation", ylabel="best error (mV)", ylim=(0, 1.1 * best[0]))
    for one in (ax, below):
        one.spines[["top", "right"]].set_visible(False)
    output.mkdir(parents=True, exist_ok=True)
    figure.savefig(output / "fit_a_trace.png", dpi=120)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--output", type=Path, default=Path(sys.argv[0]).parent / "output")
    main(parser.parse_args().output)
