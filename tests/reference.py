"""Exact spike times by means that share no code with the library.

All times are in ms, voltages and currents (times R) in mV.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import ArrayLike


def leaky_spike_times(
    p: Mapping[str, np.ndarray], duration: float, t_ref: ArrayLike = 0.0, piece: float | None = None
) -> list[np.ndarray]:
    """Return each leaky neuron's spike times, piece by piece from the closed form.

    Parameters
    ----------
    p : mapping
        ``tau``, ``v_rest``, ``threshold``, ``v_reset``, ``v0`` and ``RI``, one value a neuron;
        with ``piece``, ``RI`` has one row a piece.
    duration : float
        How long.
    t_ref : float or array
        The refractory period.
    piece : float, optional
        For how long each row of ``RI`` lasts.
    """
    n = len(p["tau"])
    rows = p["RI"][None, :] if piece is None else p["RI"]
    edges = [duration] if piece is None else [piece * (k + 1) for k in range(len(rows))]
    out = []
    for i, period in enumerate(np.broadcast_to(t_ref, n)):
        tau, threshold, v_reset = p["tau"][i], p["threshold"][i], p["v_reset"][i]
        t, v, times = 0.0, p["v0"][i], []
        for end, row in zip(edges, rows, strict=True):
            u = p["v_rest"][i] + row[i]
            while t < end:
                crossing = t + tau * np.log((u - v) / (u - threshold)) if u > threshold else np.inf
                if crossing >= end:
                    v, t = u + (v - u) * np.exp(-(end - t) / tau), end
                else:
                    times.append(crossing)
                    t, v = crossing + period, v_reset
        out.append(np.array(times))
    return out
