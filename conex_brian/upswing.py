"""The upswing of a spike in exponential models: ELIF, AELIF and what derives from them.

There ``v`` blows up in finite time, and a step of a given length in ``v`` is inaccurate from a few
time steps before. In ``u = exp((theta_rh - v)/delta)`` it is not: ``u`` falls to 0 with slope
``-1/tau``. Three things follow.

**A step for all neurons.** With ``v = l - delta*log(q)``, ``q = 1`` at the step's start,

    dl/dt = (dv/dt without the exponential),   dq/dt = -exp((l - theta_rh)/delta)/tau

hold exactly. Where the exponential is small ``q`` stays 1, and the classical Runge-Kutta method in
``l`` and ``q`` is the one in ``v``; in the upswing ``l`` stands, and ``q`` falls linearly. It loses
no accuracy until about four steps are left, and needs two exponentials where the classical method
in ``v`` needs four: the others follow from small differences, the logarithms from their series.

**A watch over the last steps.** From ``v_upswing`` on, the state at the first step's start is kept
while ``v`` goes on rising and nothing else changes (a synapse, the input): ``t_kept``, ``v_kept``
and so on. That happens in an event, which meets few neurons at a time.

**The way to the threshold**, in the reset, from the state that was kept. The independent variable
(Hénon, Physica D 5 (1982) 412) is a root of ``x = log(1 + u)``: ``x`` is ``u`` in the upswing and
``(theta_rh - v)/delta`` far below, and the root makes what is left of ``u*log(u)`` smooth enough.
"""

from __future__ import annotations

from conex_brian.flow import Flow, State, runge_kutta
from conex_brian.models import ELIF
from conex_brian.options import NEVER_TEXT

#: Where the watch begins, as u: where 0.7*sqrt(tau/dt) steps are left, but not fewer than this
#: many. Were it always the same number, the order would be lost.
STEPS_LEFT = 5
#: The same for Euler's method and rk2 in v, which keep their order only far from the blow-up.
LAST_OF_ORDER = 0.3

#: Steps of the way to the threshold.
TO_THRESHOLD = 8
#: The shares of the steps from the reset on. The first is the shortest: a reset far above
#: ``theta_rh`` is in an upswing, and where several spikes were owed many time steps are left.
FROM_RESET = (1, 3, 9)

#: The independent variable of the way to the threshold is this root of time.
POWER = 3

#: Variables: where the watch begins, and the largest v on the right-hand sides of Euler's method
#: and rk2.
BEGIN, BOUND = "v_upswing", "v_bound"

#: What they follow from, besides the time step.
CONSTANTS_OF = ("theta_rh", "delta", "tau", "threshold", "v_reset")

#: A million voltage ranges below and above: no trajectory that means anything gets there.
LOWEST = "v_reset - 1e6*(threshold - v_reset + delta)"
#: The same in models without delta.
LOWEST_WITHOUT = LOWEST.replace(" + delta", "")
HIGHEST = "threshold + 1e6*(threshold - v_reset + delta)"

#: Where the spike is: beyond it, what is left of the upswing takes no time.
SPIKE = ELIF.upper_bound

#: How fast v has to rise while a neuron is watched, compared with the blow-up. The way to the
#: threshold would need many steps where v hardly rises.
RISING = 0.3


def constants(own_step: bool) -> dict[str, str]:
    """Return expressions for `BEGIN` and, where the group's step is Brian2's, for `BOUND`."""
    steps = "clip(dt/tau, 0, 1)"
    u = f"clip(0.7*sqrt({steps}), {STEPS_LEFT}*{steps}, inf)" if own_step else f"{LAST_OF_ORDER}"
    begin = f"theta_rh - delta*log(clip({u}, 0, 1))"
    texts = {BEGIN: f"clip({begin}, -inf*delta, {SPIKE})"}
    if not own_step:
        highest = "clip(theta_rh + 302*delta, v_reset, inf*delta)"
        texts[BOUND] = f"clip(clip({begin} + 2*delta, {SPIKE}, inf*delta), v_reset, {highest})"
    return texts


def series(code: list[str], x: str) -> str:
    """Append what ``-log(1 - x)`` needs in stages, where x is at most 1/8 while it matters.

    Return its text. Here and below powers are summed in pairs: a loop over neurons takes as long
    as the longest chain of operations.
    """
    code.append(f"_square{x} = {x}*{x}")
    return f"({x} + _square{x}*((0.5 + {x}/3) + _square{x}*(0.25 + 0.2*{x})))"


def small_exponential(code: list[str], name: str, x: str) -> str:
    """Append what computes ``exp(x)`` for small x, and return its text."""
    code += [
        f"_x{name} = clip(0.25*({x}), -2, 2)",
        f"_y{name} = _x{name}*_x{name}",
        f"_p{name} = (1 + _x{name}) + _y{name}*((0.5 + _x{name}/6) + _y{name}/24)",
        f"_q{name} = _p{name}*_p{name}",
    ]
    return f"_q{name}*_q{name}"


def step(
    flow: Flow,
    code: list[str],
    h: str,
    time: str,
    current: str,
    free: str | None = None,
    start: str | None = None,
) -> None:
    """Append: ``_v`` and the others go on by one step of order 4.

    Parameters
    ----------
    flow : Flow
        The right-hand sides.
    code : list of str
        What the statements are appended to.
    h, time : str
        The names of the step's length and of its start.
    current : str
        The input, where it is constant within a step.
    free : str, optional
        What ``v`` and its changes are multiplied by: 0 in a refractory period, else 1.
    start : str, optional
        What ``_v`` is, where it is a parameter: what follows from it alone is computed outside
        the loop over neurons.
    """
    masked = f"{free}*" if free else ""
    middle = f"({time} + 0.5*{h})"
    # The fall of q in each stage. It is negative only where time runs backwards; a bound on one
    # side is one instruction.
    falls: dict[str, str] = {}
    least, least_of_all = ("-inf", "-inf") if h == "dt" else ("-1", "-2")

    def named(name: str, text: str, v: str) -> str:
        if v == start:
            return f"({text})"
        code.append(f"{name} = {text}")
        return name

    def rates(tag: str, state: State, now: str, exponential: str) -> None:
        code.append(f"_k{tag} = {masked}{h}*({flow.at(flow.rest, state, now, current)})")
        within = dict(state)
        if flow.others:
            # Where adaptation runs away (alpha*R < -1, or too long a step) it must not overflow.
            v = state["v"]
            within["v"] = named(f"_w{tag}", f"clip({v}, {LOWEST}, {HIGHEST})", v)
        for y, rate in flow.others.items():
            code.append(f"_m{y}_{tag} = {h}*({flow.at(rate, within, now, current)})")
        share = flow.at(flow.share, state, now, current)
        falls[tag] = f"{masked}{h}*({share})*{exponential}"

    def stage(tag: str, before: str, part: str, now: str, exponential: str) -> None:
        # The exponential's part of this stage. Beyond 1, v blows up within the step.
        code.append(f"_x{tag} = clip({part}*({falls[before]}), {least}, 1)")
        risen = series(code, f"_x{tag}")
        code.append(f"_v{tag} = _v + {part}*_k{before} + delta*{risen}")
        others = {y: f"(_{y} + {part}*_m{y}_{before})" for y in flow.others}
        rates(tag, {"v": f"_v{tag}", **others}, now, exponential)

    # The exponents' bound changes nothing: exp(200) is beyond a spike.
    v = start or "_v"
    exponential = named("_eA", f"exp(clip(({v} - theta_rh)/delta, -inf, 200))", v)
    rates("A", {"v": v, **{y: f"_{y}" for y in flow.others}}, time, exponential)
    code.append("_g = exp(clip(0.5*_kA/delta, -inf, 200))")
    code.append(f"_eB = {exponential}*_g")
    stage("B", "A", "0.5", middle, "_eB")
    code.append(f"_eC = _eB*{small_exponential(code, 'r', '0.5*(_kB - _kA)/delta')}")
    stage("C", "B", "0.5", middle, "_eC")
    code.append(f"_eD = _eB*_g*{small_exponential(code, 's', '(_kC - _kA)/delta')}")
    stage("D", "C", "1", f"({time} + {h})", "_eD")
    code += [
        f"_fall = ({falls['A']} + 2*{falls['B']} + 2*{falls['C']} + {falls['D']})/6",
        f"_x = clip(_fall, {least_of_all}, 1)",
        # -log(1 - x), exact to 1e-9 up to x = 1/4; beyond 1 it is a spike.
        "_z = _x/(2 - _x)",
        "_zz = _z*_z",
        "_rise = 2*_z + 2*_z*_zz*((1.0/3 + _zz/5) + _zz*_zz*(1.0/7 + _zz/9)) + 700*int(_x >= 1)",
        "_n_v = _v + (_kA + 2*_kB + 2*_kC + _kD)/6 + delta*_rise",
        "_v = _n_v",
    ]
    for y in flow.others:
        total = f"_m{y}_A + 2*_m{y}_B + 2*_m{y}_C + _m{y}_D"
        code += [f"_n_{y} = _{y} + ({total})/6", f"_{y} = _n_{y}"]


def whole_step(flow: Flow, refractory: bool) -> str:
    """Return the statements of a group's time step."""
    free = "_free" if refractory else None
    code = ["_free = 1.0*int(not_refractory)"] if refractory else []
    code += [f"_{y} = {y}" for y in ("v", *flow.others)]
    step(flow, code, "dt", "t", "I", free)
    code.append(f"v = clip(_v, {LOWEST}, {HIGHEST})")
    return "\n".join(code + [f"{y} = _{y}" for y in flow.others])


def watch(flow: Flow, current_next: str) -> tuple[str, str]:
    """Return what watched neurons execute before and after the group's step.

    Parameters
    ----------
    flow : Flow
        The right-hand sides.
    current_next : str
        The input at the step's end, as it will be if nothing else changes.
    """
    # Sums are rounded differently in different loops: nearly the same current is the same.
    same = "1.0*int(t_seen > t - 1.5*dt)*int(v == v_seen)"
    same += "".join(f"*int({y} == {y}_seen)" for y in flow.others)
    same += "*int(abs(I - I_seen) <= 1e-9*(abs(I) + abs(I_seen)))"
    before = [
        f"_new = 1 - {same}",
        "t_kept = _new*t + (1 - _new)*t_kept",
    ]
    for y in ("v", *flow.others):
        before.append(f"{y}_kept = _new*{y} + (1 - _new)*{y}_kept")
    before.append("v_seen = v")
    # Over the threshold when the step starts is a spike, wherever v goes from there.
    after = [
        f"_spike = {SPIKE}",
        "_over = 1.0*int(v_seen >= _spike)",
        f"_rises = 1.0*int(v >= _spike) + int(v - v_seen >= {least_rise('v_seen', 'dt')})",
        "_on = clip(_over + _rises, 0, 1)",
        f"t_seen = _on*t + (1 - _on)*({NEVER_TEXT})",
        f"I_seen = {current_next}",
        *(f"{y}_seen = {y}" for y in flow.others),
        "_v = _over*clip(v, _spike, inf*delta) + (1 - _over)*v",
        "v_seen = _v",
        "v = _v",
    ]
    return "\n".join(before), "\n".join(after)


def least_rise(v: str, h: str) -> str:
    """Return by how much ``v`` has to rise in a time of ``h``, lest the watch begin anew."""
    return f"{RISING}*delta*clip({h}/tau*exp(clip(({v} - theta_rh)/delta, -300, 300)), 0, 1)"


def to_threshold(flow: Flow, code: list[str]) -> None:
    """Append: ``_v`` goes to the threshold, the others and ``_time`` with it.

    Where a rate is linear in ``v``, like omega's, its term in ``log(u)`` is integrated in closed
    form: no step is accurate where it is infinite. ``_z`` is its integral, ``u*log(u) - u``.
    """
    endless = {
        y: f"_fine*({gain})*delta/({flow.share})"
        for y, rate in flow.others.items()
        if (gain := flow.gain(rate)) is not None
    }

    def state_at(state: State, tag: str) -> State:
        """The state at a node: the variables less what is in closed form."""
        values = {"v": f"_v{tag}"}
        for y in flow.others:
            values[y] = f"({state[y]} + {endless[y]}*_z{tag})" if y in endless else state[y]
        return values

    def speed(state: State, time: str, tag: str) -> str:
        """How fast ``u`` falls."""
        rest, share = flow.at(flow.rest, state, time), flow.at(flow.share, state, time)
        return f"(_u{tag}*({rest})/delta + {share})"

    def at(code: list[str], tag: str, state: State, s: str) -> dict[str, str]:
        # Where the last step ended; where stage B is.
        if (tag == "A" and "_s = _n_s" in code) or tag == "C":
            code += [f"_{name}{tag} = _{name}{'F' if tag == 'A' else 'B'}" for name in "fulvz"]
        else:
            code += [
                f"_f{tag} = {s}**{POWER - 1}",
                f"_e{tag} = expm1(clip(_bend*{s}*_f{tag}, -300, -1e-300))",
                f"_x{tag} = clip(_e{tag}/_bend, 1e-300, inf)",
                f"_u{tag} = expm1(clip(_x{tag}, 0, 300))",
                # du/ds, from here on
                f"_f{tag} = {POWER}*_f{tag}*(1 + _e{tag})*(1 + _u{tag})",
                # Far below, log(u) is x itself.
                f"_l{tag} = log(_u{tag}) + clip(_x{tag} - 300, 0, inf)",
                f"_v{tag} = theta_rh - delta*_l{tag}",
                f"_z{tag} = _u{tag}*(_l{tag} - 1)",
            ]
        values, time = state_at(state, tag), state["time"]
        # A membrane that does not rise there has no time of its own: it gets one.
        rise = f"clip({speed(values, time, tag)}, 1e-300/tau, inf/tau)"
        code.append(f"_ptime_{tag} = -clip(_f{tag}/{rise}, 0*second, _room)")
        for y, rate in flow.others.items():
            more = f" - {endless[y]}*_l{tag}*_f{tag}" if y in endless else ""
            code.append(f"_p{y}_{tag} = _ptime_{tag}*({flow.at(rate, values, time)}){more}")
        return {name: f"_p{name}_{tag}" for name in ("time", *flow.others)}

    code += [
        f"_x = clip({x_of('_v')}, 1e-300, inf)",
        f"_x_end = clip({x_of(SPIKE)}, 1e-300, inf)",
        "_most = clip(_x, _x_end, inf)",
        # Where u is small at both ends: elsewhere its logarithm is no trouble.
        "_fine = 1.0*int(_most < 1)",
        "_u = expm1(clip(_x, 0, 300))",
        f"_speed = {speed({'v': '_v', **{y: f'_{y}' for y in flow.others}}, '_time', '')}",
        # x bends over time where v rises slowly at first. Taken out, few steps are enough.
        f"_bend = clip((_speed/(1 + _u)/({flow.share}) - 1)/_x, -0.95/_most, -1e-6/_most)",
        f"_s = (log1p(_bend*_x)/_bend)**(1.0/{POWER})",
        f"_ds = ((log1p(_bend*_x_end)/_bend)**(1.0/{POWER}) - _s)/{TO_THRESHOLD}",
        # The whole way takes no more than four times what it can.
        f"_room = (t + 1.25*dt - _earliest)/(abs(_ds)*{TO_THRESHOLD}/4 + 1e-300)",
        *(f"_n_{y} = _{y} - {c}*_u*(log(_u) - 1)" for y, c in endless.items()),
        *(f"_{y} = _n_{y}" for y in endless),
    ]
    for _ in range(TO_THRESHOLD):
        runge_kutta(code, ["time", *flow.others], "_s", "_ds", at)
    code += [f"_n_{y} = _{y} + {c}*_zF" for y, c in endless.items()]
    code += [f"_{y} = _n_{y}" for y in endless]


def x_of(v: str) -> str:
    """Return ``x`` at ``v``."""
    y = f"((theta_rh - ({v}))/delta)"
    return f"(clip({y}, 0, inf) + log1p(exp(-abs({y}))))"
