"""Precise spikes of leaky neurons whose input is constant within a step: the closed form.

With ``u = v_rest + R*I`` the membrane is at ``u + (v0 - u)*exp(-a/tau)`` a time ``a`` after it was
at ``v0``, and at the threshold ``-tau*log((u - threshold)/(u - v0))`` after. One logarithm says
when the spike was. Without a refractory period the distance to ``u`` that was left then is left of
the distance from the reset too; else one exponential says where the membrane is.
"""

from __future__ import annotations

from conex_brian.options import OVER

#: How much of the distance to ``u`` is left after a time step.
DECAY = "v_decay"
CONSTANTS = {DECAY: "exp(clip(-dt/tau, -690, 0))"}

#: Where a second spike in a step is owed to the next: how much of the distance to ``u`` was left
#: since then at the step's end; 0 where none is.
OWED = "owed"
#: What else is kept for it where `conex_brian.precise.kept_over` may change ``v``: where it is
#: after that spike, at that step's end; with a refractory period by how much ``u`` was over
#: ``v_reset``.
OWED_V, OWED_U = "v_owed", "u_owed"

#: Where the membrane tends to, and where it is after a time step.
TARGET = "_u = v_rest + R*I"
STEP = f"_u + (v - _u)*{DECAY}"


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


def _crossing(voltage: str) -> list[str]:
    """Return statements for the time since the threshold, ``_ago``, and the share left, ``_since``.

    Both sides of a mask are computed: what has no solution is given one that the mask drops.
    """
    tiny = "1e-300*(threshold - v_reset)"
    return [
        TARGET,
        f"_above = clip(_u - threshold, {tiny}, inf*{voltage})",
        "_share = (_u - v)/_above",
        # At the threshold before the step's start, or never: the spike is at the start.
        f"_since = clip(_share, {DECAY}, 1)",
        # Inhibition may have taken v below the threshold since: then nothing is owed any more.
        f"_owes = 1.0*int({OWED} > 0)*int(_share <= 1.000001*{DECAY})",
        f"_left = (1 - _owes)*_since + _owes*{OWED}",
        "_ago = clip(-tau*log(_left), 0*second, dt + 1e6*_owes*tau)",
    ]


def reset(voltage: str, shared: bool) -> str:
    """Return the statements that a spike executes without a refractory period.

    Parameters
    ----------
    voltage : str
        The voltage's unit.
    shared : bool
        Whether the threshold is `shared_condition`, so that nothing but the equation changes ``v``.
        It is linear: a spike takes from ``v`` what is left of its jump, whatever the input.
    """
    after = f"({OWED_V} - _u)*{DECAY}"
    if shared:
        after = f"v - _u - (threshold - v_reset)*{OWED}*{DECAY}"
    statements = [
        *_crossing(voltage),
        "t_spike = t + (1 - _owes)*dt - _ago",
        f"_distance = (1 - _owes)*(v_reset - _u)*_since + _owes*({after})",
        "v = _u + _distance",
        "_again = 1.0*int(v >= threshold)*int(_u > threshold)",
        "_next = clip(-_distance/_above, 1e-300, 1)",
        f"{OWED} = _again*_next",
    ]
    if not shared:
        statements.append(f"{OWED_V} = _u + (v_reset - _u)*_next")
    return "\n".join(statements)


#: What a neuron executes at the start of the step of its release: it is where the free membrane
#: has to be, in order to be at the reset when the period ends.
RELEASE = f"""\
{TARGET}
v = _u + (v - _u)*exp(clip((t_release - t)/tau, -inf, 300))"""


def refractory_reset(voltage: str, period: str) -> str:
    """Return the statements that a spike executes with a refractory period.

    Parameters
    ----------
    voltage : str
        The voltage's unit.
    period : str
        The refractory period, an expression for a time.
    """
    return "\n".join([
        *_crossing(voltage),
        "t_spike = t + (1 - _owes)*dt - _ago",
        f"t_release = t_spike + ({period})",
        f"_over = 1.0*int({OVER})",
        "_before = _owes*int(t_release < t)",
        # Before this step began the input was another.
        f"_from = _u + _before*(v_reset + {OWED_U} - _u)",
        "_rest = _over*(t + dt - t_release - _before*dt)",
        "_w = _from + (v_reset - _from)*exp(-_rest/tau)",
        f"v = _w + _before*(_u + (_w - _u)*{DECAY} - _w)",
        "_again = _over*int(v >= threshold)*int(_u > threshold)",
        f"{OWED} = _again*clip((_u - v)/_above, 1e-300, 1)",
        f"{OWED_U} = _u - v_reset",
    ])  # fmt: skip
