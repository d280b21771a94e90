"""conex_brian against CoNeX itself: the time of a step, and the spikes.

CoNeX runs in torch as its users run it, in single precision, with one thread and with two;
conex_brian as a C++ standalone program in double precision with one thread, once with
``method='conex'`` (CoNeX's own step) and once with ``'rk4'``. All start from the same membrane
potentials and get the same currents, one a neuron. Each measurement is a process of its own, taken
in turns. Prints the machine and a table in Markdown; without ``cnrl-conex`` its rows are left out::

    python benchmarks/against_conex.py [--neurons 10000 1000000] [--repeats 5]

(Not ``conex.py``: a script of that name would be what ``import conex`` finds.)
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from brian2 import NeuronGroup, ms, prefs

from conex_brian import AELIF, LIF
from timing import VECTOR_EXP, WARM_UP, Measure, alternate, build, machine, seconds, spikes

sys.path.append(str(Path(__file__).parents[1] / "tests"))
from live_conex import load_conex, missing_packages

MODELS: dict[str, type[LIF]] = {"LIF": LIF, "AELIF": AELIF}
VALUES = {
    "R": 10.0, "threshold": -40.0, "tau": 12.0, "v_reset": -67.0, "v_rest": -65.0, "delta": 2.0,
    "theta_rh": -50.0, "alpha": 0.01, "beta": 0.2, "w_tau": 60.0,
}  # fmt: skip
UNITS = {"tau": ms, "w_tau": ms, "beta": 1 / ms}
CURRENTS = {"LIF": (2.2, 3.2), "AELIF": (1.4, 3.2)}
DT = 0.5  # ms

# torch gives large tensors back to the system and asks for them again in each step, unless malloc
# keeps them. Left alone, AELIF with a million neurons takes 8 or 40 ns, as chance has it.
KEEP_MEMORY = {
    "MALLOC_MMAP_THRESHOLD_": str(32 * 2**20),  # the most that glibc takes; a larger one is ignored
    "MALLOC_TRIM_THRESHOLD_": str(8 * 2**30),
    "MALLOC_TOP_PAD_": str(256 * 2**20),
}


def parameters(model: str) -> dict[str, float]:
    """Return the model's parameters as CoNeX's numbers: times in ms, all else without a unit."""
    return {name: VALUES[name] for name in MODELS[model].parameter_names()}


def start(model: str, neurons: int) -> tuple[np.ndarray, np.ndarray]:
    """Return each neuron's initial v and its current."""
    rng = np.random.default_rng(1)
    return rng.uniform(-67, -52, neurons), rng.uniform(*CURRENTS[model], neurons)


def steps_of(neurons: int) -> int:
    """Return how many steps to time: enough to last, at most 1 s of the neurons' time."""
    return int(np.clip(1e8 / neurons, 50, 2000))


def by_library(model: str, neurons: int, method: str) -> NeuronGroup:
    """Return the population in Brian2."""
    init_v, current = start(model, neurons)
    values = {name: value * UNITS.get(name, 1.0) for name, value in parameters(model).items()}
    return MODELS[model](**values, init_v=init_v).group(I=current, method=method)


def conex_network(model: str, neurons: int) -> Any:
    """Return the population in CoNeX, in an initialised network."""
    import torch
    from pymonntorch import Behavior, Network
    from pymonntorch import NeuronGroup as Population

    conex = load_conex()
    init_v, current = (torch.tensor(a, dtype=torch.float32) for a in start(model, neurons))

    class Input(Behavior):
        def initialize(self, neurons: Any) -> None:
            neurons.I = current

    network = Network(behavior=conex.prioritize_behaviors([conex.TimeResolution(dt=DT)]))
    neuron = getattr(conex, model)(**parameters(model), init_v=init_v)
    behaviors = {240: Input(), **conex.prioritize_behaviors([neuron, conex.Fire()])}
    Population(size=neurons, net=network, behavior=behaviors)
    network.initialize(info=False)
    return network


def time_conex(model: str, neurons: int, threads: int) -> None:
    """Run CoNeX in this process; print the seconds of the timed steps, and the spikes of all."""
    import torch

    torch.set_num_threads(threads)
    steps = steps_of(neurons)
    with torch.no_grad():
        network = conex_network(model, neurons)
        network.simulate_iterations(WARM_UP, measure_block_time=False)
        started = time.perf_counter()
        network.simulate_iterations(steps, measure_block_time=False)
        elapsed = time.perf_counter() - started
        # Again from the start, to count: CoNeX keeps no count, and counting would take time.
        network = conex_network(model, neurons)
        count = 0
        for _ in range(WARM_UP + steps):
            network.simulate_iteration()
            count += int(network.NeuronGroups[0].spikes.sum())
    print(elapsed, count)


def run_conex(model: str, neurons: int, threads: int) -> tuple[float, int]:
    """Run CoNeX in a fresh process; return the seconds of its timed steps, and all spikes."""
    command = [sys.executable, __file__, "--conex", model, str(neurons), str(threads)]
    done = subprocess.run(
        command, env={**os.environ, **KEEP_MEMORY}, capture_output=True, text=True, check=True
    )
    elapsed, count = done.stdout.split()[-2:]
    return float(elapsed), int(count)


def main(sizes: list[int], repeats: int) -> None:
    """Measure both models at all sizes, and print a table."""
    prefs.codegen.cpp.extra_compile_args_gcc += VECTOR_EXP
    missing = missing_packages()
    packages = ["brian2", "numpy", "conex_brian"]
    if missing:
        print(f"CoNeX is left out, which needs {', '.join(missing)}: pip install cnrl-conex\n")
    else:
        packages += ["cnrl-conex", "pymonntorch", "torch"]
    print(f"{machine(*packages)}\n\nMedians of {repeats}, dt {DT} ms.\n")
    print("| model | neurons | program | ns a neuron and step | spikes | Hz |")
    print("| --- | --- | --- | --- | --- | --- |", flush=True)
    for model in MODELS:
        for neurons in sizes:
            steps = steps_of(neurons)
            with tempfile.TemporaryDirectory() as folder:
                measures: dict[str, Measure] = {}
                for threads in () if missing else (1, 2):
                    name = f"CoNeX, {threads} thread{'s' * (threads > 1)}"
                    measures[name] = partial(run_conex, model, neurons, threads)
                for method in ("conex", "rk4"):
                    make = partial(by_library, model, neurons, method)
                    program = build(Path(folder) / method, make, steps, DT * ms)
                    measures[f"conex_brian, '{method}'"] = program.run
                for name, found in alternate(measures, repeats).items():
                    each = 1e9 * seconds(found) / neurons / steps
                    rate = spikes(found) / neurons / ((WARM_UP + steps) * DT * 1e-3)
                    print(
                        f"| {model} | {neurons} | {name} | {each:.2f} | {spikes(found)} "
                        f"| {rate:.1f} |",
                        flush=True,
                    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--neurons", type=int, nargs="+", default=[10_000, 1_000_000])
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--conex", nargs=3, help=argparse.SUPPRESS)  # one measurement, see above
    given = parser.parse_args()
    if given.conex:
        name, neurons, threads = given.conex
        time_conex(name, int(neurons), int(threads))
    else:
        main(given.neurons, given.repeats)
