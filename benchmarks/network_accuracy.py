"""How much accuracy a recurrent network keeps: spikes travel at grid times, exact or not.

The network is that of ``tests/networks.py``: 60 leaky and 40 adaptive exponential neurons with
exponential synaptic currents, a delay of 1.5 ms and a refractory period of 2 ms. A neuron's error
is that of its worst spike in the first 100 ms. The reference is the most accurate variant with
steps of 0.005 ms. Takes a minute or two, and prints a table in Markdown::

    python benchmarks/network_accuracy.py [--steps 0.025 0.05 0.1 0.25 0.5] [--seeds 1 2 3]
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np
from brian2 import BrianLogger, start_scope

from timing import machine

sys.path.append(str(Path(__file__).parents[1] / "tests"))
from networks import BEST, DELAY, VARIANTS, largest_errors, spike_times

FINE, DURATION = 0.005, 100.0  # ms


def main(steps: list[float], seeds: list[int]) -> None:
    """Run all variants with all steps, and print a table."""
    BrianLogger.suppress_name("resolution_conflict")
    found: dict[tuple[str, float], list[np.ndarray]] = {}
    count = 0
    for seed in seeds:
        wanted = spike_times(BEST, FINE, DURATION, seed)
        count += sum(len(times) for times in wanted[20:])
        for variant in VARIANTS:
            for dt in steps:
                start_scope()
                errors = largest_errors(spike_times(variant, dt, DURATION, seed), wanted)
                # The first 20 neurons get no synapses.
                found.setdefault((variant, dt), []).append(errors[20:])
    print(f"{machine('brian2', 'numpy', 'conex_brian')}\n")
    print(
        f"{len(seeds)} networks, {80 * len(seeds)} neurons with synapses, {count} spikes in "
        f"{DURATION:g} ms\n"
    )
    print("| | dt, ms | error, ms: median | mean | largest | median, order |")
    print("| --- | --- | --- | --- | --- | --- |")
    for variant in VARIANTS:
        last: tuple[float, float] | None = None
        for dt in sorted(steps):
            errors = np.concatenate(found[variant, dt])
            middle = float(np.nanmedian(errors))
            order = f"{np.log(middle / last[1]) / np.log(dt / last[0]):.1f}" if last else ""
            print(
                f"| {variant} | {dt:g} | {middle:.4f} | {np.nanmean(errors):.4f} "
                f"| {np.nanmax(errors):.3f} | {order} |"
            )
            last = dt, middle


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--steps", type=float, nargs="+", default=[0.025, 0.05, 0.1, 0.25, 0.5])
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    given = parser.parse_args()
    for dt in given.steps:
        if abs(DELAY / dt - round(DELAY / dt)) > 1e-6:
            parser.error(f"the delay, {DELAY} ms, is no multiple of {dt} ms")
    main(given.steps, given.seeds)
