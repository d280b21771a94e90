"""Precise spikes of leaky neurons whose input is constant within a step: the closed form.

With ``u = v_rest + R*I`` the membrane is at ``u + (v0 - u)*exp(-a/tau)`` a time ``a`` after it was
at ``v0``, and at the threshold ``-tau*log((u - threshold)/(u - v0))`` after. One logarithm says
when the spike was. Without a refractory period the distance to ``u`` that was left then is left of
the distance from the reset too; else one exponential says where the membrane is.
"""

from __future__ import annotations

from conex_brian.options import OVER, single_precision

#: How much of the distance to ``u`` is left after a time step.
DECAY = "v_decay"
CONSTANTS = {DECAY: "exp(clip(-dt/tau, -690, 0))"}

#: How much of the distance to ``u`` is left at the next step's end since a second spike in a step,
#: which is owed to the next step; more than `DECAY`, or not positive, where there was none.
OWED = "owed"
#: With a refractory period: by how much ``u`` was over ``v_reset`` in the step of that spike.
OWED_U = "u_owed"

#: Where the membrane tends to, and where it is after a time step.
TARGET = "_u = v_rest + R*I"
STEP = f"_u + (v - _u)*{DECAY}"


#: Where a neuron is now that was at the threshold when the step started.
FALLEN = f"v_rest + R*I + (threshold - v_rest - R*I)*{DECAY}"


def shared_condition(unit: str) -> str:
    """Return when a neuron spikes: at or over the threshold when the step ends, or started.

    Where all of it but ``v`` is shared it costs nothing; elsewhere `kept_over` costs less.

    Parameters
    ----------
    unit : str
        The voltage's.
    """
    return f"v >= clip({FALLEN}, -inf*{unit}, threshold)"


def kept_over(code: str, after: str, refractory: bool, unit: str) -> str:
    """Return a leaky neuron's step in which ``v`` does not fall where it starts over the threshold.

    It has spiked. In a refractory period ``v`` is no membrane potential.

    Parameters
    ----------
    code, after : str
        The step's statements, and what ``v`` is after them.
    refractory : bool
        Whether there is a refractory period.
    unit : str
        The voltage's.
    """
    # At v where it is at the threshold or over it, and far below else: all that a compiler has to
    # make of it are a minimum and a maximum. Of other bounds to clip than these it makes branches.
    above = "v - threshold"
    if refractory:
        above += " + clip((t - t_release)/dt, -inf, 0)*(threshold - v_reset)"
    floor = f"_floor = clip(v, -inf*{unit}, v + 1e30*({above}))"
    # In a step of their own: a bound within the condition of being refractory takes longer.
    bounded = f"_after = clip(_floor, {after}, inf*{unit})"
    return "\n".join([floor, code, bounded, "v = _after"])


def _crossing(voltage: str) -> list[str]:
    """Return statements for ``t_spike``, and for what the rest of a reset needs.

    That is whether the last step owes the spike, ``_owes``, and how much of the distance to ``u``
    is left at the step's end since a spike in this step, ``_since``. Both sides of a mask are
    computed: what has no solution is given one that the mask drops.
    """
    many = "1e15" if single_precision() else "1e200"
    return [
        TARGET,
        # A compiler has to make one division of it.
        f"_per = 1/clip(_u - threshold, 1e-20*(threshold - v_reset), inf*{voltage})",
        "_share = (_u - v)*_per",
        # At the threshold before the step's start, or never: the spike is at the start.
        f"_since = clip(_share, {DECAY}, 1)",
        # Inhibition may have taken v below the threshold since: then nothing is owed any more. Nor
        # is it later: what was owed in an earlier step would come more than two steps after
        # t_spike. For exp stand the first terms of its sum, which is less: nothing that is owed is
        # lost. All in numbers, since truth values take compilers several instructions.
        "_y = (t - dt - t_spike)/tau",
        f"_fresh = 1.000001 - {OWED}*(1 + _y*(1 + _y*(0.5 + _y/6)))",
        f"_due = clip(_fresh, -inf, 1.000001*{DECAY} - clip(_share, {OWED}, inf))",
        f"_owes = clip({many}*clip({OWED}, -inf, _due), 0, 1)",
        f"_left = _since + _owes*({OWED} - _since)",
        "t_spike = clip(t + dt + tau*log(_left), t - 1e6*_owes*tau, inf*second)",
    ]


def reset(voltage: str, shared: bool) -> str:
    """Return the statements that a spike executes without a refractory period.

    Parameters
    ----------
    voltage : str
        The voltage's unit.
    shared : bool
        Whether the threshold is `shared_condition`, so that nothing but the equation changes ``v``.
        Else `kept_over` may have kept it where it was at the step's start.
    """
    # It is at or over u only where it is kept.
    gap = "_u - v" if shared else f"clip((_u - v)*{DECAY}, _u - v, inf*{voltage})"
    return "\n".join([
        *_crossing(voltage),
        # The equation is linear: a spike takes from v what is left of its jump, whatever the input.
        f"_late = {gap} + (threshold - v_reset)*{OWED}",
        "_within = (_u - v_reset)*_since",
        "_gap = _within + _owes*(_late - _within)",
        "v = _u - _gap",
        f"{OWED} = _gap*_per*{DECAY}",
    ])  # fmt: skip


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
        f"t_release = t_spike + ({period})",
        f"_over = 1.0*int({OVER})",
        "_before = _owes*int(t_release < t)",
        # Before this step began the input was another.
        f"_from = _u + _before*(v_reset + {OWED_U} - _u)",
        "_rest = _over*(t + dt - t_release - _before*dt)",
        "_w = _from + (v_reset - _from)*exp(-_rest/tau)",
        f"v = _w + _before*(_u + (_w - _u)*{DECAY} - _w)",
        f"{OWED} = _over*(_u - v)*_per*{DECAY}",
        f"{OWED_U} = _u - v_reset",
    ])  # fmt: skip
