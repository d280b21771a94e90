"""Where a neuron rests, and where it stops to: fixed points, bifurcations, rheobase.

Plain numbers in SI base units, for `conex_brian.analysis`, which holds the units and the words.

ELIF and AELIF. With ``g = 1 + alpha*R`` (1 without adaptation), ``r = tau/w_tau`` and ``y =
(v - theta_rh)/delta``, the current that holds the neuron at ``v`` is ``R*I = g*(v - v_rest) -
delta*exp(y)``. It is largest at ``exp(y) = g``, where two fixed points meet (saddle-node); the
lower one is stable while ``exp(y) < min(g, 1 + r)``, and at ``exp(y) = 1 + r`` its eigenvalues are
imaginary (Andronov-Hopf). A threshold below either is met first. With ``y = log(g) + x`` fixed
points follow from ``exp(x) - 1 - x = c`` alone, c the distance to the saddle-node.

Touboul and Brette, Biol. Cybern. 99 (2008) 319; Naud et al., Biol. Cybern. 99 (2008) 335.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from conex_brian.field import Field, Floats, Function, eigenvalues, grid, roots
from conex_brian.models import LIF

SADDLE_NODE, HOPF = "saddle-node", "Andronov-Hopf"


def gain(p: Mapping[str, Any]) -> Floats:
    """Return ``g``: how much steeper the current that holds v rises with v than in LIF."""
    if "alpha" not in p:
        return np.ones_like(p["R"])
    g = np.asarray(1 + p["alpha"] * p["R"])
    # The published alpha = -1/R is a rounded number here.
    return np.where(np.abs(g) < 1e-12, 0.0, g)


def bifurcation(p: Mapping[str, Any]) -> tuple[Any, Floats, Floats]:
    """Return (kind, v, I) of the bifurcation of ELIF or AELIF; ``g`` has to be positive."""
    g = gain(p)
    more, hopf = 0 * g, np.zeros(np.shape(g), dtype=bool)
    if "alpha" in p:
        a, r = p["alpha"] * p["R"], p["tau"] / p["w_tau"]
        more, hopf = np.minimum(a, r), a > r
    more, hopf, *_ = np.broadcast_arrays(more, hopf, *p.values())
    v = p["theta_rh"] + p["delta"] * np.log1p(more)
    current = (g * (v - p["v_rest"]) - p["delta"] * (1 + more)) / p["R"]
    return np.where(hopf, HOPF, SADDLE_NODE), v, current


def rheobase(p: Mapping[str, Any]) -> Floats:
    """Return the current at which ELIF or AELIF loses its resting state below the threshold."""
    _, v, current = bifurcation(p)
    y = (p["threshold"] - p["theta_rh"]) / p["delta"]
    met = p["threshold"] < v
    at_threshold = gain(p) * (p["threshold"] - p["v_rest"])
    at_threshold = at_threshold - p["delta"] * np.exp(np.where(met, y, 0))
    return np.asarray(np.where(met, at_threshold / p["R"], current))


def meeting(c: Floats) -> tuple[Floats, Floats]:
    """Return the negative and the positive solution of ``exp(x) - 1 - x = c``, c positive.

    Newton's method from beyond each: the function is convex, so that it comes nearer at each step.
    """
    far = np.sqrt(2 * c)
    low, high = -(1 + c), np.minimum(far, np.log1p(c + far))
    # Between -(1 + c) and the tangent parabola's zero: both lie beyond, the nearer one is better.
    cubic = np.where(c < 0.1, -far - c / 3, low)
    low = np.where(excess(cubic) >= c, np.maximum(cubic, low), low)
    for _ in range(60):
        low_next = low - (excess(low) - c) / np.expm1(low)
        high_next = high - (excess(high) - c) / np.expm1(high)
        done = np.all(np.abs(low_next - low) <= 4e-16 * np.abs(low))
        done &= np.all(np.abs(high_next - high) <= 4e-16 * np.abs(high))
        low, high = low_next, high_next
        if done:
            break
    return low, high


def excess(x: Any) -> Floats:
    """Return ``exp(x) - 1 - x`` to full accuracy, also near 0."""
    x = np.asarray(x, dtype=float)
    series = np.zeros_like(x)
    for n in range(10, 1, -1):
        series = (1 + series) * x / n
    small = np.abs(x) < 0.05
    return np.where(small, series * x, np.expm1(np.minimum(x, 700.0)) - x)


def voltages(
    field: Field, known: type[LIF] | None, p: Mapping[str, float], current: float
) -> list[float]:
    """Return the fixed points of one neuron, lowest first.

    Parameters
    ----------
    field : Field
        Its right-hand sides.
    known : type or None
        What `conex_brian.field.law` says.
    p : mapping
        Its parameters.
    current : float
        The input current.
    """
    if known is LIF:
        return [p["v_rest"] + p["R"] * current]
    if known is None:
        return _general_voltages(field, p, current)
    R, theta, delta = p["R"], p["theta_rh"], p["delta"]
    g = float(gain(p))  # type: ignore[arg-type]
    drive = R * current
    if g > 0:
        c = (g * (theta - p["v_rest"] + delta * np.log(g) - delta) - drive) / (g * delta)
        if c < 0:
            return []
        pair = meeting(np.asarray(c)) if c else (0.0, 0.0)
        return sorted({float(theta + delta * (np.log(g) + x)) for x in pair})
    if g == 0:
        return [theta + delta * float(np.log(-drive / delta))] if drive < 0 else []
    # -g*(v - v_rest) + delta*exp(y) + R*I rises with v: one zero. omega + log(omega) = m.
    from scipy.special import wrightomega

    m = (p["v_rest"] + drive / g - theta) / delta - np.log(-g)
    w = float(wrightomega(m))
    return [theta + delta * float(np.log(-g) + (np.log(w) if m > 0 else m - w))]


def _general_voltages(field: Field, p: Mapping[str, float], current: float) -> list[float]:
    """Return the fixed points of a neuron of any model within the reach of `field.grid`.

    Between two extrema of the steady drive there is at most one zero.
    """
    values = [p[name] for name in field.parameters]
    points = grid(p)
    turns = roots(lambda v: field.slope(v, current, *values), points)
    return roots(lambda v: field.drive(v, current, *values), np.union1d(points, turns))


def resting_states(
    field: Field, known: type[LIF] | None, p: Mapping[str, float], current: float
) -> list[Floats]:
    """Return the stable fixed points of one neuron below its threshold, all states of each."""
    values = [p[name] for name in field.parameters]
    found = []
    for v in voltages(field, known, p, current):
        if v < p["threshold"] and eigenvalues(field, v, current, values).real.max() < 0:
            found.append(np.array([v, *field.resting(v, current, *values)], dtype=float))
    return found


def _abscissa(field: Field, current: Function, values: list[float], v: Any) -> Any:
    held = current(np.asarray(v, dtype=float), *values)
    with np.errstate(over="ignore", invalid="ignore"):
        return eigenvalues(field, np.asarray(v, dtype=float), held, values).real.max(axis=-1)


def general_loss(
    field: Field, current: Function, p: Mapping[str, float], bounded: bool
) -> tuple[str, float, float] | None:
    """Return (kind, v, I) where one neuron of any model loses its last resting state.

    Parameters
    ----------
    field : Field
        Its right-hand sides.
    current : function
        ``field.current``.
    p : mapping
        Its parameters.
    bounded : bool
        Whether the resting state is lost to the threshold too; then the kind is empty.
    """
    values = [p[name] for name in field.parameters]
    points = grid(p)
    if bounded:
        points = np.append(points[points < p["threshold"]], p["threshold"])
    rates = _abscissa(field, current, values, points)
    ends = []
    for v in roots(lambda v: _abscissa(field, current, values, v), points):
        i = int(np.searchsorted(points, v))
        if rates[max(i - 1, 0)] < 0:
            held = float(current(v, *values))
            found = eigenvalues(field, v, held, values)
            crossing = found[np.argmax(found.real)]
            ends.append((HOPF if crossing.imag else SADDLE_NODE, v, held))
    if bounded and rates[-1] < 0:
        ends.append(("", p["threshold"], float(current(p["threshold"], *values))))
    return max(ends, key=lambda end: end[2]) if ends else None
