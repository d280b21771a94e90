"""Firing patterns by what defines them: functions of the spike times on a current step, in ms.

``resolution`` is the time step, where spikes are on its grid: intervals are then off by as much.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np


def is_transient(t: np.ndarray, duration: float, resolution: float = 0) -> bool:
    """Spikes at first, then silence for the rest of the step."""
    return len(t) > 0 and t[-1] < 0.15 * duration


def is_tonic(t: np.ndarray, duration: float, resolution: float = 0) -> bool:
    """Intervals of one length: none is off the mean by more than 15 %, and they last."""
    intervals = _lasting(t, duration)
    return intervals is not None and bool(np.ptp(intervals) < 0.15 * intervals.mean())


def is_adapting(t: np.ndarray, duration: float, resolution: float = 0) -> bool:
    """Intervals that only grow, by little at a time, to more than 1.5 times the first."""
    intervals = _lasting(t, duration)
    if intervals is None:
        return False
    rising = (np.diff(intervals) > -1e-4 * intervals.mean() - 2 * resolution).all()
    steady = (intervals[1:] < 2 * intervals[:-1]).all()
    return bool(rising and steady and intervals[-1] > 1.5 * intervals[0])


def is_initial_burst(t: np.ndarray, duration: float, resolution: float = 0) -> bool:
    """Two or more short intervals at the start, none after it: regular firing."""
    intervals = _lasting(t, duration)
    if intervals is None:
        return False
    short = intervals < 0.25 * np.median(intervals)
    count = int(short.sum())
    later = intervals[count + 1 :]
    return bool(count >= 2 and short[:count].all() and np.ptp(later) < 0.05 * later.mean())


def is_bursting(t: np.ndarray, duration: float, resolution: float = 0) -> bool:
    """Short and long intervals and nothing between; bursts of one size that recur regularly."""
    pauses = _pauses(t)
    return pauses is not None and bool(t[0] < 0.5 * pauses.min())


def is_delayed_bursting(t: np.ndarray, duration: float, resolution: float = 0) -> bool:
    """Bursting whose first spike comes as late as bursts come after one another."""
    pauses = _pauses(t)
    return pauses is not None and bool(t[0] > 0.9 * pauses.min())


def is_delayed_accelerating(t: np.ndarray, duration: float, resolution: float = 0) -> bool:
    """A first spike later than any interval is long; then intervals that only shrink, to half."""
    intervals = _lasting(t, duration)
    if intervals is None:
        return False
    falling = bool((np.diff(intervals) < 1e-4 * intervals.mean() + 2 * resolution).all())
    return falling and t[0] > 1.5 * intervals[0] and intervals[-1] < 0.6 * intervals[0]


def is_delayed(t: np.ndarray, duration: float, resolution: float = 0) -> bool:
    """A first spike that comes late, then regular firing that follows faster."""
    intervals = _lasting(t, duration)
    return intervals is not None and bool(
        t[0] > 1.2 * intervals.max() and np.ptp(intervals) < 0.05 * intervals.mean()
    )


def is_irregular(t: np.ndarray, duration: float, resolution: float = 0) -> bool:
    """Intervals that repeat themselves after no number of spikes up to 15, for all it lasts."""
    intervals = _lasting(t, duration)
    if intervals is None or len(intervals) < 50:
        return False
    intervals = intervals[10:]
    lags = range(1, 16)
    return all(np.abs(intervals[k:] - intervals[:-k]).max() > 0.2 * intervals.mean() for k in lags)


#: By the names that presets have for them. `is_tonic` holds for a delayed neuron too.
PATTERNS: dict[str, Callable[[np.ndarray, float, float], bool]] = {
    "transient": is_transient,
    "tonic": lambda t, duration, _: is_tonic(t, duration) and not is_delayed(t, duration),
    "adapting": is_adapting,
    "initial burst": is_initial_burst,
    "bursting": is_bursting,
    "delayed bursting": is_delayed_bursting,
    "delayed accelerating": is_delayed_accelerating,
    "delayed": is_delayed,
    "irregular": is_irregular,
}


def patterns(t: np.ndarray, duration: float, resolution: float = 0) -> list[str]:
    """Return the names of all patterns that spike times show."""
    return [name for name, holds in PATTERNS.items() if holds(t, duration, resolution)]


def _lasting(t: np.ndarray, duration: float) -> np.ndarray | None:
    """Return the intervals of a neuron that fires until the end, None for any other."""
    intervals = np.diff(t)
    if len(intervals) < 4 or duration - t[-1] > 1.5 * intervals.max():
        return None
    return intervals


def _pauses(t: np.ndarray) -> np.ndarray | None:
    """Return the intervals between bursts that recur with one size and distance, else None."""
    intervals = np.diff(t)
    if len(intervals) < 4:
        return None
    ordered = np.sort(intervals)
    ratios = ordered[1:] / ordered[:-1]
    gap = int(ratios.argmax())
    breaks = np.flatnonzero(intervals > ordered[gap])
    sizes = np.diff(breaks)[1:]  # the first bursts meet less adaptation; the last may be cut off
    if ratios[gap] < 3 or len(sizes) < 2 or not sizes.min() == sizes.max() >= 2:
        return None
    pauses = intervals[breaks][2:]
    return pauses if np.ptp(pauses) < 0.05 * pauses.mean() else None
