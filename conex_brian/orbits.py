"""One neuron with further states, followed from spike to spike: AELIF's steady rate.

Plain numbers in SI base units, for `conex_brian.analysis`. The independent variable of the
integration is time where v moves slowly and v in the upswing (``ds**2 = dt**2/tau**2 +
dv**2/unit**2``), so that nothing blows up however high the threshold is.

Since a spike resets v, the states after a spike follow from those after the last one: a steady rate
is a fixed point of this map, or a cycle of it (a burst). Touboul and Brette, SIAM J. Appl. Dyn.
Syst. 8 (2009) 1462.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import hypot
from typing import Any

import numpy as np

from conex_brian.field import Field, Floats

#: Tolerance of the integration, relative and to the scale of each state.
TOLERANCE = 1e-11
#: States after two spikes are the same within this times their scale.
SAME = 1e-10
#: The longest pattern of intervals that is looked for.
LONGEST_PATTERN = 40
#: It goes geometrically to its end where its steps' ratios are as even as this.
EVEN = 0.003
#: How often it is tried to move a train on to where it is heading.
LEAPS = 20
#: A train that does not repeat is averaged over so many spikes, once all that is left of the start
#: has had so many of the slowest time constants to decay. One that takes more spikes than `MOST` is
#: undecided.
SPIKES, DECAYED, MOST = 500, 8, 6_000
#: A neuron that has neither spiked nor come to rest after so many time constants is undecided.
PATIENCE = 1e5
#: So many ways from reset to threshold below the threshold, v has run away.
LOST = 1e6


class Undecided(ArithmeticError):
    """A neuron neither spikes nor comes to rest for long, or its spikes never settle."""


@dataclass(frozen=True, eq=False)
class Basin:
    """An ellipse around a stable fixed point that no trajectory leaves."""

    centre: Floats
    metric: Floats
    level: float

    def height(self, x: Floats) -> float:
        """Return how far ``x`` is outside; negative inside."""
        away = x - self.centre
        return float(away @ self.metric @ away) - self.level


@dataclass(frozen=True, eq=False)
class Orbit:
    """A neuron at a constant current.

    Attributes
    ----------
    field : Field
        Its right-hand sides.
    p : mapping
        Its parameters.
    current : float
        The input current.
    t_ref : float
        Its refractory period: v is held at v_reset, the other states go on.
    slowest : float
        Its longest time constant.
    """

    field: Field
    p: Mapping[str, float]
    current: float
    t_ref: float
    slowest: float

    @property
    def values(self) -> list[float]:
        """The parameters as functions take them."""
        return [self.p[name] for name in self.field.parameters]

    @property
    def way(self) -> float:
        """From reset to threshold."""
        return self.p["threshold"] - self.p["v_reset"]

    @property
    def jumps(self) -> Floats:
        """What a spike adds to the states other than v."""
        return np.array(self.field.jumps(np.nan, *self.values), dtype=float)

    @property
    def scale(self) -> Floats:
        """What is large for each state."""
        v = np.array([self.p["v_reset"], self.p["threshold"], self.p["v_rest"]])
        others = self.field.resting(v, self.current, *self.values)
        spans = [np.ptp(np.broadcast_to(one, 3)) for one in others]
        sizes = [max(s, abs(j), 1e-30) for s, j in zip(spans, self.jumps, strict=True)]
        return np.array([self.way, *sizes])

    def rates(self, x: Sequence[float]) -> Floats:
        """Return the time derivatives of all states."""
        found = self.field.rates(*x, self.current, *self.values)
        return np.array(np.broadcast_arrays(*found, x[0])[:-1], dtype=float)

    def basins(self, fixed_points: Sequence[Floats]) -> list[Basin]:
        """Return a neighbourhood of each stable fixed point that no trajectory leaves.

        The ellipse is a level line of Lyapunov's function of the linear system, as large as the
        flow points inwards everywhere along it.
        """
        from scipy.linalg import solve_continuous_lyapunov

        found, scale = [], self.scale
        n = len(scale)
        directions = np.random.default_rng(0).normal(size=(400, n))
        directions /= np.linalg.norm(directions, axis=1)[:, None]
        for centre in fixed_points:
            rows = self.field.jacobian(*centre, self.current, *self.values)
            matrix = np.array(rows, dtype=float) * scale[None, :] / scale[:, None]
            metric = solve_continuous_lyapunov(matrix.T, -np.eye(n) / self.p["tau"])
            try:
                axes = np.linalg.inv(np.linalg.cholesky(metric)).T
            except np.linalg.LinAlgError:  # stable by rounding only
                continue
            room = (self.p["threshold"] - centre[0]) / scale[0]
            level = (room / np.linalg.norm(axes[0])) ** 2
            for _ in range(80):
                edge = np.sqrt(level) * directions @ axes.T
                flow = self.rates((centre + edge * scale).T).T / scale
                if np.all(np.einsum("ki,ij,kj->k", edge, metric, flow) < 0):
                    found.append(Basin(centre, metric / np.outer(scale, scale), level))
                    break
                level /= 2
        return found

    def to_spike(self, x: Floats, basins: Sequence[Basin]) -> tuple[float, Floats] | None:
        """Return when the neuron spikes and its states then; None where it comes to rest.

        Raises
        ------
        Undecided
            Where it does neither for long.
        """
        from scipy.integrate import solve_ivp

        if x[0] >= self.p["threshold"]:
            return 0.0, x
        if any(basin.height(x) <= 0 for basin in basins):
            return None
        tau, unit, scale = self.p["tau"], self.way / 10, self.scale
        lowest = self.p["threshold"] - LOST * self.way

        rates, rest_of = self.field.scalar_rates, (self.current, *self.values)

        def flow(_: float, y: Floats) -> list[float]:
            dv, *others = rates(*y.tolist()[:-1], *rest_of)
            pace = tau / hypot(1.0, tau * dv / unit)
            return [dv * pace, *(one * pace for one in others), pace]

        def spike(_: float, y: Floats) -> float:
            return float(y[0] - self.p["threshold"])

        def rest(_: float, y: Floats) -> float:
            heights = [basin.height(y[:-1]) / basin.level for basin in basins]
            return min([*heights, float(y[0] - lowest) / self.way])

        def late(_: float, y: Floats) -> float:
            return float(y[-1] - PATIENCE * self.slowest)

        events: list[Any] = [spike, rest, late]
        for event in events:
            event.terminal = True
        run = solve_ivp(
            flow, (0, np.inf), [*x, 0.0], "DOP853", events=events,
            rtol=TOLERANCE, atol=TOLERANCE * 1e-2 * np.append(scale, tau),
        )  # fmt: skip
        if run.status != 1 or len(run.t_events[2]):
            raise Undecided(
                f"it neither spikes nor comes to rest within {run.y[-1, -1]:.3g} s: the current is "
                "too near the one that decides"
            )
        if len(run.t_events[1]):
            return None
        end = run.y_events[0][0]
        return float(end[-1]), end[:-1]

    def after_spike(self, x: Floats) -> Floats:
        """Return the states when a neuron that spiked at ``x`` is released again."""
        from scipy.integrate import solve_ivp

        others, v = x[1:] + self.jumps, self.p["v_reset"]
        if self.t_ref > 0:
            run = solve_ivp(
                lambda _, y: self.rates([v, *y])[1:], (0, self.t_ref), others, "DOP853",
                rtol=TOLERANCE, atol=TOLERANCE * 1e-2 * self.scale[1:],
            )  # fmt: skip
            others = run.y[:, -1]
        return np.array([v, *others])

    def rate(self, start: Floats, resting: Sequence[Floats]) -> float:
        """Return the steady rate of a neuron that starts at ``start``; 0 where it comes to rest.

        Parameters
        ----------
        start : ndarray
            All states.
        resting : sequence of ndarray
            The stable fixed points below the threshold.
        """
        basins = self.basins(resting)
        spike = self.to_spike(start, basins)
        if spike is None:
            return 0.0
        states, intervals = [self.after_spike(spike[1])], [spike[0] + self.t_ref]
        settled: int | None = None
        since, leaps, share = 0, 0, 1.0
        for _ in range(MOST):
            leap = self._leap(states[since:]) if leaps < LEAPS else None
            if leap is not None:
                # Where a neuron that is moved too far rests, or goes on less steadily than before,
                # it is moved a shorter way.
                leaps += 1
                there = states[-1] + share * leap
                found = self._next(there, basins)
                if found and self._size(found[1] - there) < self._size(states[-1] - states[-2]):
                    since = len(states)
                    states += [there, found[1]]
                    intervals += [np.nan, found[0]]
                    share, settled = min(1.0, 2 * share), None
                    continue
                share /= 4
            found = self._next(states[-1], basins)
            if found is None:
                return 0.0
            states.append(found[1])
            intervals.append(found[0])
            pattern = self._pattern(states[since:])
            if pattern:
                return pattern / sum(intervals[-pattern:])
            if settled is None and np.nansum(intervals) > DECAYED * self.slowest:
                settled = len(intervals)
            if settled is not None and len(intervals) >= settled + SPIKES:
                return SPIKES / sum(intervals[-SPIKES:])
        raise Undecided(f"after {MOST} spikes its intervals still change")

    def _next(self, state: Floats, basins: Sequence[Basin]) -> tuple[float, Floats] | None:
        """Return the interval from one spike to the next and the states after it; None at rest."""
        spike = self.to_spike(state, basins)
        return None if spike is None else (spike[0] + self.t_ref, self.after_spike(spike[1]))

    def _size(self, way: Floats) -> float:
        return float(np.linalg.norm(way / self.scale))

    def _same(self, a: Floats, b: Floats) -> bool:
        size = np.maximum(self.scale, np.maximum(np.abs(a), np.abs(b)))
        return bool(np.all(np.abs(a - b)[1:] <= SAME * size[1:]))

    def _pattern(self, states: list[Floats]) -> int:
        """Return after how many spikes the last state came again; 0 where it did not."""
        for n in range(1, min(LONGEST_PATTERN, len(states) - 1) + 1):
            if self._same(states[-1], states[-1 - n]):
                return n
        return 0

    def _leap(self, states: list[Floats]) -> Floats | None:
        """Return what is left of the way, where it goes to its end geometrically (Aitken)."""
        if len(states) < 5:
            return None
        steps = np.diff(np.array(states[-5:]), axis=0) / self.scale
        before, after = steps[:-1], steps[1:]
        squares = np.einsum("ki,ki->k", before, before)
        if np.any(squares == 0):
            return None
        ratios = np.einsum("ki,ki->k", after, before) / squares
        aside = np.linalg.norm(after - ratios[:, None] * before, axis=1)
        # Negative ones near -1 may come from a pattern of two.
        if np.ptp(ratios) > EVEN * abs(ratios[-1]) or not -0.8 < ratios[-1] < 1:
            return None
        if np.any(aside > EVEN * np.linalg.norm(after, axis=1)):
            return None
        return np.asarray(steps[-1] * self.scale * ratios[-1] / (1 - ratios[-1]))
