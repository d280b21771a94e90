"""Spikes at their exact times within the time step: ``spike_timing='precise'``.

All of it is text for a plain `brian2.NeuronGroup`. The reset finds when, within the step, ``v`` was
at the threshold, and puts ``v`` where the membrane is at the step's end after a reset at that time.
It runs right after the threshold is checked, so that what synapses add in this step comes after it.

Leaky neurons with an input that is constant within a step have a closed form. With
``u = v_rest + R*I`` and ``v`` the value at the step's end, the threshold was crossed
``tau*log((u - threshold)/(u - v))`` before, and the neuron is at ``u + (v_reset - u)*exp(-a/tau)``
a time ``a`` after its reset. What happens at the edges:

- Where ``v`` is at the threshold or over it when a step starts (a synapse or the initial value put
  it there), the spike is at the step's start.
- A neuron spikes at most once a step. Where it is over the threshold again before the step of its
  spike ends, the next spike comes in the next step, and its ``t_spike`` is its exact time still, in
  the step before. With a constant input any number may be owed; where the input changes while more
  than one is (intervals below half a step), those beyond the first are not exact or never come.
- A refractory period ends at ``t_spike + t_ref``, inside a step: the reset puts ``v`` where the
  membrane would have to be at the start of that step. Its length is evaluated once, at the spike.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

from brian2 import Equations, NeuronGroup, Quantity, SpikeMonitor, second
from brian2.equations.equations import SUBEXPRESSION
from brian2.stateupdaters.base import StateUpdateMethod

from conex_brian.dimensions import short
from conex_brian.expressions import identifiers, renamed
from conex_brian.inputs import CONSTANT, RANDOM, Input

if TYPE_CHECKING:
    from conex_brian.models import LIF

#: The time of a last spike that never was: Brian2's own mark.
NEVER = -1e4 * second

#: The variables of a group with precise spikes, besides the model's.
VARIABLES = ("t_spike", "t_next", "v_next", "t_release")

#: Brian2's name for the condition that keeps a neuron refractory until the step of its release.
REFRACTORY = "timestep(t, dt) < timestep(t_release, dt)"

# Both sides of a mask are computed: what has no solution is given one that the mask drops.
_CROSSING = """\
_drive = v_rest + R*I
_rising = int(_drive > v)
_whole = _rising*(_drive - threshold) + (1 - _rising)*(threshold - v_reset)
_ago = _rising*clip(-tau*log(1 - _rising*(v - threshold)/_whole), 0*second, dt) + (1 - _rising)*dt
_owed = int(t_next > t_spike)
_ago = _ago + _owed*(t + dt - t_next - _ago)
t_spike = t + dt - _ago"""

_RESET = """\
_start_v = v_reset + _owed*(v_next - v_reset)
v = _drive + (_start_v - _drive)*exp(-(_ago + _owed*(dt - _ago))/tau)
_again = int(v >= threshold)
_since = t_spike"""

_RELEASE = """\
t_release = t_spike + ({period})
_since = t_release
_start = clip(timestep(t_release, dt)*dt, t + dt, inf*second)
_later = int(t_release >= t + dt)
_owed = _owed*int(t_release < t)
_start_v = v_reset + _owed*(v_next - v_reset)
_drive_then = _drive + _later*(v_rest + R*({I_then}) - _drive)
v = _drive_then + (_start_v - _drive_then)*exp(-(_start - t_release + _owed*(t_release - t))/tau)
_again = int(v >= threshold)*(1 - _later)"""

_NEXT = """\
_whole = _again*(_drive - threshold) + (1 - _again)*(threshold - v_reset)
_rise_time = tau*log(1 + _again*(threshold - v_reset)/_whole)
t_next = _again*(_since + _rise_time)
v_next = _drive + (v_reset - _drive)*exp(-_again*(t + dt - _since{period} - _rise_time)/tau)"""


def check_precise(
    neuron: LIF, current: Input, method: str, noisy: bool, refractory: bool
) -> None:
    """Raise ``ValueError`` where spikes cannot be found within their step, and say why.

    Parameters
    ----------
    neuron : LIF
        The model.
    current : Input
        Its input.
    method : str
        The integrator's name.
    noisy, refractory : bool
        Whether there is noise, and a refractory period.
    """
    from conex_brian.models import LIF

    texts = {"F": LIF.F, "RI": LIF.RI, "reset": "v = v_reset", "states": LIF.states}
    if noisy:
        why = "with noise the membrane crosses the threshold many times within a step"
    elif method == "conex":
        why = "method='conex' repeats CoNeX's step, which spikes at its end"
    elif any(getattr(neuron, name) != text for name, text in texts.items()):
        why = f"only LIF's crossing is known in closed form, not {type(neuron).__name__}'s"
    elif current.kind != CONSTANT:
        why = f"it needs an input that is constant within a step, and this one is {current.kind}"
    elif method not in ("exact", "exponential_euler"):
        why = f"it needs method='exact', and {method!r} is not"
    elif refractory and any(identifiers(e.expr.code) & RANDOM for e in _subexpressions(current)):
        why = "a random input is not known in advance for the step in which a neuron is released"
    else:
        return
    raise ValueError(f"spike_timing = 'precise' cannot work here: {why}. Use 'grid'.")


def _subexpressions(current: Input) -> list[Any]:
    return [e for e in current.equations.values() if e.type == SUBEXPRESSION]


def variables(voltage: str, refractory: bool) -> str:
    """Return the equations of the variables that the reset sets; ``voltage`` is v's unit."""
    units = dict.fromkeys(VARIABLES[: 4 if refractory else 3], "second") | {"v_next": voltage}
    return "\n".join(f"{name} : {unit}" for name, unit in units.items())


def values(refractory: bool) -> dict[str, Quantity]:
    """Return the times of what has not happened yet."""
    return {name: NEVER for name in ("t_spike", "t_next", *(["t_release"] if refractory else []))}


def reset_text(current: Input, period: str | None) -> str:
    """Return the statements that a spike executes.

    Parameters
    ----------
    current : Input
        The neuron's input.
    period : str or None
        The refractory period, an expression for a time.
    """
    if period is None:
        return "\n".join([_CROSSING, _RESET, _NEXT.format(period="")])
    after = _RELEASE.format(period=period, I_then=input_at(current, "_start"))
    return "\n".join([_CROSSING, after, _NEXT.format(period=" - (t_release - t_spike)")])


def input_at(current: Input, time: str) -> str:
    """Return the input at ``time``, a name, as text: all that depends on ``t`` is put in."""
    timed: dict[str, str] = {}
    # Brian2 wants definitions in any order: each pass puts in those that the last one found.
    for _ in current.equations:
        for e in _subexpressions(current):
            text = renamed(e.expr.code, **timed, t=time)
            if text != e.expr.code:
                timed[e.varname] = f"({text})"
    return timed.get("I", "I")


def step(
    method: Any, refractory: bool, equations: Equations, variables: Any = None, options: Any = None
) -> str:
    """Integrate by ``method``, and let no neuron that starts over the threshold fall below it.

    Parameters
    ----------
    method : str or callable
        Brian2's method.
    refractory : bool
        Whether there is a refractory period. In it ``v`` is no membrane potential.
    equations, variables, options
        As Brian2 hands them to a state updater.
    """
    update = StateUpdateMethod.stateupdaters[method] if isinstance(method, str) else method
    over = "_over = int(v >= threshold)" + ("*int(t >= t_release)" if refractory else "")
    lift = "v = v + _over*int(v < threshold)*(threshold - v)"
    return "\n".join([over, update(equations, variables, options), lift])


def prepare(group: NeuronGroup) -> None:
    """Let the reset of ``group`` follow the threshold, before synapses change ``v``."""
    group.resetter["spike"].when = "after_thresholds"


def spike_monitor(group: NeuronGroup, **options: Any) -> SpikeMonitor:
    """Return a SpikeMonitor of ``group`` that records the exact spike times, ``t_spike``.

    Within one time step spikes are recorded by neuron, not by time. For the order of spiking:
    ``order = argsort(monitor.t_spike)``, then ``monitor.i[order]``.

    Parameters
    ----------
    group : NeuronGroup
        Made with ``spike_timing='precise'``, or a part of such a group.
    **options
        Passed to SpikeMonitor: ``variables``, further ones to record, ``record``, ``name``...

    Returns
    -------
    SpikeMonitor
        Its ``t`` is the start of the spike's step, its ``t_spike`` the spike's exact time.

    Raises
    ------
    ValueError
        Where the group has no ``t_spike``, or ``when`` is given: it has to follow the reset.
    """
    if "t_spike" not in group.variables:
        raise ValueError(
            f"{group.name} has no variable t_spike. Make it with spike_timing='precise', or use "
            "brian2.SpikeMonitor."
        )
    if "when" in options:
        raise ValueError(f"when = {short(options['when'])}: t_spike is read after the reset only.")
    more = options.pop("variables", None) or []
    names = ["t_spike", *([more] if isinstance(more, str) else more)]
    return SpikeMonitor(group, variables=list(dict.fromkeys(names)), when="after_resets", **options)
