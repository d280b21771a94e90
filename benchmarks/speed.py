"""How fast a step is: conex_brian, the same equations by hand, a fused C++ loop, CoNeX, NEST.

LIF, ELIF and AELIF from 1,000 to 10,000,000 neurons, the same neurons and currents everywhere, dt
0.1 ms. Every program is built first; then they run in turns. Prints the machine and tables in
Markdown, writes ``speed.json`` beside this file, and draws ``docs/images/speed.png``::

    python benchmarks/speed.py [--directory DIR] [--nest PYTHON] [--repeats 5]
    python benchmarks/speed.py --draw

``--directory`` keeps the programs for the next time, and the measurements, which then count too.
CoNeX is measured where it is installed, NEST with a Python that has ``nest-simulator``. The second
only draws.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import partial
from itertools import product
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from brian2 import Mohm, NeuronGroup, ms, mV, nA, prefs, uS

from conex_brian import AELIF, ELIF, LIF, compilers
from conex_brian.dimensions import unit_text
from timing import WARM_UP, Measure, Program, alternate, build, machine, seconds, spikes

MODELS: dict[str, type[LIF]] = {"LIF": LIF, "ELIF": ELIF, "AELIF": AELIF}
# mV, ms, Mohm, nA, uS: the numbers that CoNeX gets too.
VALUES = {
    "R": 10.0, "threshold": -40.0, "tau": 12.0, "v_reset": -67.0, "v_rest": -65.0, "delta": 2.0,
    "theta_rh": -50.0, "alpha": 0.01, "beta": 0.02, "w_tau": 60.0,
}  # fmt: skip
UNITS = {
    "R": Mohm, "threshold": mV, "tau": ms, "v_reset": mV, "v_rest": mV, "delta": mV,
    "theta_rh": mV, "alpha": uS, "beta": nA, "w_tau": ms,
}  # fmt: skip
DT = 0.1  # ms

#: Initial membrane potentials in mV of a thousand neurons that are repeated, spread over their way
#: from the reset to the spike, so that some are always about to spike; `currents` are in nA.
SETS = np.random.default_rng(1).uniform(-67, -40.5, 1000)

SIZES = (10**3, 10**4, 10**5, 10**6, 10**7)
MANY = 10**6
MAIN = {"LIF": "exact", "ELIF": "rk4", "AELIF": "rk4"}
OTHERS = {"LIF": (), "ELIF": ("rk2", "euler"), "AELIF": ("rk2", "euler")}
NEST = {"LIF": "iaf_psc_delta", "AELIF": "aeif_psc_exp"}
NEST_NEURONS = 10**5

#: After a method's name: every neuron has parameters of its own.
OWN = ", own values"

OURS, PRECISE, TWO = "conex_brian", "conex_brian, precise", "conex_brian, 2 threads"
SINGLE = "conex_brian, single precision"
BY_HAND, BY_HAND_FAST, FUSED = "by hand", "by hand, our compiler flags", "fused loop"
CONEX, CONEX_TWO, NEST_NAME = "CoNeX", "CoNeX, 2 threads", "NEST"
CONEX_PLAIN = "CoNeX, malloc as it is"

EQUATIONS = {
    "LIF": "dv/dt = (v_rest - v + R*I)/tau : volt",
    "ELIF": """\
dv/dt = (v_rest - v_in + delta*exp((v_in - theta_rh)/delta) + R*I)/tau : volt
v_in = clip(v, -inf*volt, threshold) : volt""",
    "AELIF": """\
dv/dt = (v_rest - v_in + delta*exp((v_in - theta_rh)/delta) + R*I - R*omega)/tau : volt
domega/dt = (alpha*(v_in - v_rest) - omega)/w_tau : amp
v_in = clip(v, -inf*volt, threshold) : volt""",
}

# torch gives large tensors back to the system and asks for them again in each step, unless malloc
# keeps them. Left alone, AELIF with a million neurons takes 8 or 40 ns, as chance has it.
KEEP_MEMORY = {
    "MALLOC_MMAP_THRESHOLD_": str(32 * 2**20),  # the most that glibc takes; a larger one is ignored
    "MALLOC_TRIM_THRESHOLD_": str(8 * 2**30),
    "MALLOC_TOP_PAD_": str(256 * 2**20),
}

# Okabe and Ito's colours, and a marker and a line for who sees no colours.
STYLES: dict[str, dict[str, Any]] = {
    BY_HAND: {"color": "#D55E00", "marker": "s", "ls": "--"},
    OURS: {"color": "#0072B2", "marker": "o", "ls": "-"},
    PRECISE: {"color": "#56B4E9", "marker": "D", "ls": "-", "mfc": "white"},
    SINGLE: {"color": "#0072B2", "marker": "v", "ls": "", "mfc": "white", "ms": 8},
    TWO: {"color": "#0072B2", "marker": "^", "ls": "", "mfc": "white", "ms": 8},
    FUSED: {"color": "#000000", "marker": ".", "ls": ":"},
    CONEX: {"color": "#009E73", "marker": "x", "ls": "", "ms": 8, "mew": 2},
    NEST_NAME: {"color": "#CC79A7", "marker": "P", "ls": "", "ms": 8},
}


@dataclass(frozen=True)
class Row:
    """One measurement: the median, in nanoseconds a neuron and step, and the spikes."""

    model: str
    method: str
    neurons: int
    program: str
    nanoseconds: float
    spikes: int


def currents(model: str) -> np.ndarray:
    """Return the currents of the thousand neurons in nA."""
    lowest = 2.2 if model == "LIF" else 1.4
    return np.random.default_rng(2).uniform(lowest, 3.2, len(SETS))


def tiled(values: np.ndarray, neurons: int) -> np.ndarray:
    """Return ``values`` again and again, for so many neurons."""
    return np.resize(values, neurons)


def steps_of(neurons: int) -> int:
    """Return how many steps to time: enough to last, not more than anybody waits for."""
    return int(np.clip(5e7 / neurons, 20, 20_000))


def parameters(model: str, neurons: int, own: bool) -> dict[str, Any]:
    """Return the model's parameters, all shared or all with one value a neuron."""
    spread = np.linspace(1, 1.001, neurons) if own else 1
    return {name: VALUES[name] * UNITS[name] * spread for name in MODELS[model].parameter_names()}


def by_library(model: str, method: str, neurons: int, spike_timing: str = "grid") -> NeuronGroup:
    """Return the group that conex_brian makes."""
    values = parameters(model, neurons, method.endswith(OWN))
    neuron = MODELS[model](**values, init_v=tiled(SETS, neurons) * mV)
    current = tiled(currents(model), neurons) * nA
    return neuron.group(I=current, method=method.removesuffix(OWN), spike_timing=spike_timing)


def by_hand(model: str, method: str, neurons: int) -> NeuronGroup:
    """Return the group as a careful Brian2 user types it, with the same bounded exponential."""
    adapts = "\nomega += beta" if model == "AELIF" else ""
    values = parameters(model, neurons, method.endswith(OWN))
    own = values if method.endswith(OWN) else {}
    lines = [f"{name} : {unit_text(value.dim)} (constant)" for name, value in own.items()]
    group = NeuronGroup(
        neurons,
        "\n".join([EQUATIONS[model], "I : amp", *lines]),
        threshold="v >= threshold",
        reset=f"v = v_reset{adapts}",
        method=method.removesuffix(OWN),
        namespace={} if own else values,
    )
    for name, value in own.items():
        setattr(group, name, value)
    group.v = tiled(SETS, neurons) * mV
    group.I = tiled(currents(model), neurons) * nA
    return group


def built(place: Path, make: Callable[[], NeuronGroup], steps: int, **options: Any) -> Program:
    """Build a program, or take what an earlier call has built there."""
    stored = place / "program.json"
    if stored.exists():
        return Program(place, Path(json.loads(stored.read_text())))
    print(f"building {place.name}", file=sys.stderr, flush=True)
    program = build(place, make, steps, DT * ms, **options)
    stored.write_text(json.dumps(str(program.counts)))
    return program


def fused(folder: Path) -> Callable[[str, str, int], Measure]:
    """Compile the fused loop as our programs are; return what makes a measurement of it."""
    program = folder / "fused"
    flags = compilers.choose(prefs.codegen.cpp.extra_compile_args_gcc).checked
    source = Path(__file__).with_name("fused.cpp")
    subprocess.run(["g++", *(flags or ()), str(source), "-o", str(program)], check=True)

    def measurement(model: str, method: str, neurons: int) -> Measure:
        data = folder / f"fused_{model}"
        numbers = [DT, *(VALUES[name] for name in UNITS), len(SETS), *SETS, *currents(model)]
        np.array(numbers, dtype=float).tofile(data)
        counts = (neurons, WARM_UP, steps_of(neurons))
        return partial(printed, [str(program), model, method, *map(str, counts), str(data)])

    return measurement


def printed(command: list[str], **environment: str) -> tuple[float, int]:
    """Run a command that prints seconds and spikes, and return them."""
    done = subprocess.run(
        command, env={**os.environ, **environment}, capture_output=True, text=True, check=True
    )
    elapsed, count = done.stdout.split()[-2:]
    return float(elapsed), int(count)


def conex(model: str, neurons: int, threads: int, keep_memory: bool = True) -> Measure:
    """Return a measurement of CoNeX."""
    script = Path(__file__).with_name("conex_run.py")
    numbers = map(str, (neurons, threads, steps_of(neurons)))
    environment = KEEP_MEMORY if keep_memory else {}
    return partial(printed, [sys.executable, str(script), model, *numbers], **environment)


def nest(python: str, folder: Path, model: str) -> Measure:
    """Return a measurement of NEST, with the model that is nearest."""
    p = {name: VALUES[name] for name in VALUES}
    p |= {"Ra": VALUES["R"] * VALUES["alpha"], "Rb": VALUES["R"] * VALUES["beta"]}
    sets = [
        {**p, "v0": float(v0), "RI": VALUES["R"] * float(current)}
        for v0, current in zip(SETS, currents(model), strict=True)
    ]
    steps = steps_of(NEST_NEURONS)
    task = {
        "model": NEST[model], "sets": sets, "R": VALUES["R"], "neurons": NEST_NEURONS, "dt": DT,
        "duration": (WARM_UP + steps) * DT, "warm_up": WARM_UP * DT, "tolerance": None,
        "record": False,
    }  # fmt: skip
    place = folder / f"nest_{model}.json"
    place.write_text(json.dumps(task))
    script = Path(__file__).with_name("nest_run.py")

    def measure() -> tuple[float, int]:
        command = [python, str(script), str(place)]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        found = json.loads(done.stdout.splitlines()[-1])
        return found["seconds"], found["spikes"]

    return measure


Key = tuple[str, str, int, str]


def measurements(folder: Path, python: str | None) -> dict[Key, Measure]:
    """Build everything, and return what measures each row."""
    found: dict[Key, Measure] = {}
    of_loop = fused(folder)
    cases = [(model, method, n) for model, method in MAIN.items() for n in SIZES]
    cases += [(model, method, MANY) for model, methods in OTHERS.items() for method in methods]
    cases += [(model, method + OWN, 10**5) for model, method in MAIN.items()]
    for model, method, neurons in cases:
        steps = steps_of(neurons)
        variants: dict[str, tuple[Callable[[], NeuronGroup], dict[str, Any]]] = {
            OURS: (partial(by_library, model, method, neurons), {}),
            BY_HAND: (partial(by_hand, model, method, neurons), {"vectorised": False}),
        }
        if method == MAIN[model] and neurons in (10**4, MANY):
            make = partial(by_library, model, method, neurons, "precise")
            variants[PRECISE] = (make, {})
            variants[SINGLE] = (variants[OURS][0], {"single": True})
        if method == MAIN[model] and neurons == MANY:
            variants[BY_HAND_FAST] = (variants[BY_HAND][0], {})
            variants[TWO] = (variants[OURS][0], {"threads": 2})
        for program, (make, options) in variants.items():
            place = folder / f"{model}_{method}_{neurons}_{program}".replace(", ", "_").replace(
                " ", "_"
            )
            one = built(place, make, steps, **options)
            found[model, method, neurons, program] = one.run
        if not method.endswith(OWN):
            found[model, method, neurons, FUSED] = of_loop(model, method, neurons)
    sys.path.append(str(Path(__file__).parents[1] / "tests"))
    from live_conex import missing_packages

    missing = missing_packages()
    if missing:
        print(f"CoNeX is left out, which needs {', '.join(missing)}: pip install cnrl-conex\n")
    else:
        for model, neurons in product(MODELS, (10**4, MANY)):
            found[model, "conex", neurons, CONEX] = conex(model, neurons, 1)
            if neurons == MANY:
                found[model, "conex", neurons, CONEX_TWO] = conex(model, neurons, 2)
                found[model, "conex", neurons, CONEX_PLAIN] = conex(model, neurons, 1, False)
            make = partial(by_library, model, "conex", neurons)
            for program, options in {OURS: {}, SINGLE: {"single": True}}.items():
                place = folder / f"{model}_conex_{neurons}{'_single' if options else ''}"
                one = built(place, make, steps_of(neurons), **options)
                found[model, "conex", neurons, program] = one.run
    if python is not None:
        for model, name in NEST.items():
            found[model, name, NEST_NEURONS, NEST_NAME] = nest(python, folder, model)
    return found


def memory(folder: Path) -> dict[str, float]:
    """Return the bytes a neuron that LIF programs take, beyond what they take without neurons."""
    few, many = 10**5, 10**7
    found = {}
    for timing in ("grid", "precise"):
        peaks = []
        for neurons in (few, many):

            def make(neurons: int = neurons, timing: str = timing) -> NeuronGroup:
                names = LIF.parameter_names()
                values = {name: VALUES[name] * UNITS[name] for name in names}
                start = "v_reset + rand()*(threshold - v_reset)"
                return LIF(**values, init_v=start).group(neurons, 2.7 * nA, spike_timing=timing)

            peaks.append(built(folder / f"memory_{timing}_{neurons}", make, 20).peak_memory())
        found[timing] = (peaks[1] - peaks[0]) / (many - few)
    return found


BUILD = """
import time
started = time.perf_counter()
import brian2
from brian2 import *
brian = time.perf_counter() - started
started = time.perf_counter()
import conex_brian
library = time.perf_counter() - started
from conex_brian import AELIF
from conex_brian.devices import use_cpp
use_cpp(build_on_run=False)
group = AELIF(R={R}*Mohm, threshold=-40*mV, tau=12*ms, v_reset=-67*mV, v_rest=-65*mV, delta=2*mV,
              theta_rh=-50*mV, alpha=10*nS, beta=20*pA, w_tau=60*ms).group(100, I=2*nA)
monitor = SpikeMonitor(group)
run(10*ms)
started = time.perf_counter()
device.build(run=False)
print(brian, library, time.perf_counter() - started)
"""


def builds(repeats: int) -> dict[str, float]:
    """Return the seconds of importing, of a cold build, and of a warm one with other values."""
    found: dict[str, list[float]] = {"brian2": [], "library": [], "cold": [], "warm": []}
    for one in range(repeats):
        with tempfile.TemporaryDirectory() as cache:
            for kind in ("cold", "warm"):
                value = 10 + one if kind == "cold" else 20 + one
                done = subprocess.run(
                    [sys.executable, "-c", BUILD.format(R=value)],
                    env={**os.environ, "CONEX_BRIAN_CACHE": cache},
                    capture_output=True,
                    text=True,
                    check=True,
                )
                brian, library, build_time = map(float, done.stdout.split()[-3:])
                found["brian2"].append(brian)
                found["library"].append(library)
                found[kind].append(build_time)
    return {name: median(times) for name, times in found.items()}


def measure(folder: Path, python: str | None, repeats: int) -> dict[str, Any]:
    """Measure everything and return it, ready for JSON."""
    ready = measurements(folder, python)
    bytes_a_neuron = memory(folder)
    print(f"measuring {len(ready)} programs, {repeats} times each", file=sys.stderr, flush=True)
    runs = alternate(ready, repeats)
    earlier = folder / "runs.json"
    if earlier.exists():
        for key, found in json.loads(earlier.read_text()):
            runs[tuple(key)] += [tuple(one) for one in found]
    earlier.write_text(json.dumps(list(runs.items())))
    rows = [
        Row(*key, 1e9 * seconds(found) / key[2] / steps_of(key[2]), spikes(found))
        for key, found in runs.items()
    ]
    packages = ["brian2", "numpy", "conex_brian"]
    packages += ["cnrl-conex", "torch"] if any(row.program == CONEX for row in rows) else []
    return {
        "machine": machine(*packages),
        "repeats": min(map(len, runs.values())),
        "rows": [asdict(row) for row in rows],
        "memory": bytes_a_neuron,
        "builds": builds(3),
    }


def table(results: dict[str, Any]) -> str:
    """Return the results as Markdown; ratios are to conex_brian, or to its main method."""
    rows = [Row(**row) for row in results["rows"]]
    ours = {(r.model, r.method, r.neurons): r.nanoseconds for r in rows if r.program == OURS}
    lines = [
        results["machine"],
        f"\nMedians of {results['repeats']}, dt {DT} ms.\n",
        "| model | method | neurons | program | ns a neuron and step | to conex_brian | spikes |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    for r in sorted(rows, key=lambda r: (list(MODELS).index(r.model), r.method, r.neurons)):
        own = ours.get(
            (r.model, r.method, r.neurons), ours.get((r.model, MAIN[r.model], r.neurons))
        )
        ratio = "" if own is None else f"{r.nanoseconds / own:.2f}"
        lines.append(
            f"| {r.model} | {r.method} | {r.neurons} | {r.program} | {r.nanoseconds:.2f} | {ratio} "
            f"| {r.spikes} |"
        )
    grid, precise = results["memory"]["grid"], results["memory"]["precise"]
    b = results["builds"]
    return "\n".join(lines) + (
        f"\n\nMemory of LIF, bytes a neuron: {grid:.1f}; with precise spikes {precise:.1f}."
        f"\n\nAELIF built anew: {b['cold']:.2f} s; in another process with other values: "
        f"{b['warm']:.2f} s ({b['warm'] / b['cold']:.3f}). Importing Brian2: {b['brian2']:.2f} s, "
        f"conex_brian after it: {b['library']:.3f} s.\n"
    )


def draw(results: dict[str, Any], path: Path) -> None:
    """Draw the time of a step against the number of neurons."""
    import matplotlib.pyplot as plt

    rows = [Row(**row) for row in results["rows"]]
    figure, axes = plt.subplots(1, 3, figsize=(10, 4.2), sharey=True, layout="constrained")
    for axis, model in zip(axes, MODELS, strict=True):
        for program, style in STYLES.items():
            # CoNeX and NEST have one method each.
            own = program in (CONEX, NEST_NAME)
            mine = [r for r in rows if r.model == model and r.program == program]
            mine = sorted(
                (r for r in mine if own or r.method == MAIN[model]), key=lambda r: r.neurons
            )
            if mine:
                x, y = [r.neurons for r in mine], [r.nanoseconds for r in mine]
                axis.plot(x, y, label=program, **style)
        axis.set(xscale="log", yscale="log", xlabel="neurons", title=f"{model}, {MAIN[model]}")
        axis.grid(which="major", color="0.9")
        axis.spines[["top", "right"]].set_visible(False)
    axes[0].set_ylabel("time, ns a neuron and step")
    handles, labels = axes[2].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=4, frameon=False)
    figure.savefig(path, dpi=110)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--directory", type=Path, help="keeps the programs for the next time")
    parser.add_argument("--nest", metavar="PYTHON", help="a Python with nest-simulator")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--draw", action="store_true", help="only draw what was measured")
    given = parser.parse_args()
    stored = Path(__file__).with_name("speed.json")
    if not given.draw:
        with tempfile.TemporaryDirectory() as temporary:
            folder = (given.directory or Path(temporary)).absolute()
            folder.mkdir(parents=True, exist_ok=True)
            stored.write_text(
                json.dumps(measure(folder, given.nest, given.repeats), indent=1) + "\n"
            )
    results = json.loads(stored.read_text())
    print(table(results))
    draw(results, Path(__file__).parents[1] / "docs" / "images" / "speed.png")
