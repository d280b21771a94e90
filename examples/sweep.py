"""A sweep of a balanced network
=============================

The rate over synaptic weight and input, 200 points from one program.

The network has 800 excitatory and 200 inhibitory LIF neurons (as in ``balanced_network.py``). One
C++ program serves all points; processes of this machine, or those of a Dask cluster, share them.
Without synapses, at weight 0, the rate is the closed form's, but for the steps of 0.1 ms; with
growing weight inhibition takes away most of the drive (van Vreeswijk & Sompolinsky, Science 274
(1996) 1724).

Takes about half a minute, and needs a C++ compiler. Stores each finished point in
``sweep.parquet``: after Ctrl+C, the same command goes on from there. Writes ``sweep.png``::

    python examples/sweep.py [--processes 2] [--dask ADDRESS] [--output FOLDER]
"""

import argparse
import os
import sys
from math import log
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from brian2 import Equations, Mohm, Network, SpikeMonitor, Synapses, collect, ms, mV, pA
from matplotlib.colors import PowerNorm

from conex_brian import LIF, Experiment, grid, sweep
from conex_brian.devices import use_cpp

N_EXC, N_INH = 800, 200
DURATION, SETTLED = 300 * ms, 100 * ms  # the rate leaves out the time before SETTLED
T_REF = 2 * ms

neuron = LIF(
    R=100 * Mohm,
    threshold=-50 * mV,
    tau=10 * ms,
    v_reset=-60 * mV,
    v_rest=-60 * mV,
    init_v="v_reset + rand()*(threshold - v_reset)",
)
synapses = Equations("""
    I = I_ext + weight*(excitation - 5.2*inhibition) : amp
    dexcitation/dt = -excitation/(5*ms) : 1
    dinhibition/dt = -inhibition/(10*ms) : 1
    I_ext : amp (shared, constant)
    weight : amp (shared, constant)
""")


def build() -> Experiment:
    """Make the network; each process calls this once."""
    use_cpp()
    group = neuron.group(N_EXC + N_INH, I=synapses, refractory=T_REF)
    excite = Synapses(group[:N_EXC], group, on_pre="excitation_post += 1", delay=1 * ms)
    inhibit = Synapses(group[N_EXC:], group, on_pre="inhibition_post += 1", delay=1 * ms)
    for connections in (excite, inhibit):
        connections.connect(p=0.1)
    spikes = SpikeMonitor(group)
    return Experiment(
        Network(collect()),
        DURATION,
        vary={"weight": group.weight, "I_ext": group.I_ext},
        observe={
            "rate": lambda: np.sum(spikes.t > SETTLED) / len(group) / (DURATION - SETTLED),
        },
    )


def closed_form(current: float) -> float:
    """Return the rate in Hz of a neuron without synapses, at ``current`` pA."""
    drive = 0.1 * current  # R*I in mV; the threshold is 10 mV above rest and reset
    return 1e3 / (2 + 10 * log(drive / (drive - 10))) if drive > 10 else 0.0


def main(output: Path, processes: int, dask: str | None) -> None:
    """Run the sweep, print some rates and draw the map."""
    points = grid(weight=np.linspace(0, 18, 10) * pA, I_ext=np.linspace(80, 460, 20) * pA)
    if dask is None:
        executor = processes
    else:
        from distributed import Client

        executor = Client(dask).get_executor()
    table = sweep(build, points, executor=executor, resume=output / "sweep.parquet")

    rates = table.pivot(index="I_ext", columns="weight", values="rate")
    weights, currents = np.asarray(rates.columns) * 1e12, np.asarray(rates.index) * 1e12
    last = rates.iloc[-1]
    print(f"{len(table)} points, rates from {table['rate'].min():.1f} to {last.iloc[0]:.1f} Hz")
    print(f"no synapses, {currents[-1]:.0f} pA: {last.iloc[0]:.1f} Hz, "
          f"closed form {closed_form(currents[-1]):.1f} Hz")  # fmt: skip
    print(f"weight {weights[-1]:.0f} pA, {currents[-1]:.0f} pA: {last.iloc[-1]:.1f} Hz")

    figure, axis = plt.subplots(figsize=(6.4, 4.8))
    image = axis.pcolormesh(
        weights, currents, rates, cmap="cividis", shading="nearest", norm=PowerNorm(0.5)
    )
    levels = [5, 20, 40, 80, 160]
    colors = ["white", "white", "white", "black", "black"]
    lines = axis.contour(weights, currents, rates, levels, colors=colors, linewidths=1)
    axis.clabel(lines, fmt="%d Hz", fontsize=8)
    axis.set(xlabel="excitatory weight (pA)", ylabel="input current (pA)")
    figure.colorbar(image, label="rate (Hz)")
    figure.tight_layout()
    figure.savefig(output / "sweep.png", dpi=150)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--output", type=Path, default=Path(sys.argv[0]).parent / "output")
    parser.add_argument("--processes", type=int, default=os.cpu_count())
    parser.add_argument("--dask", metavar="ADDRESS", help="of a Dask scheduler")
    arguments = parser.parse_args()
    main(arguments.output, arguments.processes, arguments.dask)
