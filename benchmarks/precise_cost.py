"""What exact spike times cost: `spike_timing='precise'` against the grid, in the same program.

LIF and AELIF neurons that fire about 20 times a second, dt 0.1 ms, C++ standalone, one thread, with
Brian2's compiler flags and with vectorised exponentials. The programs of a pair run in turns and
take the processor's time. Then AELIF on Brian2's numpy target, which compiles nothing::

    python benchmarks/precise_cost.py [--neurons 20000] [--steps 5000] [--repeats 15]
"""

import argparse
import tempfile
from functools import partial
from pathlib import Path
from statistics import median

import numpy as np
from brian2 import (
    Mohm,
    Network,
    NeuronGroup,
    SpikeMonitor,
    ms,
    mV,
    nA,
    nS,
    pA,
    prefs,
    set_device,
    start_scope,
)

from conex_brian import AELIF, LIF
from timing import alternate, build, machine, seconds, spikes

DT = 0.1 * ms
START = "v_reset + rand()*15*mV"
LEAKY = LIF(
    R=10 * Mohm, threshold=-50 * mV, tau=20 * ms, v_reset=-65 * mV, v_rest=-65 * mV, init_v=START
)
# Brette & Gerstner, J. Neurophysiol. 94 (2005) 3637.
ADAPTIVE = AELIF(
    R=1000 / 30 * Mohm,
    threshold=-20 * mV,
    tau=281 / 30 * ms,
    v_reset=-70.6 * mV,
    v_rest=-70.6 * mV,
    delta=2 * mV,
    theta_rh=-50.4 * mV,
    alpha=4 * nS,
    beta=80.5 * pA,
    w_tau=144 * ms,
    init_v=START,
)
SEVERAL = "LIF, 'exact', one tau a neuron"
OWN = "LIF, 'exact', one current a neuron"
CASES = {
    "LIF, 'exact'": (LEAKY, 1.63 * nA),
    OWN: (LEAKY, 1.63 * nA),
    SEVERAL: (LEAKY, 1.63 * nA),
    "AELIF, 'rk4'": (ADAPTIVE, 820 * pA),
}


def make(case: str, spike_timing: str, neurons: int) -> NeuronGroup:
    """Return the group of a case."""
    model, current = CASES[case]
    if case == SEVERAL:
        model = model.replace(tau=np.linspace(19, 21, neurons) * ms)
    if case == OWN:
        current = np.linspace(1.55, 1.71, neurons) * nA
    return model.group(neurons, current, spike_timing=spike_timing)


def main(neurons: int, steps: int, repeats: int) -> None:
    """Build all programs, run each pair in turns and print what they took."""
    print(f"{machine('brian2', 'numpy', 'conex_brian')}\n")
    print("| model | flags | grid | precise | ratio: medians | of the pairs | fastest | Hz |")
    print("| --- | --- | --- | --- | --- | --- | --- | --- |")
    for flags in ("Brian2's", "vectorised exp"):
        for case in CASES:
            with tempfile.TemporaryDirectory() as folder:
                programs = {
                    timing: build(
                        Path(folder) / timing,
                        partial(make, case, timing, neurons),
                        steps,
                        DT,
                        vectorised=flags != "Brian2's",
                        processor_time=True,
                    )
                    for timing in ("grid", "precise")
                }
                runs = alternate({name: one.run for name, one in programs.items()}, repeats)
            grid, precise = runs["grid"], runs["precise"]
            each = 1e9 / neurons / steps
            pairs = median(a / b for (a, _), (b, _) in zip(precise, grid, strict=True))
            rate = spikes(precise) / neurons / (steps * float(DT))
            print(
                f"| {case} | {flags} | {seconds(grid) * each:.2f} | {seconds(precise) * each:.2f} "
                f"| {seconds(precise) / seconds(grid):.2f} | {pairs:.2f} "
                f"| {min(precise)[0] / min(grid)[0]:.2f} | {rate:.1f} |"
            )
    print("\n| AELIF on numpy, neurons | grid, µs a step | precise | ratio | Hz |")
    print("| --- | --- | --- | --- | --- |")
    for size in (1, 100, 10_000):
        on_numpy(size)


def on_numpy(neurons: int) -> None:
    """Run both kinds of group in turns and print what a time step takes."""
    rounds, steps = 3, 2000
    set_device("runtime")
    prefs.codegen.target = "numpy"
    start_scope()
    runs: dict[str, tuple[Network, SpikeMonitor]] = {}
    taken: dict[str, list[float]] = {"grid": [], "precise": []}
    for timing in taken:
        group = make("AELIF, 'rk4'", timing, neurons)
        monitor = SpikeMonitor(group)
        runs[timing] = Network(group, monitor), monitor
    for _ in range(rounds):
        for timing, (network, _) in runs.items():
            network.run(steps * DT, profile=True)
            taken[timing].append(float(sum(time for _, time in network.profiling_info)) / steps)
    grid, precise = (1e6 * median(times) for times in taken.values())
    rate = runs["precise"][1].num_spikes / neurons / (rounds * steps * float(DT))
    print(f"| {neurons} | {grid:.0f} | {precise:.0f} | {precise / grid:.1f} | {rate:.1f} |")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--neurons", type=int, default=20_000)
    parser.add_argument("--steps", type=int, default=5000)
    parser.add_argument("--repeats", type=int, default=15)
    arguments = parser.parse_args()
    main(arguments.neurons, arguments.steps, arguments.repeats)
