"""LIF, ELIF and AELIF on one current step
=======================================

The same input, three ways to spike.

Takes a few seconds. Prints each neuron's rate and its first and last interspike interval, LIF's
beside the closed form, and writes ``quickstart.png``::

    python examples/quickstart.py [--output FOLDER]
"""

import argparse
import sys
from math import log
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from brian2 import Mohm, Network, SpikeMonitor, StateMonitor, TimedArray, ms, mV, nS, pA, prefs

from conex_brian import AELIF, ELIF, LIF

STEP = 65 * pA  # from 50 to 350 ms
PEAK = 20  # mV: where spikes are drawn to, since a reset model has no spike shape of its own


def main(output: Path) -> None:
    """Simulate the three neurons, print their rates and draw their traces."""
    prefs.codegen.target = "numpy"  # compiling would take longer than these three neurons
    membrane = {"R": 500 * Mohm, "tau": 20 * ms, "v_rest": -70 * mV, "v_reset": -65 * mV}
    upswing = {"threshold": -30 * mV, "delta": 2 * mV, "theta_rh": -50 * mV}
    adaptation = {"alpha": 0 * nS, "beta": 5 * pA, "w_tau": 100 * ms}
    neurons = [
        LIF(**membrane, threshold=-50 * mV),
        ELIF(**membrane, **upswing),
        AELIF(**membrane, **upswing, **adaptation),
    ]
    print(neurons[-1], end="\n\n")

    current = TimedArray([0, *[1] * 6, 0] * STEP, dt=50 * ms)
    groups = [neuron.group(1, I=current) for neuron in neurons]
    traces = [StateMonitor(group, "v", record=True) for group in groups]
    spikes = [SpikeMonitor(group) for group in groups]
    Network(groups, traces, spikes).run(400 * ms)  # run() would not look into lists

    figure, axes = plt.subplots(4, sharex=True, figsize=(8, 6.5), height_ratios=[3, 3, 3, 1])
    for axis, neuron, trace, spike, color in zip(
        axes[:3], neurons, traces, spikes, ["#0072B2", "#009E73", "#D55E00"], strict=True
    ):
        name, times = type(neuron).__name__, spike.t / ms
        intervals = np.diff(times)
        print(
            f"{name:5} {1e3 / intervals.mean():6.2f} Hz, intervals: "
            f"first {intervals[0]:.1f} ms, last {intervals[-1]:.1f} ms"
        )
        v = trace.v[0] / mV
        v[np.isin(trace.t, spike.t)] = PEAK
        axis.plot(trace.t / ms, v, color=color, lw=1.4)
        axis.set(ylabel="v (mV)", ylim=(-75, PEAK + 5), yticks=[-70, -50, -30, 0])
        axis.set_title(f"{name}, {len(times)} spikes", loc="left", fontsize=11)
    lif = neurons[0]
    steady = lif.v_rest + lif.R * STEP
    interval = lif.tau * log((steady - lif.v_reset) / (steady - lif.threshold))
    print(f"LIF   {1e3 / (interval / ms):6.2f} Hz in closed form, interval {interval / ms:.3f} ms")

    time = np.arange(0, 400, 0.1)
    axes[-1].plot(time, current(time * ms) / pA, color="black")
    axes[-1].set(xlabel="time (ms)", ylabel="I (pA)", xlim=(0, 400), yticks=[0, 65])
    for axis in axes:
        axis.spines[["top", "right"]].set_visible(False)
    figure.tight_layout()
    output.mkdir(parents=True, exist_ok=True)
    figure.savefig(output / "quickstart.png", dpi=150)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--output", type=Path, default=Path(sys.argv[0]).parent / "output")
    main(parser.parse_args().output)
