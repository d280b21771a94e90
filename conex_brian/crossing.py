"""The reset of a neuron whose membrane has no closed form: when, where, and on to the step's end.

It runs for spiking neurons only. A leaky membrane goes back from the step's end to the threshold,
with ``v`` as the independent variable (Hénon, Physica D 5 (1982) 412); an exponential one goes
there from the state that the watch has kept (see `conex_brian.upswing`), or back too where it has
come up within the step. From there the jumps, the refractory period, and the rest of the step.
"""

from __future__ import annotations

from conex_brian import upswing
from conex_brian.expressions import renamed
from conex_brian.flow import Flow, State, runge_kutta
from conex_brian.options import NEVER_TEXT, OVER

#: By so many steps the rest of a step after a spike may be longer than the step.
LATEST = 20

#: Steps of a leaky membrane back to the threshold, and the shares of those from the reset on.
BACK, ON = 2, (1,)


def reset(flow: Flow, period: str | None, current_next: str) -> str:
    """Return the statements of a spike.

    Parameters
    ----------
    flow : Flow
        The right-hand sides.
    period : str or None
        The refractory period, an expression for a time.
    current_next : str
        The input at the step's end.
    """
    exponential = bool(flow.share)
    spike = upswing.SPIKE if exponential else "threshold"
    states = ["v", *flow.others]
    code = ["_up = 1.0*int(t_seen > t - 1.5*dt)", "_time = _up*t_kept + (1 - _up)*(t + dt)"]
    code += [f"_{y} = _up*{y}_kept + (1 - _up)*{y}" for y in states]
    code.append("_earliest = _up*t_kept + (1 - _up)*t")
    if exponential:
        code += [f"_old_{y} = _{y}" for y in flow.others]
        upswing.to_threshold(flow, code)
        # Where v does not rise all the way, nothing is known of the others on it.
        code.append("_sane = 1.0*int(_time >= _earliest - dt)*int(_time <= t + 2*dt)")
        code += [f"_n_{y} = _sane*_{y} + (1 - _sane)*_old_{y}" for y in flow.others]
        code += [f"_{y} = _n_{y}" for y in flow.others]
        # The group's step may have come a little early.
        code.append("t_spike = clip(_time, _earliest, t + 1.25*dt)")
    else:
        rate = flow.at(flow.rest, {y: f"_{y}" for y in states}, "t")
        code.append(f"_fallen = 1.0*int(({rate})*second <= 0*threshold)*(1 - _up)")
        to_threshold(flow, code)
        code.append("_crossing = clip(_time, _earliest, t + dt)")
        code.append("t_spike = _fallen*t + (1 - _fallen)*_crossing")
    code += [f"_{y} = _{y} + ({jump})" for y, jump in flow.jumps.items()]
    code += ["_time = t_spike", "_v = v_reset"]
    if period is not None:
        code += [
            f"t_release = t_spike + ({period})",
            f"_later = 1.0 - int({OVER})",
        ]
        flow.held(code, "t_release - t_spike + _later*(t + dt - t_release)", "v_reset")
    code += ["t_kept = _time", *(f"{y}_kept = _{y}" for y in states)]
    now = "" if period is None else "*(1 - _later)"
    go_on(flow, code, f"(t + dt - _time){now}", "v_reset")
    # Over the threshold again before the step ends: the next spike comes in the next step.
    code.append(f"_again = 1.0*int(_v >= {spike}){now}")
    end = f"clip(_v, {upswing.LOWEST}, {spike})" if exponential else "_v"
    code.append(f"_end = _again*{spike} + (1 - _again)*({end})")
    if exponential:
        # A reset into the upswing is where the watch begins.
        rising = f"1.0*int(v_reset >= {upswing.BEGIN})*int(_v - v_reset >= _least){now}"
        code += [
            f"_least = {upswing.least_rise('v_reset', '_rest')}",
            f"_on = clip(_again + {rising}, 0, 1)",
        ]
    else:
        code.append("_on = _again")
    code += [f"t_seen = _on*t + (1 - _on)*({NEVER_TEXT})", "v = _end"]
    if exponential:
        code.append(
            f"I_seen = {renamed(current_next, v='_end', **{y: f'_{y}' for y in flow.others})}"
        )
        code += ["v_seen = _end", *(f"{y}_seen = _{y}" for y in flow.others)]
    return "\n".join(code + [f"{y} = _{y}" for y in flow.coupled])


def release(flow: Flow, current: str) -> str:
    """Return what a neuron executes at the start of the step in which its refractory period ends.

    It is put where the free membrane has to be, in order to be at the reset then.

    Parameters
    ----------
    flow : Flow
        The right-hand sides.
    current : str
        The input at the step's start.
    """
    # One time a neuron: Brian2 lets no shared name be set again.
    code = ["_time = t + 0*t_release", *(f"_{y} = {y}" for y in ["v", *flow.others])]
    flow.held(code, "t_release - t", "v")
    if flow.share:
        # A release into the upswing is where the watch begins.
        code += ["t_kept = _time", *(f"{y}_kept = _{y}" for y in ["v", *flow.others])]
    go_on(flow, code, "t - _time", None)
    if flow.share:
        code += [
            f"_end = clip(_v, {upswing.LOWEST}, {upswing.SPIKE})",
            f"_least = {upswing.least_rise('v', '(-_rest)')}",
            f"_on = 1.0*int(v - _v >= _least)*int(_end >= {upswing.BEGIN})",
            f"t_seen = _on*(t - dt) + (1 - _on)*({NEVER_TEXT})",
            *(f"{y}_seen = {f'_{y}' if y in flow.coupled else y}" for y in flow.others),
            "v_seen = _end",
            f"I_seen = {renamed(current, v='_end', **{y: f'_{y}' for y in flow.coupled})}",
            "v = _end",
        ]
    else:
        code.append("v = _v")
    return "\n".join(code + [f"{y} = _{y}" for y in flow.coupled])


def go_on(flow: Flow, code: list[str], h: str, start: str | None) -> None:
    """Append: ``_v``, the others and ``_time`` go on by ``h``, which ``_rest`` keeps.

    ``start`` is what ``_v`` is, where it is a parameter.
    """
    shares = upswing.FROM_RESET if flow.share else ON
    # A method's blow-up may be many steps late, Euler's six at times. Longer only where ever more
    # spikes are owed, which has no accuracy to lose.
    code.append(f"_rest = clip({h}, -2*dt, {LATEST}*dt)")
    for number, share in enumerate(shares):
        part = f"_part_{number}"
        code.append(f"{part} = _rest*{share}/{sum(shares)}")
        if flow.share:
            begin = None if number else start
            upswing.step(flow, code, part, "_time", "I", start=begin)
            code += [f"_n_time = _time + {part}", "_time = _n_time"]
        else:
            flow.free(code, part, "I")


def to_threshold(flow: Flow, code: list[str]) -> None:
    """Append: ``_v`` goes to the threshold, the others and ``_time`` with it."""

    def at(code: list[str], tag: str, state: State, v: str) -> dict[str, str]:
        values = {**{y: state[y] for y in flow.others}, "v": v}
        code.append(f"_slope_{tag} = {flow.at(flow.rest, values, state['time'])}")
        # A membrane that does not rise there has no time of its own: it gets one, and the reset
        # keeps it within the step.
        least = "1e-6*(threshold - v_reset)/tau"
        code.append(f"_ptime_{tag} = 1/clip(_slope_{tag}, {least}, inf*({least}))")
        for y, rate in flow.others.items():
            code.append(f"_p{y}_{tag} = _ptime_{tag}*({flow.at(rate, values, state['time'])})")
        return {name: f"_p{name}_{tag}" for name in ("time", *flow.others)}

    code += ["_s = _v", f"_ds = (threshold - _s)/{BACK}"]
    for _ in range(BACK):
        runge_kutta(code, ["time", *flow.others], "_s", "_ds", at)
