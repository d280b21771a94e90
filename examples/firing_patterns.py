"""Fifteen firing patterns of one equation
=======================================

AELIF with the literature's parameters: the same two equations adapt, burst, fire once and fall
silent, or start late. Only ten numbers differ. The first eight panels are the patterns of Naud,
Marcille, Clopath & Gerstner, Biol. Cybern. 99 (2008) 335; the last seven those of Gerstner,
Kistler, Naud & Paninski, Neuronal Dynamics (2014), table 6.1. ``conex_brian.presets`` has their
values, and says which version of a table they are.

Takes some ten seconds. Prints each preset's number of spikes and its first and last interval,
and writes ``firing_patterns.png``::

    python examples/firing_patterns.py [--output FOLDER]
"""

import argparse
import sys
from pathlib import Path

import numpy as np
from brian2 import prefs

from conex_brian import plotting, presets

NAMES = [name for name in presets.names() if name.startswith(("naud2008", "gerstner2014"))]


def main(output: Path) -> None:
    """Draw the patterns, and print what they consist of."""
    prefs.codegen.target = "numpy"  # compiling would take longer than single neurons
    axes = plotting.firing_patterns(NAMES)
    output.mkdir(parents=True, exist_ok=True)
    axes[0].figure.savefig(output / "firing_patterns.png", dpi=110)
    for name, ax in zip(NAMES, axes, strict=True):
        time, v = ax.lines[0].get_data()
        spikes = time[v == v.max()]  # where the lines end
        intervals = np.diff(spikes)
        span = f"{intervals[0]:.2f} to {intervals[-1]:.2f} ms" if len(intervals) else "none"
        print(f"{name:34} {presets.load(name).pattern:21} {len(spikes):3} spikes, intervals {span}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--output", type=Path, default=Path(sys.argv[0]).parent / "output")
    main(parser.parse_args().output)
