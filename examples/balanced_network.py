"""A balanced network in C++ standalone
====================================

3200 excitatory and 800 inhibitory LIF neurons.

On average inhibition cancels most of the drive and of the excitation, and what fluctuates around
that fires the neurons irregularly, though the input is constant and nothing is noisy (van
Vreeswijk & Sompolinsky, Science 274 (1996) 1724). Synapses are exponential
currents; inhibition decays with the membrane's own time constant, where the usual closed form
divides by zero and conex_brian's ``'exact'`` does not.

Takes some ten seconds, most of it compiling, and needs a C++ compiler. Prints both populations'
mean rate and the mean coefficient of variation (CV) of their interspike intervals (0: a clock,
1: a Poisson process) over the neurons with ten intervals or more (more than half fire more rarely,
by the chance of their wiring), and writes ``balanced_network.png``::

    python examples/balanced_network.py [--output FOLDER]
"""

import argparse
import sys
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from brian2 import (
    Equations,
    Hz,
    Mohm,
    Network,
    PopulationRateMonitor,
    SpikeMonitor,
    Subgroup,
    Synapses,
    ms,
    mV,
    pA,
    second,
    seed,
)

from conex_brian import LIF
from conex_brian.devices import use_cpp

N_EXC, N_INH = 3200, 800
DURATION, SETTLED = 1.5 * second, 0.2 * second  # statistics leave out the time before SETTLED

neuron = LIF(
    R=100 * Mohm,
    threshold=-50 * mV,
    tau=10 * ms,
    v_reset=-60 * mV,
    v_rest=-60 * mV,
    init_v="v_reset + rand()*(threshold - v_reset)",
)
synapses = Equations("""
    I = I_ext + I_exc - I_inh : amp
    dI_exc/dt = -I_exc/tau_exc : amp
    dI_inh/dt = -I_inh/tau_inh : amp
    I_ext : amp (shared, constant)
""")
tau_exc, tau_inh = 5 * ms, neuron.tau
w_exc, w_inh = 5 * pA, 26 * pA


def intervals_cv(spikes: SpikeMonitor) -> np.ndarray:
    """Return the CV of the interspike intervals of each neuron with ten intervals or more."""
    trains = (t[t > SETTLED] / second for t in spikes.spike_trains().values())
    intervals = [np.diff(train) for train in trains if len(train) > 10]
    return np.array([one.std() / one.mean() for one in intervals])


def main(output: Path) -> None:
    """Simulate the network, print its statistics and draw raster and rates."""
    use_cpp()
    seed(20)
    template = neuron.template(I=synapses, refractory=2 * ms)
    group = template.group(N_EXC + N_INH)
    group.I_ext = 260 * pA
    parts: dict[str, Subgroup] = {"excitatory": group[:N_EXC], "inhibitory": group[N_EXC:]}
    excite = Synapses(parts["excitatory"], group, on_pre="I_exc_post += w_exc", delay=1 * ms)
    inhibit = Synapses(parts["inhibitory"], group, on_pre="I_inh_post += w_inh", delay=1 * ms)
    for connections in (excite, inhibit):
        connections.connect(p=0.1)
    spikes = {name: SpikeMonitor(part) for name, part in parts.items()}
    rates = {name: PopulationRateMonitor(part) for name, part in parts.items()}
    # run() alone would not look into the dictionaries.
    network = Network(group, excite, inhibit, spikes.values(), rates.values())
    network.run(DURATION)
    print(f"membrane {neuron.tau}, inhibition {tau_inh}, method {template.method!r}")

    figure, axes = plt.subplots(2, sharex=True, figsize=(8, 6), height_ratios=[3, 1.3])
    drawn, offset = {"excitatory": 320, "inhibitory": 80}, 0  # a tenth, which stays legible
    for (name, count), color in zip(drawn.items(), ["#0072B2", "#D55E00"], strict=True):
        monitor, rate = spikes[name], rates[name]
        settled = np.sum(monitor.t > SETTLED) / len(parts[name]) / (DURATION - SETTLED)
        cv = intervals_cv(monitor)
        print(f"{name} rate {settled / Hz:.1f} Hz, CV {cv.mean():.2f} ({len(cv)} neurons)")
        shown = monitor.i < count
        axes[0].plot(monitor.t[shown] / ms, monitor.i[shown] + offset, ".", color=color, ms=1.5)
        smooth = rate.smooth_rate("gaussian", width=3 * ms) / Hz
        axes[1].plot(rate.t / ms, smooth, color=color, lw=1.2, label=name)
        offset += count
    output.mkdir(parents=True, exist_ok=True)
    axes[0].set(ylabel="neuron (a tenth of each population)", ylim=(0, offset))
    axes[1].set(xlabel="time (ms)", ylabel="population rate (Hz)", xlim=(500, 1000), ylim=(0, 40))
    axes[1].legend(frameon=False, ncols=2, loc="upper right")
    for axis in axes:
        axis.spines[["top", "right"]].set_visible(False)
    figure.align_ylabels()
    figure.tight_layout()
    figure.savefig(output / "balanced_network.png", dpi=150)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--output", type=Path, default=Path(sys.argv[0]).parent / "output")
    main(parser.parse_args().output)
