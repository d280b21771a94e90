"""Phase planes around two bifurcations
====================================

How AELIF begins to fire. Its resting state is lost in one of two ways as the current rises. Where
adaptation depends little on v (``alpha*R < tau/w_tau``), it meets the saddle and both vanish: a
saddle-node. Where it depends on v more (``alpha*R > tau/w_tau``), it turns into an unstable focus
while the saddle is still there: an Andronov-Hopf bifurcation; below it the neuron rings before it
rests (Touboul & Brette, Biol. Cybern. 99 (2008) 319).

Takes some ten seconds. Prints the current and the voltage of both, and the eigenvalues on both
sides, and writes ``phase_planes.png``::

    python examples/phase_planes.py [--output FOLDER]
"""

import argparse
import sys
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
from brian2 import Hz, Mohm, ms, mV, nS, pA

from conex_brian import AELIF, plotting
from conex_brian.analysis import bifurcation, fixed_points

neuron = AELIF(
    R=100 * Mohm, threshold=-30 * mV, tau=20 * ms, v_reset=-60 * mV, v_rest=-70 * mV,
    delta=2 * mV, theta_rh=-50 * mV, alpha=0.5 * nS, beta=40 * pA, w_tau=100 * ms,
)  # fmt: skip
# tau/w_tau is 0.2, alpha*R is 0.05 and 2. How far from rest trajectories start, and what is shown.
ROWS: list[Any] = [
    (neuron, (7, 7) * mV, (-60, -43) * mV, None),
    (neuron.replace(alpha=20 * nS), (1.5, 0.3) * mV, (-55, -44.5) * mV, (370, 470) * pA),
]
BELOW, ABOVE = -8 * pA, 8 * pA


def main(output: Path) -> None:
    """Draw the four planes and print the eigenvalues."""
    figure, axes = plt.subplots(2, 2, figsize=(9, 7.4), layout="constrained")
    for row, (one, distances, v, omega) in zip(axes, ROWS, strict=True):
        lost = bifurcation(one)
        print(f"{lost.kind}: {lost.I / pA:.2f} pA, {lost.v / mV:.2f} mV")
        for ax, shift, away in zip(row, (BELOW, ABOVE), distances, strict=True):
            side = "below" if shift < 0 * pA else "above"
            points = fixed_points(one, lost.I + shift)
            near = points[0].v if points else lost.v
            start = near - away, one.alpha * (near - one.v_rest)
            plotting.phase_plane(
                one, lost.I + shift, ax, v=v, omega=omega, trajectory=300 * ms, start=start
            )
            ax.set_title(f"{lost.kind}, {abs(shift) / pA:g} pA {side}", loc="left", fontsize=10)
            for point in points:
                numbers = ", ".join(f"{value:.1f}" for value in point.eigenvalues / Hz)
                stable = "stable" if point.stable else "unstable"
                print(f"  {side}: {stable} {point.kind} at {point.v / mV:.2f} mV, {numbers} per s")
    output.mkdir(parents=True, exist_ok=True)
    figure.savefig(output / "phase_planes.png", dpi=110)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--output", type=Path, default=Path(sys.argv[0]).parent / "output")
    main(parser.parse_args().output)
