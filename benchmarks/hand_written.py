"""What conex_brian costs: its group against the same equations typed by hand in plain Brian2.

A LIF neuron, method ``'exact'``, in C++ standalone with Brian2's default compiler flags and one
thread. Both programs are built once and then run in turns, and take the processor's time. Prints
medians and fastest runs, their ratios, and the spikes of both, which show that the work was the
same::

    python benchmarks/hand_written.py [--neurons 1000000] [--steps 1000] [--repeats 15]
"""

import argparse
import tempfile
from functools import partial
from pathlib import Path
from statistics import median

from brian2 import Mohm, NeuronGroup, ms, mV, pA

from conex_brian import LIF
from timing import Program, alternate, build, machine, seconds, spikes

START = "v_reset + rand()*(threshold - v_reset)"
# Every neuron fires 56 times a second, each at its own moment.
VALUES = {
    "R": 100 * Mohm,
    "threshold": -50 * mV,
    "tau": 10 * ms,
    "v_reset": -60 * mV,
    "v_rest": -60 * mV,
}
CURRENT = 120 * pA
DT = 0.1 * ms


def by_library(neurons: int) -> NeuronGroup:
    """Return the group that conex_brian makes; every parameter is a variable of it."""
    return LIF(**VALUES, init_v=START).group(neurons, CURRENT, method="exact")


def by_hand(neurons: int) -> NeuronGroup:
    """Return the group as a Brian2 user types it; every parameter is a constant in the code."""
    group = NeuronGroup(
        neurons,
        "dv/dt = (v_rest - v + R*I)/tau : volt",
        threshold="v >= threshold",
        reset="v = v_reset",
        method="exact",
        namespace={**VALUES, "I": CURRENT},
    )
    group.v = START
    return group


def main(neurons: int, steps: int, repeats: int) -> None:
    """Build both programs, run them in turns and print what they took."""
    with tempfile.TemporaryDirectory() as folder:
        programs: dict[str, Program] = {}
        for make in (by_hand, by_library):
            name = make.__name__
            programs[name] = build(
                Path(folder) / name,
                partial(make, neurons),
                steps,
                DT,
                vectorised=False,
                processor_time=True,
            )
        runs = alternate({name: program.run for name, program in programs.items()}, repeats)
    print(f"{machine('brian2', 'numpy', 'conex_brian')}\n")
    print(f"LIF, 'exact', {neurons} neurons, {steps} steps, median of {repeats}\n")
    print("| program | ns a neuron and step | fastest | spikes |")
    print("| --- | --- | --- | --- |")
    for name, label in (("by_hand", "typed by hand"), ("by_library", "conex_brian")):
        found = runs[name]
        each = 1e9 / neurons / steps
        fastest = min(found)[0] * each
        print(f"| {label} | {seconds(found) * each:.3f} | {fastest:.3f} | {spikes(found)} |")
    pairs = zip(runs["by_library"], runs["by_hand"], strict=True)
    paired = median(ours / theirs for (ours, _), (theirs, _) in pairs)
    medians = seconds(runs["by_library"]) / seconds(runs["by_hand"])
    fastest = min(runs["by_library"])[0] / min(runs["by_hand"])[0]
    print(f"\nconex_brian takes {medians:.3f} times as long in the medians, {paired:.3f} in the")
    print(f"median of the pairs that ran one after the other, {fastest:.3f} in the fastest runs.")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--neurons", type=int, default=1_000_000)
    parser.add_argument("--steps", type=int, default=1000)
    parser.add_argument("--repeats", type=int, default=15)
    arguments = parser.parse_args()
    main(arguments.neurons, arguments.steps, arguments.repeats)
