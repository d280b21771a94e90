"""Exact spike times by means that share no code with the library.

All times are in ms, voltages and currents (times R) in mV.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from numpy.typing import ArrayLike
from scipy.integrate import solve_ivp


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


def exponential_spike_times(
    p: Mapping[str, float],
    duration: float,
    t_ref: float = 0.0,
    rtol: float = 1e-12,
    kicks: Sequence[tuple[float, float]] = (),
    drive: Callable[[float], float] | None = None,
    pieces: tuple[float, Sequence[float]] | None = None,
) -> np.ndarray:
    """Return an AELIF neuron's spike times by DOP853 with event location.

    Integrates ``x = log(1 + exp((theta_rh - v)/delta))``, which does not blow up with v. ``p`` has
    R times alpha, beta and I as ``Ra``, ``Rb`` and ``RI``; omega is R*omega, 0 at first. ``kicks``
    are times and what they add to v; one in a refractory period does nothing. In place of ``RI``,
    ``drive`` is a smooth function of time, ``pieces`` a length and the values of that length.
    """
    tau, delta, theta, v_rest = p["tau"], p["delta"], p["theta_rh"], p["v_rest"]

    def x_of(v: float) -> float:
        return float(np.logaddexp(0.0, (theta - v) / delta))

    def v_of(x: float) -> float:
        return float(theta - delta * (x + np.log(-np.expm1(-x))))

    def free(t: float, state: np.ndarray) -> list[float]:
        x = max(state[0], 1e-300)
        e, q, v = np.exp(-x), -np.expm1(-x), v_of(x)
        now = RI if drive is None else drive(t)
        rise = (q * (v_rest - v + now - state[1]) + delta * e) / tau
        return [-rise / delta, (p["Ra"] * (v - v_rest) - state[1]) / p["w_tau"]]

    def crossing(t: float, state: np.ndarray) -> float:
        return float(state[0] - x_of(p["threshold"]))

    crossing.terminal = True  # type: ignore[attr-defined]
    t, state, times = 0.0, [x_of(v_rest), 0.0], []
    edges = [] if pieces is None else [(pieces[0] * k, 0.0) for k in range(1, len(pieces[1]))]
    stops = sorted([*kicks, *edges, (duration, 0.0)])
    RI = p["RI"]
    while t < duration:
        if pieces is not None:
            RI = pieces[1][int(t / pieces[0] + 1e-9)]
        stop, kick = next(one for one in stops if one[0] > t)
        run = solve_ivp(free, (t, stop), state, "DOP853", rtol=rtol, atol=1e-14, events=crossing)
        t, state = run.t[-1], [float(one) for one in run.y[:, -1]]
        if run.status == 0 and kick:
            state[0] = x_of(v_of(state[0]) + kick)
        if run.status == 1 or crossing(t, np.array(state)) <= 0:
            times.append(t)
            steady = p["Ra"] * (p["v_reset"] - v_rest)
            omega = state[1] + p["Rb"]
            # In the refractory period v stays at v_reset.
            omega = steady + (omega - steady) * np.exp(-t_ref / p["w_tau"])
            t, state = t + t_ref, [x_of(p["v_reset"]), omega]
    return np.array(times)
