"""Spikes at their exact times within the time step: ``spike_timing='precise'``.

All of it is text for a plain `brian2.NeuronGroup`; `conex_brian.precise_groups` puts it there. The
reset finds when, within the step, ``v`` was at the threshold, and puts ``v`` where the membrane is
at the step's end after a reset at that time. It runs right after the threshold is checked, so that
what synapses add in this step comes after it.

Leaky neurons with an input that is constant within a step have a closed form, see
`conex_brian.closed_form`; the others integrate to the threshold, see `conex_brian.crossing`. What
happens at the edges:

- Where ``v`` is at the threshold or over it when a step starts (a synapse or the initial value put
  it there), the spike is at the step's start.
- A neuron spikes at most once a step. Where it is over the threshold again before the step of its
  spike ends, the next spike comes in the next step, and its ``t_spike`` is its exact time still, in
  the step before. With a constant input any number may be owed; where the input changes while more
  than one is, those beyond the first are not exact or never come. Inhibition that takes ``v`` below
  the threshold before the next step cancels what is owed; if a kick over the threshold makes a
  leaky neuron spike in the very step after, that spike is told up to a step early.
- Where ``v`` is over the threshold inside a step, but below it at both ends, as exponential
  synapses can do, there is no spike. That is rare: see benchmarks/README.md.
- A refractory period ends at ``t_spike + t_ref``, inside a step: an event puts ``v`` where the
  membrane has to be at the start of that step. Its length is evaluated once, at the spike.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from brian2 import Equations, Quantity
from brian2.equations.equations import SUBEXPRESSION
from brian2.stateupdaters.base import StateUpdateMethod

from conex_brian import closed_form, crossing, upswing
from conex_brian.dimensions import is_array, unit_text
from conex_brian.expressions import renamed
from conex_brian.flow import EXPONENTIAL, Flow, split
from conex_brian.inputs import CONSTANT, Input
from conex_brian.models import LIF
from conex_brian.options import NEVER, OVER

#: Names that a group with precise spikes uses, besides the model's.
TAKEN = (
    "t_spike", "t_release", "t_kept", "v_kept", "t_seen", "v_seen", "I_seen",
    closed_form.OWED, closed_form.OWED_U, closed_form.DECAY,
    upswing.BEGIN, upswing.BOUND,
)  # fmt: skip

_LEAKY = {"F": LIF.F, "RI": LIF.RI, "states": LIF.states}

#: The condition that keeps a neuron refractory until the step of its release.
REFRACTORY = f"not ({OVER})"
#: The same as a statement. Brian2's own asks too whether a neuron was refractory before, and that
#: compilers take neuron by neuron; with this after it they leave it out.
RELEASES = f"not_refractory = {OVER}\n"
#: What holds in that step.
RELEASED = f"{OVER} and t_release - t >= -0.001*dt"


@dataclass(frozen=True)
class Timing:
    """What makes a group's spikes precise, as text and values.

    Attributes
    ----------
    threshold, reset : str
        The condition and the statements of a spike.
    variables : str
        Equations of the variables that they set.
    values : dict
        What to set on the group.
    step : str or None
        The statements of a time step, where it is not one of Brian2's methods.
    watch : (str, str) or None
        What neurons in the upswing execute before and after a time step.
    constants : dict
        Expressions for those per-neuron variables that follow from the parameters and the time
        step: set anew when a run starts.
    release : str or None
        What neurons execute at the start of the step in which their refractory period ends.
    """

    threshold: str
    reset: str
    variables: str
    values: Mapping[str, Any]
    step: str | None = None
    watch: tuple[str, str] | None = None
    constants: Mapping[str, str] = field(default_factory=dict)
    release: str | None = None


def make_timing(
    neuron: LIF, current: Input, method: str, noisy: bool, period: str | None
) -> Timing:
    """Return what makes spikes precise, or raise ``ValueError`` where they cannot be.

    Parameters
    ----------
    neuron : LIF
        The model.
    current : Input
        Its input.
    method : str
        The integrator's name.
    noisy : bool
        Whether there is noise.
    period : str or None
        The refractory period, an expression for a time.
    """
    name = type(neuron).__name__
    why = None
    if noisy:
        why = "with noise the membrane crosses the threshold many times within a step"
    elif method == "conex":
        why = "method='conex' repeats CoNeX's step, which spikes at its end"
    elif type(neuron).reset is not LIF.reset:
        why = f"{name} has a reset of its own, where v = v_reset and jumps are known to work"
    elif not neuron.linear and neuron.F.count(EXPONENTIAL) != 1:
        why = f"the upswing of {name} is not ELIF's"
    if why:
        raise ValueError(f"spike_timing = 'precise' cannot work here: {why}. Use 'grid'.")
    voltage = unit_text(neuron.dimensions["voltage"][0])
    closed = all(getattr(neuron, name) == text for name, text in _LEAKY.items())
    if closed and current.kind == CONSTANT and method in ("exact", "exponential_euler"):
        return _closed(neuron, current, period, voltage)
    return _general(neuron, current, method, period)


def _closed(neuron: LIF, current: Input, period: str | None, voltage: str) -> Timing:
    several = is_array(neuron.tau)
    shared = "shared" in current.equations["I"].flags and period is None
    shared &= not any(is_array(getattr(neuron, name)) for name in LIF.parameter_names())
    units = {"t_spike": "second", closed_form.OWED: "1"}
    if period is None:
        reset = closed_form.reset(voltage, shared)
    else:
        units |= {"t_release": "second", closed_form.OWED_U: voltage}
        reset = closed_form.refractory_reset(voltage, period)
    step = f"{closed_form.TARGET}\nv = {closed_form.STEP}"
    if not shared:
        # In this order compilers make the least of it.
        kept = closed_form.kept_over("", closed_form.STEP, period is not None, voltage)
        step = f"{closed_form.TARGET}\n{kept}"
    return Timing(
        threshold=closed_form.shared_condition(voltage) if shared else neuron.condition,
        reset=reset,
        variables=_lines(units) + _derived(closed_form.CONSTANTS, "1", several),
        values=_never(units),
        step=step,
        constants=closed_form.CONSTANTS if several else {},
        release=None if period is None else closed_form.RELEASE,
    )


def _general(neuron: LIF, current: Input, method: str, period: str | None) -> Timing:
    unit = {kind: unit_text(admitted[0]) for kind, admitted in neuron.dimensions.items()}
    kinds = {"v": "voltage", **{name: kind for name, (_, kind) in neuron.states.items()}}
    rest, share = (neuron.F, "") if neuron.linear else split(neuron.F)
    rates = {**neuron.rates, "v": neuron.rates["v"].replace(neuron.F, rest)}
    lines = [f"d{name}/dt = {rate} : {unit[kinds[name]]}" for name, rate in rates.items()]
    # What is constant within a step is looked up, not computed again.
    given = Equations(f"I : {unit['current']}") if current.kind == CONSTANT else current.equations
    equations = Equations("\n".join(lines)) + given
    texts = {name: rate.code for name, rate in equations.get_substituted_expressions()}
    share = f"({share})/tau" if share else ""
    # The statements' own names must not be those of copies of the user's variables.
    inside = _inside([name for name in texts if name != "v"], equations)
    flow = Flow(
        renamed(texts.pop("v"), **inside),
        renamed(share, **inside),
        {inside[name]: renamed(text, **inside) for name, text in texts.items()},
        {inside.get(name, name): renamed(text, **inside) for name, text in neuron.jumps.items()},
        current.kind,
    )

    units = {"t_spike": "second", "t_kept": "second", "t_seen": "second"}
    units |= {f"{name}_kept": unit_text(equations[name].dim) for name in ("v", *inside)}
    units |= {} if period is None else {"t_release": "second"}
    if share:
        units |= {f"{name}_seen": unit_text(equations[name].dim) for name in ("v", *inside)}
        units["I_seen"] = unit["current"]
    for name in units:
        if name in current.equations:
            raise ValueError(
                f"I: the Equations define {name!r}, which spike_timing = 'precise' uses itself. "
                "Rename it."
            )
    text = _lines(units)
    threshold, step, watch = neuron.condition, None, None
    constants: dict[str, str] = {}
    # What is constant within a step may be another in the next: that ends a watch.
    now, later = (
        renamed("I" if current.kind == CONSTANT else input_at(current, time), **inside)
        for time in ("t", "(t + dt)")
    )
    outside = {new: name for name, new in inside.items()}
    outside |= {f"{n}_{w}": f"{o}_{w}" for n, o in outside.items() for w in ("kept", "seen")}
    if share:
        threshold = f"v >= {upswing.SPIKE}"
        if method == "rk4":
            step = renamed(upswing.whole_step(flow, period is not None), **outside)
        before, after = upswing.watch(flow, later)
        watch = renamed(before, **outside), renamed(after, **outside)
        derived = upswing.constants(own_step=step is not None)
        several = any(is_array(getattr(neuron, name)) for name in upswing.CONSTANTS_OF)
        text += _derived(derived, unit["voltage"], several)
        constants = derived if several else {}
    reset = renamed(crossing.reset(flow, period, later), **outside)
    release = None if period is None else renamed(crossing.release(flow, now), **outside)
    return Timing(threshold, reset, text, _never(units), step, watch, constants, release)


def _inside(states: Sequence[str], equations: Equations) -> dict[str, str]:
    """Return what state variables are called where statements are put together."""
    ending = "_now"
    while any(name.endswith(ending) for name in equations.identifiers | equations.names):
        ending += "_now"
    return {name: f"{name}{ending}" for name in states}


def _subexpressions(current: Input) -> list[Any]:
    return [e for e in current.equations.values() if e.type == SUBEXPRESSION]


def _lines(units: Mapping[str, str]) -> str:
    return "\n".join(f"{name} : {unit}" for name, unit in units.items())


def _derived(texts: Mapping[str, str], unit: str, several: bool) -> str:
    """Return equations: what is shared costs nothing where it is used, the rest is stored."""
    if several:
        return "".join(f"\n{name} : {unit} (constant)" for name in texts)
    return "".join(f"\n{name} = {text} : {unit} (shared)" for name, text in texts.items())


def _never(units: Mapping[str, str]) -> dict[str, Quantity]:
    return {name: NEVER for name, unit in units.items() if unit == "second"}


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
    method: Any,
    timing: Timing,
    refractory: bool,
    equations: Equations,
    variables: Any = None,
    options: Any = None,
) -> str:
    """Return one time step as abstract code: the timing's own, or the method's within bounds.

    Parameters
    ----------
    method : str or callable
        Brian2's method.
    timing : Timing
        What makes the spikes precise.
    refractory : bool
        Whether there is a refractory period.
    equations, variables, options
        As Brian2 hands them to a state updater.
    """
    released = RELEASES if refractory else ""
    if timing.step is not None:
        return released + timing.step
    update = StateUpdateMethod.stateupdaters[method] if isinstance(method, str) else method
    code = update(equations, variables, options)
    if timing.watch is not None:
        return f"{released}{code}\nv = clip(v, {upswing.LOWEST}, {upswing.BOUND})"
    return released + closed_form.kept_over(code, "v", refractory, unit_text(equations["v"].dim))
