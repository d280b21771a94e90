"""A CoNeX network goes on in Brian2
=================================

The same numbers first, then what CoNeX's Euler step costs.

CoNeX simulates three adapting neurons. ``from_conex`` carries them over in one line, as they are
initialised and again in the middle of the simulation. ``method='conex'`` then repeats CoNeX's own
steps to rounding; ``'rk4'`` with a hundredth of CoNeX's step is the reference for what the
neuron's equations say, and shows how late CoNeX's spikes are. Grid simulations find a spike at the
end of its step, so even ``'rk4'`` is late by up to a step at each, and the lateness adds up.

Needs ``pip install cnrl-conex==0.1.5``. Takes about twenty seconds. Prints the largest differences
from CoNeX, spike counts and lags, and writes ``from_conex.png``::

    python examples/from_conex.py [--output FOLDER]
"""

import argparse
import sys
from pathlib import Path
from types import ModuleType

import matplotlib.pyplot as plt
import numpy as np
import torch
from brian2 import Network, Quantity, SpikeMonitor, StateMonitor, TimedArray, ms, prefs
from pymonntorch import Behavior
from pymonntorch import Network as ConexNetwork
from pymonntorch import NeuronGroup as Population

from conex_brian import AELIF, from_conex

try:
    import conex
except ModuleNotFoundError as error:
    # CoNeX imports torchvision, which its metadata do not name and only its image transforms use.
    if (error.name or "").partition(".")[0] != "torchvision":
        raise
    for name in ("torchvision", "torchvision.transforms", "torchvision.transforms.functional"):
        sys.modules[name] = ModuleType(name)
    import conex

# sphinx_gallery_thumbnail_path = 'images/from_conex.png'

STEPS, DT = 700, 0.5  # CoNeX's: dt in its own unit of time, here ms
HALFWAY = STEPS // 2
NEURON = 1  # the one whose v is drawn

# The input current, a row a step: on from 20 ms, slowly changing, different for each neuron.
TIME = np.arange(STEPS)[:, np.newaxis] * DT
LEVELS = (TIME >= 20) * (1 + 0.2 * np.sin(TIME / 30)) * np.array([1.8, 2.4, 3.2])


class Input(Behavior):
    """Hands the population its input current."""

    def forward(self, neurons: Population) -> None:
        neurons.I = torch.tensor(LEVELS[neurons.iteration - 1])


def conex_network() -> ConexNetwork:
    """Return a network of one population, as CoNeX's users write it."""
    # PymoNNtorch computes in single precision unless told otherwise.
    resolution = conex.prioritize_behaviors([conex.TimeResolution(dt=DT)])
    network = ConexNetwork(behavior=resolution, dtype=torch.float64)
    neuron = conex.AELIF(
        R=10.0, threshold=-37.0, tau=12.0, v_reset=-67.0, v_rest=-65.0, delta=2.0, theta_rh=-50.0,
        alpha=0.01, beta=0.2, w_tau=60.0, init_v=torch.full((3,), -65.0, dtype=torch.float64),
    )  # fmt: skip
    behaviors = {240: Input(), **conex.prioritize_behaviors([neuron, conex.Fire()])}
    Population(size=3, net=network, behavior=behaviors)
    network.initialize(info=False)
    return network


def run_brian2(
    neuron: AELIF, method: str, step: Quantity, start: int = 0
) -> tuple[StateMonitor, SpikeMonitor]:
    """Run the population in Brian2 with CoNeX's input from CoNeX's step ``start`` on."""
    current = TimedArray(LEVELS[start:], dt=DT * ms)
    group = neuron.group(I=current, method=method, dt=step)
    states = StateMonitor(group, ["v", "omega"], record=True, dt=max(step, 0.05 * ms))
    spikes = SpikeMonitor(group)
    Network(group, states, spikes).run((STEPS - start) * DT * ms)
    return states, spikes


def crossings(spikes: SpikeMonitor) -> list[np.ndarray]:
    """Return each neuron's spike times in ms; Brian2 stamps the start of a step, v is its end's."""
    return [np.asarray((t + spikes.source.dt) / ms) for t in spikes.spike_trains().values()]


def main(output: Path) -> None:
    """Run CoNeX, repeat it in Brian2, and measure both against a fine reference."""
    prefs.codegen.target = "numpy"  # compiling would take longer than these three neurons
    network = conex_network()
    (population,) = network.NeuronGroups
    models = {0: from_conex(population)}
    v, omega, raster = np.empty((3, 3, STEPS))
    for step in range(STEPS):
        if step == HALFWAY:
            models[step] = from_conex(population)
        v[:, step], omega[:, step] = population.v, population.omega  # as StateMonitor: before
        network.simulate_iteration()
        raster[:, step] = population.spikes
    times = np.arange(STEPS) * DT
    trains = {"CoNeX": [times[row == 1] + DT for row in raster]}

    runs = {at: run_brian2(neuron, "conex", DT * ms, at)[0] for at, neuron in models.items()}
    for start, ours in runs.items():
        of_v, of_omega = abs(ours.v - v[:, start:]).max(), abs(ours.omega - omega[:, start:]).max()
        print(f"difference from CoNeX from step {start} on: v {of_v:.1e}, omega {of_omega:.1e}")

    # A spike of CoNeX adds beta*dt to omega: a smaller dt would make it smaller. As a current, it
    # keeps the size that it has in CoNeX, and the model no longer depends on dt.
    neuron = models[0].replace(beta=models[0].beta * DT * ms)
    fine, spikes = run_brian2(neuron, "rk4", DT / 100 * ms)
    reference = crossings(spikes)
    for part in (1, 10):
        _, spikes = run_brian2(neuron, "rk4", DT / part * ms)
        trains[f"rk4, dt {DT / part:g} ms"] = crossings(spikes)
    print(f"reference (rk4, dt {DT / 100:g} ms): {[len(train) for train in reference]} spikes")
    lags = {}  # of the spikes that both have, the first with the first and so on
    for name, found in trains.items():
        pairs = zip(found, reference, strict=True)
        lags[name] = [a[: len(b)] - b[: len(a)] for a, b in pairs]
        off = np.abs(np.concatenate(lags[name]))
        counts = [len(train) for train in found]
        print(f"{name}: {counts} spikes, off by {off.mean():.2f} ms, at most {off.max():.2f} ms")

    figure, (trace, lag_axis) = plt.subplots(
        2, sharex=True, figsize=(8, 6), height_ratios=[1.5, 1], layout="constrained"
    )
    label = "rk4, a hundredth of the step"
    trace.plot(times, v[NEURON], color="0.75", lw=5, label="CoNeX")
    trace.plot(times, runs[0].v[NEURON], color="#0072B2", lw=1.4, label="Brian2, 'conex'")
    trace.plot(fine.t / ms, fine.v[NEURON], color="#D55E00", lw=1, label=label)
    trace.set(ylabel="v", ylim=(-70, -30))
    trace.legend(frameon=False, ncols=3, loc="upper left")
    colors = ["#0072B2", "#009E73", "#CC79A7"]
    for (name, of), color in zip(lags.items(), colors, strict=True):
        at = reference[NEURON][: len(of[NEURON])]
        lag_axis.plot(at, of[NEURON], "o-", color=color, ms=4, lw=1, label=name)
    lag_axis.axhline(0, color="black", lw=0.8)
    lag_axis.set(xlabel="time (ms)", ylabel="a spike's lag (ms)", xlim=(0, STEPS * DT))
    lag_axis.legend(frameon=False, loc="upper left")
    for axis in (trace, lag_axis):
        axis.spines[["top", "right"]].set_visible(False)
    output.mkdir(parents=True, exist_ok=True)
    figure.savefig(output / "from_conex.png", dpi=110)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--output", type=Path, default=Path(sys.argv[0]).parent / "output")
    main(parser.parse_args().output)
