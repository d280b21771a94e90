"""How fast a neuron fires: closed form, quadrature, or its equations integrated spike by spike.

Plain numbers in SI base units, one neuron at a time but for LIF's closed forms; for
`conex_brian.analysis`, which holds the units and the words.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from fractions import Fraction
from itertools import pairwise
from math import cosh, expm1, sinh
from typing import Any

import numpy as np

from conex_brian.field import Field, Floats, grid, roots
from conex_brian.rest import excess


def drive(R: Any, current: Any, *offsets: Any) -> Floats:
    """Return ``R*I`` plus ``offsets``, rounded once: near rheobase nearly all digits cancel."""
    return np.asarray(_drive(R, current, *offsets), dtype=float)


@np.vectorize
def _drive(R: float, current: float, *offsets: float) -> float:
    exact = Fraction(float(R)) * Fraction(float(current))
    return float(exact + sum(Fraction(float(one)) for one in offsets))


def leaky_rheobase(p: Mapping[str, Any]) -> Floats:
    """Return the largest number that is no more than ``(threshold - v_rest)/R``."""
    found = drive(0.0, 0.0, p["threshold"], -p["v_rest"]) / p["R"]
    for _ in range(2):  # It was rounded twice.
        above = drive(p["R"], found, p["v_rest"], -p["threshold"]) > 0
        found = np.where(above, np.nextafter(found, -np.inf), found)
    return np.asarray(found)


def leaky_interval(p: Mapping[str, Any], current: Any) -> Floats:
    """Return LIF's time from reset to threshold, infinite at and below the rheobase."""
    over = drive(p["R"], current, p["v_rest"], -p["threshold"])
    way = drive(0.0, 0.0, p["threshold"], -p["v_reset"])
    fires = over > 0
    time = p["tau"] * np.log1p(way / np.where(fires, over, 1.0))
    return np.asarray(np.where(fires, time, np.inf))


def leaky_voltage(p: Mapping[str, Any], start: Any, t: Any, current: Any, t_ref: Any) -> Floats:
    """Return LIF's v at times ``t`` after it was ``start``, spikes and resets included."""
    steady = p["v_rest"] + p["R"] * current
    over = drive(p["R"], current, p["v_rest"], -p["threshold"])
    fires = over > 0
    safe = np.where(fires, over, 1.0)
    way = np.maximum(p["threshold"] - start, 0.0)
    first = np.where(fires | (start >= p["threshold"]), p["tau"] * np.log1p(way / safe), np.inf)
    spiked = t >= first
    period = leaky_interval(p, current) + t_ref
    with np.errstate(invalid="ignore"):
        since = np.where(spiked, t - first, 0.0)
        since = np.where(
            np.isfinite(period), np.mod(since, np.where(np.isfinite(period), period, 1.0)), since
        )
    since = np.maximum(since - t_ref, 0.0)
    begin, time = np.where(spiked, p["v_reset"], start), np.where(spiked, since, t)
    return np.asarray(steady + (begin - steady) * np.exp(-time / p["tau"]))


def noisy_rate(p: Mapping[str, float], current: float, sigma: float, t_ref: float) -> float:
    """Return the rate of a LIF neuron in white noise of standard deviation ``sigma``.

    ``1/rate = t_ref + tau*sqrt(pi)*integral of exp(x**2)*(1 + erf(x))`` over x from ``(v_reset -
    steady)/(sqrt(2)*sigma)`` to ``(threshold - steady)/(sqrt(2)*sigma)``: sigma is the free
    membrane's standard deviation, sqrt(2) times smaller than the literature's.
    Siegert, Phys. Rev. 81 (1951) 617; Ricciardi, Diffusion Processes (1977); Brunel and Hakim,
    Neural Comput. 11 (1999) 1621.
    """
    from scipy.special import dawsn, erfcx

    steady = p["v_rest"] + p["R"] * current
    a, b = ((p[name] - steady) / (np.sqrt(2) * sigma) for name in ("v_reset", "threshold"))
    # 1 + erf(x) = 2 - erfc(x): the exponential's integral is Dawson's function, the rest is
    # erfcx, which neither over- nor underflows. All of it is a multiple of exp(top).
    top = max(b, 0.0) ** 2
    small = np.exp(-top) if top < 700 else 0.0
    below, above = min(b, 0.0), max(a, 0.0)
    area = 0.0
    if a < below:
        area += small * integral(lambda x: float(erfcx(-x)), a, below, below, max(1.0, -below))
    if b > above:
        area += 2 * (dawsn(b) - np.exp(above**2 - top) * dawsn(above))
        area -= small * integral(lambda x: float(erfcx(x)), above, b, above, max(1.0, above))
    return float(small / (small * t_ref + p["tau"] * np.sqrt(np.pi) * area))


def integral(
    f: Callable[[float], float],
    a: float,
    b: float,
    peak: float,
    width: float,
    within: float = 1e-10,
) -> float:
    """Return the integral of ``f`` from ``a`` to ``b``, which varies over ``width`` at ``peak``.

    Away from the peak it may fall over many more orders of magnitude: the substitution ``peak +
    width*sinh(x)`` gives each the same room.

    Raises
    ------
    ArithmeticError
        Where its relative error may be larger than ``within``.
    """
    from scipy.integrate import quad

    def stretched(x: float) -> float:
        return f(peak + width * sinh(x)) * width * cosh(x)

    ends = [float(np.arcsinh((end - peak) / width)) for end in (a, b)]
    middle = [0.0] if ends[0] < 0 < ends[1] else []
    cuts = [ends[0], *middle, ends[1]]
    total: float = 0.0
    for low, high in pairwise(cuts):
        goal = {"epsabs": 0.0, "epsrel": within * 1e-2, "limit": 400}
        value, error = quad(stretched, low, high, **goal, full_output=1)[:2]
        if not error <= within * abs(value) + 1e-300:
            raise ArithmeticError(f"the integral of dv/F is known within {error:.1g} of {value:g}")
        total += float(value)
    return total


def width_of(value: float, slope: float, curvature: float) -> float:
    """Return over which distance a positive convex function doubles."""
    steep = np.hypot(slope, np.sqrt(2 * value) * np.sqrt(max(curvature, 0.0)))
    return float(2 * value / (abs(slope) + steep)) if steep else np.inf


def exponential_interval(p: Mapping[str, float], current: float, lowest: float) -> float:
    """Return ELIF's time from reset to threshold; infinite where v stops above ``lowest``.

    With ``y = (v - theta_rh)/delta`` it is ``tau`` times the integral of ``1/(e + exp(y) - 1 -
    y)``, ``e`` the distance of the input from the rheobase: near it v lingers at y = 0.
    """
    theta, delta = p["theta_rh"], p["delta"]
    e = float(drive(p["R"], current, p["v_rest"], -theta, delta)) / delta
    bottom, low, high = ((v - theta) / delta for v in (lowest, p["v_reset"], p["threshold"]))
    if e + excess(np.clip(0.0, bottom, high)) <= 0:
        return np.inf
    peak = float(np.clip(0.0, low, high))
    # What the bound leaves out takes exp(-600) time constants.
    at = min(peak, 600.0)
    width = width_of(e + float(excess(at)), float(np.expm1(at)), float(np.exp(at)))

    def pace(y: float) -> float:
        # Far from 0 nothing cancels, and this is quicker.
        rise = float(excess(y)) if abs(y) < 0.05 else expm1(min(y, 700.0)) - y
        return 1 / (e + rise)

    return float(p["tau"]) * integral(pace, low, high, peak, width)


def general_interval(field: Field, p: Mapping[str, float], current: float, lowest: float) -> float:
    """Return the time from reset to threshold for any model whose one state is ``v``.

    To 1e-8: what cancels in dv/dt near the rheobase is lost here, where no formula is known.
    """
    values = [p[name] for name in field.parameters]
    points = grid(p)
    lowest = max(lowest, points[0])
    inside = points[(points > lowest) & (points < p["threshold"])]
    ends = [lowest, max(lowest, p["v_reset"]), p["threshold"]]
    points = np.union1d(ends, inside)
    # The extrema decide whether v stops anywhere on its way.
    turns = roots(lambda v: field.slope(v, current, *values), points)
    points = np.union1d(points, turns)
    heights = np.broadcast_to(field.drive(points, current, *values), points.shape)
    if np.isnan(heights).any():
        raise ArithmeticError(f"dv/dt is no number at v = {points[np.isnan(heights)][0]:g}")
    if heights.min() <= 0:
        return np.inf
    way = (points >= p["v_reset"]) & np.isfinite(heights)
    peak = float(points[way][np.argmin(heights[way])])
    value, slope = (float(f(peak, current, *values)) for f in (field.drive, field.slope))
    h = 1e-4 * (p["threshold"] - p["v_reset"])
    bend = float(np.ptp([field.slope(v, current, *values) for v in (peak - h, peak + h)])) / (2 * h)
    width = min(width_of(value, slope, bend), 1e3 * (p["threshold"] - p["v_reset"]))

    def pace(v: float) -> float:
        return 1 / float(field.drive(v, current, *values))

    return p["tau"] * integral(pace, p["v_reset"], p["threshold"], peak, width, within=1e-6)
