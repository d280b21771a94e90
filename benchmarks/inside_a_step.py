"""How often v is over the threshold within a time step, but below it at both of its ends.

`spike_timing='precise'` does not see such a spike, which exponential synapses can cause. Leaky
neurons (tau 20 ms) with excitatory and inhibitory Poisson input through exponential synaptic
currents (2 ms), in closed form on numpy: 20 points in each step against its end.
"""

from __future__ import annotations

import numpy as np

NEURONS = 400
TAU, TAU_SYN, THRESHOLD = 20.0, 2.0, 15.0
DRIVE, WEIGHT, RATES = 10.0, 4.0, (1.6, 1.2)  # mV, mV, 1/ms excitatory and inhibitory


def count(dt: float, duration: float) -> tuple[int, int]:
    """Return the number of spikes seen at a step's end, and of those within a step only."""
    rng = np.random.default_rng(1)
    times = np.linspace(0, dt, 21)[1:]
    leak, decay = np.exp(-times / TAU), np.exp(-times / TAU_SYN)
    gain = (decay - leak) / (1 / TAU - 1 / TAU_SYN) / TAU
    v, current = np.zeros(NEURONS), np.zeros(NEURONS)
    seen = inside = 0
    for _ in range(int(duration / dt)):
        course = DRIVE + (v[:, None] - DRIVE) * leak + current[:, None] * gain
        at_end = course[:, -1] >= THRESHOLD
        within = (course.max(axis=1) >= THRESHOLD) & ~at_end
        seen, inside = seen + int(at_end.sum()), inside + int(within.sum())
        v = np.where(at_end | within, 0.0, course[:, -1])
        excitation, inhibition = (rng.poisson(rate * dt, NEURONS) for rate in RATES)
        current = current * decay[-1] + WEIGHT * (excitation - inhibition)
    return seen, inside


if __name__ == "__main__":
    print("| dt, ms | spikes seen | within a step only | Hz |\n| --- | --- | --- | --- |")
    for dt, duration in ((0.1, 2e3), (0.5, 1e4), (1.0, 1e4)):
        seen, inside = count(dt, duration)
        print(f"| {dt} | {seen} | {inside} | {(seen + inside) / NEURONS / duration * 1e3:.1f} |")
