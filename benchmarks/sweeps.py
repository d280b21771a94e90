"""Sweeps against building for each point, one process against two, and the vectorised way.

A recurrent network of 1,000 AELIF neurons, 200 ms at each of 200 points, in C++ standalone. Prints
seconds a point, their ratios, and whether all results are the same bit for bit; then what 10,000
points of a single AELIF neuron take as one group::

    python benchmarks/sweeps.py [--points 200] [--plain 3] [--repeats 3] [--dask]
"""

import argparse
import os
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from brian2 import (
    Equations,
    Mohm,
    Network,
    SpikeMonitor,
    Synapses,
    collect,
    device,
    ms,
    mV,
    nS,
    pA,
    run,
    second,
    seed,
    set_device,
)
from brian2.devices.device import reset_device

from conex_brian import AELIF, Experiment, build_cache, grid, neuron_grid, sweep
from conex_brian.devices import use_cpp
from timing import machine

NEURON = AELIF(
    R=100 * Mohm, threshold=-30 * mV, tau=15 * ms, v_reset=-60 * mV, v_rest=-68 * mV,
    delta=2 * mV, theta_rh=-50 * mV, alpha=1 * nS, beta=20 * pA, w_tau=100 * ms,
    init_v="v_reset + rand()*8*mV",
)  # fmt: skip
INPUT = Equations("""
    I = I_ext + weight*(excitation - 5*inhibition) : amp
    dexcitation/dt = -excitation/(5*ms) : 1
    dinhibition/dt = -inhibition/(10*ms) : 1
    I_ext : amp (shared, constant)
    weight : amp (shared, constant)
""")
DURATION = 200 * ms


def network() -> Experiment:
    """Return the network and what is varied and observed."""
    group = NEURON.group(1000, I=INPUT, refractory=2 * ms)
    group.I_ext, group.weight = 220 * pA, 5 * pA
    excite = Synapses(group[:800], group, on_pre="excitation_post += 1", delay=1.5 * ms)
    inhibit = Synapses(group[800:], group, on_pre="inhibition_post += 1", delay=1.5 * ms)
    for synapses in (excite, inhibit):
        synapses.connect(p=0.1)
    spikes = SpikeMonitor(group)
    return Experiment(
        Network(collect()),
        DURATION,
        vary={"I_ext": group.I_ext, "weight": group.weight},
        observe={"spikes": lambda: spikes.num_spikes, "sum": lambda: sum(spikes.t / second)},
    )


def build() -> Experiment:
    """Return the same in C++ standalone."""
    use_cpp()
    return network()


def plain(point: dict[str, Any]) -> None:
    """Run one point as Brian2 alone does: with a program of its own."""
    with tempfile.TemporaryDirectory() as folder:
        set_device("cpp_standalone", directory=folder)
        seed(1)
        experiment = network()
        for name, value in point.items():
            experiment.vary[name][:] = value
        experiment.network.run(experiment.duration)
        assert experiment.observe["spikes"]() > 0
        device.reinit()
        reset_device()


def seconds(work: Callable[[], Any]) -> tuple[float, Any]:
    """Return how long ``work`` took, and what it returned."""
    start = time.perf_counter()
    result = work()
    return time.perf_counter() - start, result


def grid_of_neurons(folder: str) -> tuple[float, int]:
    """Return what 10,000 neurons take for a second of their time, all included, and the spikes."""

    def work() -> int:
        use_cpp(directory=folder)
        bare = NEURON.replace(init_v=None)
        neurons, table = neuron_grid(
            bare, tau=np.linspace(8, 25, 100) * ms, I=np.linspace(150, 400, 100) * pA
        )
        group = neurons.group()
        spikes = SpikeMonitor(group, record=False)
        run(1 * second)
        table["rate"] = np.asarray(spikes.count)
        assert len(table) == 10_000
        return int(table["rate"].sum())

    took = seconds(work)
    device.reinit()
    reset_device()
    return took


def main(number: int, alone: int, repeats: int, dask: bool) -> None:
    """Measure, and print tables."""
    print(machine("brian2", "numpy", "conex_brian"), end="\n\n")
    points = grid(weight=np.linspace(1, 8, 10) * pA, I_ext=np.linspace(200, 400, number // 10) * pA)
    with ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        os.environ[build_cache.DIRECTORY_VARIABLE] = str(Path(folder, "cache"))
        first, table = seconds(lambda: sweep(build, points, progress=False))
        chosen = points[:: max(len(points) // max(alone, 1), 1)][:alone]
        each = [seconds(lambda point=point: plain(point))[0] for point in chosen]
        print(f"{len(points)} points, {table['spikes'].mean():.0f} spikes on average\n")
        print("| | s in all | s a point |\n| --- | --- | --- |")
        if each:
            print(f"| a program for each point ({alone} points) | | {median(each):.2f} |")
        print(
            f"| sweep, this process, nothing in the cache | {first:.1f} "
            f"| {first / len(points):.3f} |"
        )
        ways: dict[str, Any] = {"this process": None, "1 worker": 1, "2 workers": 2}
        times: dict[str, list[float]] = {name: [] for name in ways}
        alike = True
        for turn in range(repeats):
            for name in list(ways)[:: -1 if turn % 2 else 1]:
                took, found = seconds(lambda name=name: sweep(
                    build, points, executor=ways[name], progress=False
                ))  # fmt: skip
                times[name].append(took)
                alike &= found.equals(table)
        for name, taken in times.items():
            print(f"| sweep, {name} | {median(taken):.1f} | {median(taken) / len(points):.3f} |")
        if dask:
            from distributed import Client, LocalCluster

            cluster = stack.enter_context(
                LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None)
            )
            client = stack.enter_context(Client(cluster))
            took, found = seconds(
                lambda: sweep(build, points, executor=client.get_executor(), progress=False)
            )
            print(f"| sweep, Dask with 2 workers | {took:.1f} | {took / len(points):.3f} |")
            alike &= found.equals(table)
        print()
        if each:
            print(f"one build for all: {median(each) / (first / len(points)):.0f} times as fast")
        pairs = [one / two for one, two in zip(times["1 worker"], times["2 workers"], strict=True)]
        print(f"two workers: {median(pairs):.2f} times as fast as one ({min(pairs):.2f} to "
              f"{max(pairs):.2f})")  # fmt: skip
        print(f"the same bits in all of them: {'yes' if alike else 'NO'}\n")
        for cache in ("nothing in the cache", "program in the cache"):
            took, count = grid_of_neurons(str(Path(folder, cache.split()[0])))
            print(f"10,000 single neurons, 1 s, {cache}: {took:.1f} s, {count} spikes")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--points", type=int, default=200)
    parser.add_argument("--plain", type=int, default=3)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--dask", action="store_true")
    arguments = parser.parse_args()
    main(arguments.points, arguments.plain, arguments.repeats, arguments.dask)
