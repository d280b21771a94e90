"""Precise spikes of leaky neurons whose input is constant within a step: the closed form.

With ``u = v_rest + R*I`` the membrane is at ``u + (v0 - u)*exp(-a/tau)`` a time ``a`` after it was
at ``v0``, and at the threshold ``-tau*log(1 - (threshold - v0)/(u - v0))`` after. One logarithm
says when the spike was, one exponential where the membrane is at the step's end.
"""

from __future__ import annotations

#: How much of the distance to ``u`` is left after a time step.
DECAY = "v_decay"
CONSTANTS = {DECAY: "exp(-dt/tau)"}

#: By how much ``u`` exceeded ``v_reset`` in the step whose second spike is owed; 0 where none is.
OWED = "u_owed"

STEP = f"""\
_u = v_rest + R*I
v = _u + (v - _u)*{DECAY}"""


#: Where a neuron is now that was at the threshold when the step started.
FALLEN = f"v_rest + R*I + (threshold - v_rest - R*I)*{DECAY}"


def shared_condition(unit: str) -> str:
    """Return when a neuron spikes: at or over the threshold when the step ends, or started.

    Where all of it but ``v`` is shared it costs nothing; elsewhere `conex_brian.precise.kept_over`
    costs less.

    Parameters
    ----------
    unit : str
        The voltage's.
    """
    return f"v >= clip({FALLEN}, -inf*{unit}, threshold)"


def reset(period: str | None, current_then: str) -> str:
    """Return the statements that a spike executes.

    Parameters
    ----------
    period : str or None
        The refractory period, an expression for a time.
    current_then : str
        The input at ``_start``, the start of the step of the release.
    """
    # Both sides of a mask are computed: what has no solution is given one that the mask drops.
    code = [
        "_u = v_rest + R*I",
        f"_owed = int({OWED} > 0*threshold)",
        "_rising = int(_u > v)",
        "_rise = _owed*(threshold - v_reset) + (1 - _owed)*_rising*(v - threshold)",
        f"_most = _owed*{OWED} + (1 - _owed)*(_rising*(_u - threshold)"
        " + (1 - _rising)*(threshold - v_reset))",
        "_time = clip(-tau*log(1 - _rise/_most), 0*second, 1e6*tau)",
        "_ago = _rising*clip(_time, 0*second, dt) + (1 - _rising)*dt",
    ]
    since = "t_spike" if period is None else "t_release"
    code.append(f"t_spike = t + dt - _ago + _owed*({since} + _time - (t + dt - _ago))")
    if period is None:
        code += ["_then = _u", "_start = t + dt", "_over = 1", "_before = _owed"]
    else:
        code += [
            f"t_release = t_spike + ({period})",
            "_start = clip(timestep(t_release, dt)*dt, t + dt, inf*second)",
            "_over = int(t_release < t + dt)",
            f"_then = _u + (1 - _over)*(v_rest + R*({current_then}) - _u)",
            "_before = _owed*int(t_release < t)",
        ]
    # Before this step began the input was another.
    code += [
        f"_from = _then + _before*(v_reset + {OWED} - _then)",
        f"_w = _from + (v_reset - _from)*exp(-(_start - {since} - _before*dt)/tau)",
        f"v = _w + _before*(_u + (_w - _u)*{DECAY} - _w)",
        f"{OWED} = _over*int(v >= threshold)*int(_u > threshold)*(_u - v_reset)",
    ]
    return "\n".join(code)
