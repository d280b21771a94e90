"""Precise spikes where the membrane has no closed form: ELIF, AELIF, and LIF with any input.

Everything is integrated by the classical Runge-Kutta method, in the reset, for spiking neurons
only: from the step's end back to the threshold, which gives the spike's time, and from the reset on
to the step's end. For a leaky membrane ``v`` itself is the independent variable of the way to the
threshold (Hénon, Physica D 5 (1982) 412).

An exponential one blows up in finite time, where no step in ``v`` is accurate. In the coordinate

    x = log(1 + exp((theta_rh - v)/delta)),   dx/dt = -(1 - exp(-x))*dv/dt/delta

it does not: x is (theta_rh - v)/delta far below theta_rh, and falls with slope 1/tau through the
spike, which is where x is (almost) 0. What is left there is a term x*log(x), smooth enough in
``s = x**(1/3)``, the independent variable of the way to the threshold.

As soon as a step starts above ``v_upswing``, from where the upswing takes no more than a few steps,
the neuron takes its own step in x, ``v_grown``, in place of the group's. That happens in an event
before the group's step: it meets few neurons at a time, and nothing is kept from step to step but
the state at the step's start. Input, kicks by synapses and a reset into the upswing (bursting
models) need no care of their own.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from brian2 import Quantity, get_dimensions

from conex_brian.expressions import identifiers, renamed
from conex_brian.inputs import CONSTANT

if TYPE_CHECKING:
    from conex_brian.models import LIF

#: The exponential in a model's F, and the name that takes its place.
EXPONENTIAL, MARK = "exp((v - theta_rh)/delta)", "_exponential"

#: A group's own step is used while exp((theta_rh - v)/delta) is at least this many dt/tau: rk4 then
#: loses 0.07*dt/STEPS_LEFT**3.
STEPS_LEFT = 6

#: Variables: from where a neuron takes its own step, and the largest v of the group's step.
BOUND = "v_bound"
BOUNDS = ("v_upswing", BOUND)

#: Steps of the ways to the threshold, on from the reset, and through a refractory period.
TO_THRESHOLD, FROM_RESET, HELD, GROWTH = 6, 2, 2, 3
GRADE = 2

#: A million voltage ranges below: no trajectory that means anything gets there.
LOWEST = "v_reset - 1e6*(threshold - v_reset)"


def bounds(neuron: LIF, dt: float) -> dict[str, Quantity]:
    """Return the values of `BOUNDS` for a time step of ``dt`` seconds."""
    names = ("theta_rh", "delta", "tau", "threshold", "v_reset")
    theta_rh, delta, tau, threshold, v_reset = (np.asarray(getattr(neuron, n)) for n in names)
    upswing = theta_rh + delta * np.clip(np.log(tau / (STEPS_LEFT * dt)), 1, 300)
    bound = np.maximum(np.minimum(np.maximum(threshold, upswing + 2 * delta),
                                  theta_rh + 300 * delta), v_reset)  # fmt: skip
    dim = get_dimensions(neuron.v_rest)
    found = {"v_upswing": np.minimum(threshold, upswing), "v_bound": bound}
    return {name: Quantity(value, dim=dim) for name, value in found.items()}


State = Mapping[str, str]
#: (statements, tag, state, clock) -> names of the derivatives that the statements compute.
Derivatives = Callable[[list[str], str, State, str], dict[str, str]]


def runge_kutta(code: list[str], names: list[str], clock: str, h: str, at: Derivatives) -> None:
    """Append one classical step of ``h`` in ``clock`` for the variables ``_name``.

    Nothing is added to in place: Brian2's numpy code would change what else has the same array.
    """
    stages: list[dict[str, str]] = []
    for tag, part in zip("ABCD", ("0", "0.5", "0.5", "1"), strict=True):
        state, now = {name: f"_{name}" for name in names}, clock
        if stages:
            state = {name: f"(_{name} + {part}*{h}*{stages[-1][name]})" for name in names}
            now = f"({clock} + {part}*{h})"
        stages.append(at(code, tag, state, now))
    for name in names:
        a, b, c, d = (stage[name] for stage in stages)
        code.append(f"_n_{name} = _{name} + {h}/6*({a} + 2*{b} + 2*{c} + {d})")
        code.append(f"_{name} = _n_{name}")
    code += [f"_n{clock} = {clock} + {h}", f"{clock} = _n{clock}"]


@dataclass(frozen=True)
class Flow:
    """The right-hand sides of a model with its input, and statements that integrate them.

    Attributes
    ----------
    rates : mapping
        State variable -> its time derivative; v's has `MARK` for the exponential.
    jumps : mapping
        State variable -> what a spike adds.
    kind : str
        The kind of input.
    """

    rates: Mapping[str, str]
    jumps: Mapping[str, str]
    kind: str

    @property
    def others(self) -> list[str]:
        """The state variables but ``v``."""
        return [name for name in self.rates if name != "v"]

    @property
    def coupled(self) -> list[str]:
        """The others that a spike changes, or ``v`` by way of their equations."""
        found = {"v", *self.jumps}
        for _ in self.rates:
            found |= {name for name, rate in self.rates.items() if identifiers(rate) & found}
        return [name for name in self.others if name in found]

    @property
    def exponential(self) -> bool:
        """Whether ``x`` is the coordinate of the upswing, or ``v`` itself."""
        return MARK in self.rates["v"]

    def rate(self, name: str, state: State, time: str, current: str) -> str:
        """Return a time derivative at a point as text."""
        # An input of kind CONSTANT is what it was at the step's start.
        now = {} if self.kind == CONSTANT else {"t": time}
        return renamed(self.rates[name], **state, **now, I=current)

    def at_point(
        self, code: list[str], tag: str, state: State, time: str, current: str
    ) -> dict[str, str]:
        """Append the time derivatives of ``_x`` and the others."""
        values = {name: text for name, text in state.items() if name not in ("x", "time")}
        x = state["x"]
        if self.exponential:
            code += [
                f"_x_{tag} = clip({x}, 1e-300, 1e300)",
                f"_q_{tag} = -expm1(-_x_{tag})",
                f"_v_{tag} = theta_rh - delta*(_x_{tag} + log(_q_{tag}))",
            ]
            values |= {"v": f"_v_{tag}", MARK: f"((1 - _q_{tag})/_q_{tag})"}
            slope = f"-_q_{tag}/delta*({self.rate('v', values, time, current)})"
        else:
            values["v"] = x
            slope = self.rate("v", values, time, current)
        code.append(f"_dx_{tag} = {slope}")
        for y in self.others:
            code.append(f"_d{y}_{tag} = {self.rate(y, values, time, current)}")
        return {name: f"_d{name}_{tag}" for name in ("x", *self.others)}

    def in_time(self, code: list[str], h: str, steps: int, current: str, name: str = "_dt") -> None:
        """Append: ``_x``, the others and ``_time`` go on by ``h``."""

        def at(code: list[str], tag: str, state: State, time: str) -> dict[str, str]:
            return self.at_point(code, tag, state, time, current)

        code.append(f"{name} = ({h})/{steps}")
        for _ in range(steps):
            runge_kutta(code, ["x", *self.others], "_time", name, at)

    def held(self, code: list[str], h: str, v: str) -> None:
        """Append: the others and ``_time`` go on by ``h`` while ``v`` stays."""

        def at(code: list[str], tag: str, state: State, time: str) -> dict[str, str]:
            for y in self.others:
                code.append(f"_d{y}_{tag} = {self.rate(y, {**state, 'v': v}, time, 'I')}")
            return {y: f"_d{y}_{tag}" for y in self.others}

        code.append(f"_dt = ({h})/{HELD}")
        for _ in range(HELD):
            runge_kutta(code, self.others, "_time", "_dt", at)

    def to_threshold(self, code: list[str]) -> None:
        """Append: ``_x`` goes to ``_x_threshold``, the others and ``_time`` with it."""

        def at(code: list[str], tag: str, state: State, s: str) -> dict[str, str]:
            x, inner = (f"{s}**3", f"-3*{s}**2") if self.exponential else (s, "1")
            d = self.at_point(code, tag, {**state, "x": x}, state["time"], "I")
            # A membrane that does not rise there has no time of its own: it gets one, and the
            # reset keeps it within the step.
            slope, least = (f"-{d['x']}", "1e-6/tau")
            if not self.exponential:
                slope, least = d["x"], "1e-6*(threshold - v_reset)/tau"
            code.append(f"_ptime_{tag} = {inner}/clip({slope}, {least}, inf*({least}))")
            for y in self.others:
                code.append(f"_p{y}_{tag} = _ptime_{tag}*{d[y]}")
            return {name: f"_p{name}_{tag}" for name in ("time", *self.others)}

        root = "**(1.0/3)" if self.exponential else ""
        code.append(f"_s = _x{root}")
        code.append(f"_ds = (_x_threshold{root} - _s)/{TO_THRESHOLD}")
        for _ in range(TO_THRESHOLD):
            runge_kutta(code, ["time", *self.others], "_s", "_ds", at)

    def x_of(self, v: str) -> str:
        """Return the coordinate at ``v``."""
        y = f"((theta_rh - ({v}))/delta)"
        return f"clip({y}, 0, inf) + log1p(exp(-abs({y})))" if self.exponential else v

    @property
    def v_of_x(self) -> str:
        """What ``v`` is at ``_x``."""
        if not self.exponential:
            return "_x"
        return "theta_rh - delta*(_x + log(-expm1(-clip(_x, 1e-300, 1e300))))"

    @property
    def over(self) -> str:
        """The condition that ``_x`` is at the threshold or over it."""
        return "_x <= _x_threshold" if self.exponential else "_x >= _x_threshold"

    def reset(self, period: str | None, current_then: str) -> str:
        """Return the statements of a spike.

        Parameters
        ----------
        period : str or None
            The refractory period.
        current_then : str
            The input at ``_start``, the start of the step of the release.
        """
        here = "clip(owed + int(t_kept == t), 0, 1)" if self.exponential else "owed"
        code = [f"_up = {here}"]
        code += [f"_{y} = {y} + _up*({y}_kept - {y})" for y in self.others]
        code += [
            "_time = t + dt + _up*(t_kept - t - dt)",
            f"_x = {self.x_of('v + _up*(v_kept - v)')}",
            f"_x_threshold = {self.x_of('threshold')}",
        ]
        if not self.exponential:
            d = self.at_point(code, "O", {"x": "_x", **{y: f"_{y}" for y in self.others}}, "t", "I")
            code.append(f"_fallen = int({d['x']} <= 0*({d['x']}))*(1 - _up)")
        self.to_threshold(code)
        code.append("t_spike = clip(_time, t + owed*(t_kept - t), t + dt)")
        if not self.exponential:
            code.append("t_spike = t_spike + _fallen*(t - t_spike)")
        code += [f"_{y} = _{y} + ({jump})" for y, jump in self.jumps.items()]
        code.append("_time = t_spike")
        if period is not None:
            code.append(f"t_release = t_spike + ({period})")
            self.held(code, "t_release - t_spike", "v_reset")
        code += ["v_kept = v_reset", "t_kept = _time"]
        code += [f"{y}_kept = _{y}" for y in self.others]
        code.append(f"_x = {self.x_of('v_reset')}")
        if period is None:
            self.in_time(code, "t + dt - _time", FROM_RESET, "I")
            code.append(f"owed = int({self.over})")
        else:
            code += [
                "_start = clip(timestep(t_release, dt)*dt, t + dt, inf*second)",
                "_later = int(t_release >= t + dt)",
                f"_I_then = I + _later*({current_then} - I)",
            ]
            self.in_time(code, "_start - t_release", FROM_RESET, "_I_then")
            code.append(f"owed = int({self.over})*(1 - _later)")
        code.append(f"v = clip({self.v_of_x}, {LOWEST}, threshold)")
        code.append("v = owed*threshold + (1 - owed)*v")
        if period is not None:
            self.held(code, "t + dt - _start", "v")
        code += [f"{y} = _{y}" for y in self.coupled]
        return "\n".join(code)

    def growth(self) -> str:
        """Return the statements for a neuron in the upswing, before the group's step."""
        code = [f"{y}_kept = (1 - owed)*{y} + owed*{y}_kept" for y in self.others]
        code += [
            "v_kept = (1 - owed)*v + owed*v_kept",
            "t_kept = (1 - owed)*t + owed*t_kept",
            *(f"_{y} = {y}" for y in self.others),
            "_time = t_kept",
            f"_x = {self.x_of('v')}",
            f"_x_threshold = {self.x_of('threshold')}",
        ]
        # Shorter and shorter towards the step's end, where a blow-up in the next step may be near.
        for k in range(GROWTH):
            part = (1 - k / GROWTH) ** GRADE - (1 - (k + 1) / GROWTH) ** GRADE
            self.in_time(code, f"{part!r}*dt", 1, "I", f"_dt_{chr(97 + k)}")
        code += [
            f"v_grown = clip({self.v_of_x}, {LOWEST}, threshold)",
            f"_spikes = clip(int({self.over}) + int(v >= threshold), 0, 1)",
            "v_grown = _spikes*threshold + (1 - _spikes)*v_grown",
            *(f"{y}_grown = _{y}" for y in self.coupled),
        ]
        return "\n".join(code)
