"""f-I curves, simulated and in theory
====================================

How fast do LIF, ELIF and AELIF fire? Lines are theory: LIF in closed form, ELIF an integral over
its upswing, AELIF its equations followed from spike to spike, and LIF with noise Siegert's integral
(Phys. Rev. 81 (1951) 617). Points are simulations with precise spike times. Below the rheobase
nothing fires but what noise pushes over the threshold. With noise spikes stay on the grid, and the
points are somewhat low: what crosses the threshold and comes back within a step is missed.

Takes some ten seconds. Prints each neuron's rheobase and how far the points are from the lines, and
writes ``fi_curves.png``::

    python examples/fi_curves.py [--output FOLDER]
"""

import argparse
import sys
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from brian2 import Hz, Mohm, ms, mV, nS, pA

from conex_brian import AELIF, ELIF, LIF, plotting
from conex_brian.analysis import firing_rate, rheobase

membrane: dict[str, Any] = {"R": 500 * Mohm, "tau": 20 * ms, "v_rest": -70 * mV}
upswing = {"threshold": -30 * mV, "delta": 2 * mV, "theta_rh": -50 * mV}
adaptation = {"alpha": 0 * nS, "beta": 5 * pA, "w_tau": 100 * ms}
lif = LIF(**membrane, v_reset=-60 * mV, threshold=-50 * mV)
elif_ = ELIF(**membrane, v_reset=-60 * mV, **upswing)
aelif = AELIF(**membrane, v_reset=-60 * mV, **upswing, **adaptation)
# Name, neuron, noise, colour and mark.
CURVES = [
    ("LIF", lif, None, "#0072B2", "o"),
    ("LIF, noise 3 mV", lif, 3 * mV, "#000000", "^"),
    ("ELIF", elif_, None, "#009E73", "s"),
    ("AELIF", aelif, None, "#D55E00", "D"),
]


def main(output: Path) -> None:
    """Draw the curves and print how near theory and simulation are."""
    refractory = 2 * ms
    current = np.r_[20:35:2.5, 35.2:50:0.5, 50:121:5] * pA  # most of them where the lines bend
    figure, ax = plt.subplots(figsize=(7, 4.6), layout="constrained")
    for name, neuron, noise, color, marker in CURVES:
        plotting.fi_curve(
            neuron, current, ax, simulate=11, refractory=refractory, noise=noise, label=name,
            color=color, marker=marker,
        )  # fmt: skip
        points = ax.lines[-1]
        theory = firing_rate(neuron, points.get_xdata() * pA, refractory, noise=noise) / Hz
        off = np.abs(points.get_ydata() - theory).max()
        print(f"{name:16} rheobase {rheobase(neuron) / pA:.2f} pA, points within {off:.2g} Hz")
    ax.spines[["top", "right"]].set_visible(False)
    output.mkdir(parents=True, exist_ok=True)
    figure.savefig(output / "fi_curves.png", dpi=120)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--output", type=Path, default=Path(sys.argv[0]).parent / "output")
    main(parser.parse_args().output)
