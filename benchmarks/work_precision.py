"""Work and precision: what a spike-time error costs, on the grid, with exact spikes, and in NEST.

Heterogeneous AELIF neurons of both bifurcations, some of them bursting, are simulated with every
method, timing and time step. The error is the largest of all spikes of a neuron, against DOP853
with event location; the time is that of a C++ standalone program with one thread. With
``--nest PYTHON``, a Python that has ``nest-simulator``, NEST's ``aeif_psc_exp`` is measured too.
Prints the machine and a table in Markdown, and writes results and picture::

    python benchmarks/work_precision.py [--nest PYTHON] [--neurons 2400] [--repeats 5]
    python benchmarks/work_precision.py --draw work_precision.json

The second draws the picture again from the results, without measuring.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from brian2 import NeuronGroup, ms
from matplotlib.axes import Axes

from timing import WARM_UP, Program, alternate, build, machine, seconds

sys.path.append(str(Path(__file__).parents[1] / "tests"))
from neurons import adaptive_model, random_adaptive
from reference import exponential_spike_times

SETS = random_adaptive(24, seed=11)
METHODS, TIMINGS = ("euler", "rk2", "rk4"), ("grid", "precise")
STEPS = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0)  # ms
NEST = "NEST aeif_psc_exp"
TOLERANCES = (None, 1e-9)  # of NEST's own integrator; None: its default, 1e-6
LIBRARY = "conex_brian"

# Okabe and Ito's colours, and a marker and a line for who sees no colours.
STYLES: dict[tuple[str, str], dict[str, Any]] = {
    ("euler", "grid"): {"color": "#D55E00", "marker": "o", "ls": "--", "mfc": "white"},
    ("rk2", "grid"): {"color": "#0072B2", "marker": "s", "ls": "--", "mfc": "white"},
    ("rk4", "grid"): {"color": "#009E73", "marker": "D", "ls": "--", "mfc": "white"},
    ("euler", "precise"): {"color": "#D55E00", "marker": "o", "ls": "-"},
    ("rk2", "precise"): {"color": "#0072B2", "marker": "s", "ls": "-"},
    ("rk4", "precise"): {"color": "#009E73", "marker": "D", "ls": "-"},
    ("default", NEST): {"color": "#000000", "marker": "x", "ls": ":"},
    ("1e-09", NEST): {"color": "#CC79A7", "marker": "+", "ls": "-.", "ms": 9},
}


@dataclass
class Row:
    """One measurement.

    Attributes
    ----------
    method, timing : str
        For NEST, the tolerance and NEST's name.
    dt : float
        The time step in ms.
    median, largest : float
        Median and maximum, over the neurons, of the largest error of a neuron's spikes in ms.
    missing : int
        Spikes of the reference less those found, all neurons together.
    microseconds : float
        Time for a neuron and a second of simulated time.
    """

    method: str
    timing: str
    dt: float
    median: float
    largest: float
    missing: int
    microseconds: float


def errors(got: list[np.ndarray], wanted: list[np.ndarray]) -> tuple[float, float, int]:
    """Return what `Row` says of errors. Spikes are compared one by one, from the first on.

    A neuron that misses all of its spikes has an infinite error.
    """
    each = []
    for a, b in zip(got, wanted, strict=True):
        n = min(len(a), len(b))
        each.append(np.abs(np.asarray(a)[:n] - b[:n]).max() if n else np.inf)
    missing = sum(map(len, wanted)) - sum(map(len, got))
    return float(np.median(each)), float(np.max(each)), missing


def make_group(method: str, timing: str, neurons: int) -> NeuronGroup:
    """Return the neurons: the sets one after the other, again and again."""
    many = [SETS[k % len(SETS)] for k in range(neurons)]
    model, current = adaptive_model(many)
    return model.group(I=current, method=method, spike_timing=timing, name="neurons")


def measure_nest(
    python: str, folder: Path, dt: float, tolerance: float | None, neurons: int, duration: float
) -> Callable[[], tuple[float, int]]:
    """Return a measurement of NEST, a process of its own; it leaves the spike times in a file."""
    task = folder / f"nest_{dt}_{tolerance}.json"
    given = {"model": "aeif_psc_exp", "sets": SETS, "R": 80.0, "neurons": neurons, "dt": dt}
    given |= {"duration": duration, "warm_up": 0.0, "tolerance": tolerance, "record": True}
    task.write_text(json.dumps(given))

    def measure() -> tuple[float, int]:
        script = Path(__file__).with_name("nest_run.py")
        command = [python, str(script), str(task)]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        line = done.stdout.splitlines()[-1]
        task.with_suffix(".found").write_text(line)
        found = json.loads(line)
        return found["seconds"], sum(map(len, found["times"]))

    return measure


def measure(
    neurons: int, repeats: int, duration: float, python: str | None, nest_neurons: int
) -> dict[str, Any]:
    """Measure everything and return it, ready for JSON."""
    wanted = [exponential_spike_times(one, duration) for one in SETS]
    rows, version = [], None
    with tempfile.TemporaryDirectory() as folder:
        programs: dict[tuple[str, str, float], Program] = {}
        for timing in TIMINGS:
            for method in METHODS:
                for dt in STEPS:
                    print(f"building {timing}, {method}, {dt} ms", file=sys.stderr, flush=True)
                    # In one place, so that only what differs is compiled anew.
                    program = build(
                        Path(folder) / f"{timing}_{method}",
                        partial(make_group, method, timing, neurons),
                        round(duration / dt) - WARM_UP,
                        dt * ms,
                        recorded=len(SETS),
                    )
                    copy = Path(folder) / f"{timing}_{method}_{dt}"
                    programs[method, timing, dt] = program.copied(copy)
        measures: dict[Any, Callable[[], tuple[float, int]]] = {
            key: program.run for key, program in programs.items()
        }
        if python is not None:
            for tolerance in TOLERANCES:
                name = "default" if tolerance is None else f"{tolerance:.0e}"
                for dt in STEPS:
                    measures[name, NEST, dt] = measure_nest(
                        python, Path(folder), dt, tolerance, nest_neurons, duration
                    )
        print(f"{len(measures)} programs, {repeats} times each", file=sys.stderr, flush=True)
        for (method, timing, dt), found in alternate(measures, repeats).items():
            if timing == NEST:
                tolerance = None if method == "default" else float(method)
                stored = Path(folder) / f"nest_{dt}_{tolerance}.found"
                task = json.loads(stored.read_text())
                got, version = task["times"], task["version"]
                each = seconds(found) / nest_neurons / duration
            else:
                got = programs[method, timing, dt].recorded(len(SETS))
                each = seconds(found) / neurons / (duration - WARM_UP * dt)
            rows.append(Row(method, timing, dt, *errors(got, wanted), 1e9 * each))
    return {
        "machine": machine("brian2", "numpy", LIBRARY) + (f", NEST {version}" if version else ""),
        "neurons": neurons,
        "nest_neurons": nest_neurons if python else 0,
        "sets": len(SETS),
        "spikes": sum(map(len, wanted)),
        "duration": duration,
        "repeats": repeats,
        "rows": [asdict(row) for row in rows],
    }


def print_table(results: dict[str, Any]) -> None:
    """Print the machine and a table in Markdown."""
    print(f"{results['machine']}\n")
    of_nest = f" (NEST: {results['nest_neurons']})" if results["nest_neurons"] else ""
    print(
        f"{results['sets']} parameter sets, {results['spikes']} spikes in "
        f"{results['duration']:g} ms; times with {results['neurons']} neurons{of_nest}, medians "
        f"of {results['repeats']}\n"
    )
    print(
        "| timing | method | dt, ms | error, ms: median | largest | spikes missing "
        "| µs a neuron and second |"
    )
    print("| --- | --- | --- | --- | --- | --- | --- |")
    for one in results["rows"]:
        row = Row(**one)
        print(
            f"| {row.timing} | {row.method} | {row.dt:g} | {row.median:.1e} | {row.largest:.1e} "
            f"| {row.missing} | {row.microseconds:.3g} |"
        )


def draw(results: dict[str, Any], path: Path) -> None:
    """Draw the picture: time against the error, median and largest."""
    rows = [Row(**one) for one in results["rows"]]
    plt.rcParams |= {"font.size": 9, "svg.fonttype": "none"}
    figure, both = plt.subplots(1, 2, sharey=True, figsize=(9, 5.2), layout="constrained")
    of = ("median of the neurons", "worst of the neurons")
    for axes, field, which in zip(both, ("median", "largest"), of, strict=True):
        for (method, timing), style in STYLES.items():
            mine = [row for row in rows if (row.method, row.timing) == (method, timing)]
            if mine:
                label = f"{timing}, " + (f"tolerance {method}" if timing == NEST else method)
                x, y = [getattr(row, field) for row in mine], [row.microseconds for row in mine]
                axes.plot(x, y, label=label, **{"ms": 5.5, "lw": 1.3, **style})
        mark_steps(axes, [row for row in rows if row.timing == "precise"], field)
        axes.set(xscale="log", yscale="log", title=which)
        axes.set_xlabel("largest spike-time error of a neuron (ms)")
        axes.grid(which="major", color="0.88", lw=0.6)
        axes.set_axisbelow(True)
        axes.spines[["top", "right"]].set_visible(False)
    both[0].set_ylabel("time for a neuron and simulated second (µs)")
    figure.suptitle(
        f"AELIF, {results['sets']} parameter sets, {results['duration']:g} ms; "
        f"points: dt {', '.join(f'{dt:g}' for dt in STEPS)} ms"
    )
    handles, labels = both[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=3, frameon=False)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=160)
    plt.close(figure)


def mark_steps(axes: Axes, rows: list[Row], field: str) -> None:
    """Write the time step beside some points of rk4 with exact spikes."""
    for row in rows:
        if row.method == "rk4" and row.dt in (0.01, 0.1, 1.0):
            axes.annotate(
                f"{row.dt:g} ms",
                (getattr(row, field), row.microseconds),
                xytext=(7, 3),
                textcoords="offset points",
                ha="left",
                va="bottom",
                color=STYLES["rk4", "precise"]["color"],
            )


if __name__ == "__main__":
    pictures = Path(__file__).parents[1] / "docs" / "images"
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--neurons", type=int, default=2400, help="in a program (24 sets)")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--duration", type=float, default=500, help="simulated time in ms")
    parser.add_argument("--nest", metavar="PYTHON", help="a Python that has nest-simulator")
    parser.add_argument("--nest-neurons", type=int, default=240, help="NEST takes long")
    parser.add_argument("--output", type=Path, default=pictures, help="folder of the picture")
    parser.add_argument("--results", type=Path, default=Path("work_precision.json"))
    parser.add_argument("--draw", type=Path, metavar="FILE", help="draw these results again")
    given = parser.parse_args()
    if given.draw is None:
        results = measure(
            given.neurons, given.repeats, given.duration, given.nest, given.nest_neurons
        )
        given.results.write_text(json.dumps(results, indent=1) + "\n")
    else:
        results = json.loads(given.draw.read_text())
    print_table(results)
    draw(results, given.output / "work_precision.png")
