"""Spikes at their exact times within the time step: ``spike_timing='precise'``.

All of it is text for a plain `brian2.NeuronGroup`. The reset finds when, within the step, ``v`` was
at the threshold, and puts ``v`` where the membrane is at the step's end after a reset at that time.
It runs right after the threshold is checked, so that what synapses add in this step comes after it.

Leaky neurons with an input that is constant within a step have a closed form, see
`conex_brian.closed_form`; the others integrate to the threshold, see `conex_brian.crossing`. What
happens at the edges:

- Where ``v`` is at the threshold or over it when a step starts (a synapse or the initial value put
  it there), the spike is at the step's start.
- A neuron spikes at most once a step. Where it is over the threshold again before the step of its
  spike ends, the next spike comes in the next step, and its ``t_spike`` is its exact time still, in
  the step before. With a constant input any number may be owed; where the input changes while more
  than one is (intervals below half a step), those beyond the first are not exact or never come.
- Where ``v`` is over the threshold inside a step, but below it at both ends, as exponential
  synapses can do, there is no spike. That is rare: see benchmarks/README.md.
- A refractory period ends at ``t_spike + t_ref``, inside a step: the reset puts ``v`` where the
  membrane would have to be at the start of that step. Its length is evaluated once, at the spike.
"""

from __future__ import annotations

import weakref
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from brian2 import BrianObject, Equations, NeuronGroup, Quantity, SpikeMonitor, get_device
from brian2.devices.cpp_standalone.device import CPPStandaloneDevice
from brian2.equations.equations import SUBEXPRESSION
from brian2.groups.group import CodeRunner
from brian2.stateupdaters.base import StateUpdateMethod

from conex_brian import closed_form, crossing, upswing
from conex_brian.dimensions import is_array, short, unit_text
from conex_brian.expressions import identifiers, renamed
from conex_brian.flow import EXPONENTIAL, Flow, split
from conex_brian.inputs import CONSTANT, RANDOM, Input
from conex_brian.models import LIF
from conex_brian.options import NEVER

#: Names that a group with precise spikes uses, besides the model's.
TAKEN = (
    "t_spike", "t_release", "t_kept", "v_kept", "t_seen", "v_seen", "I_seen",
    closed_form.OWED, closed_form.DECAY, upswing.BEGIN, upswing.BOUND,
)  # fmt: skip

_LEAKY = {"F": LIF.F, "RI": LIF.RI, "states": LIF.states}

#: In a standalone program: takes the ``run_args``, as Brian2 does just before the first run.
SET_VALUES = "set_from_command_line(args); // before what follows from them"

#: Brian2's name for the condition that keeps a neuron refractory until the step of its release.
REFRACTORY = "timestep(t, dt) < timestep(t_release, dt)"


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
    """

    threshold: str
    reset: str
    variables: str
    values: Mapping[str, Any]
    step: str | None = None
    watch: tuple[str, str] | None = None
    constants: Mapping[str, str] = field(default_factory=dict)


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
    names = set().union(*(identifiers(e.expr.code) for e in _subexpressions(current)))
    name = type(neuron).__name__
    why = None
    if noisy:
        why = "with noise the membrane crosses the threshold many times within a step"
    elif method == "conex":
        why = "method='conex' repeats CoNeX's step, which spikes at its end"
    elif period is not None and names & RANDOM:
        why = "a random input is not known in advance for the step in which a neuron is released"
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
    units = {"t_spike": "second", closed_form.OWED: voltage}
    units |= {} if period is None else {"t_release": "second"}
    several = is_array(neuron.tau)
    shared = "shared" in current.equations["I"].flags and period is None
    shared &= not any(is_array(getattr(neuron, name)) for name in LIF.parameter_names())
    step = closed_form.STEP
    return Timing(
        threshold=closed_form.shared_condition(voltage) if shared else neuron.condition,
        reset=closed_form.reset(period, input_at(current, "_start")),
        variables=_lines(units) + _derived(closed_form.CONSTANTS, "1", several),
        values=_never(units),
        step=step if shared else kept_over(step, period is not None, voltage),
        constants=closed_form.CONSTANTS if several else {},
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
    flow = Flow(texts.pop("v"), share, texts, neuron.jumps, current.kind)

    units = {"t_spike": "second", "t_kept": "second", "t_seen": "second"}
    units |= {f"{name}_kept": unit_text(equations[name].dim) for name in ("v", *flow.others)}
    units |= {} if period is None else {"t_release": "second"}
    if share:
        units |= {f"{name}_seen": unit_text(equations[name].dim) for name in ("v", *flow.others)}
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
    later = "I" if current.kind == CONSTANT else input_at(current, "(t + dt)")
    if share:
        threshold = f"v >= {upswing.SPIKE}"
        step = upswing.whole_step(flow, period is not None) if method == "rk4" else None
        watch = upswing.watch(flow, later)
        derived = upswing.constants(own_step=step is not None)
        several = any(is_array(getattr(neuron, name)) for name in upswing.CONSTANTS_OF)
        text += _derived(derived, unit["voltage"], several)
        constants = derived if several else {}
    reset = crossing.reset(flow, period, input_at(current, "_start"), later)
    return Timing(threshold, reset, text, _never(units), step, watch, constants)


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
    if timing.step is not None:
        return timing.step
    update = StateUpdateMethod.stateupdaters[method] if isinstance(method, str) else method
    code = update(equations, variables, options)
    if timing.watch is not None:
        return f"{code}\nv = clip(v, {upswing.LOWEST}, {upswing.BOUND})"
    return kept_over(code, refractory, unit_text(equations["v"].dim))


def kept_over(code: str, refractory: bool, unit: str) -> str:
    """Return a leaky neuron's step in which one that starts over the threshold stays there.

    It has spiked. In a refractory period ``v`` is no membrane potential.
    """
    # Far below where v is under the threshold, and at the threshold else: all that a compiler has
    # to make of it are a minimum and a maximum.
    below = f"clip(v - threshold, -inf*{unit}, 0*{unit})"
    if refractory:
        below += " - int(t < t_release)*(threshold - v_reset)"
    floor = f"_floor = threshold + 1e30*({below})"
    return "\n".join([floor, code, f"v = clip(v, _floor, inf*{unit})"])


class Constants(BrianObject):  # type: ignore[misc]
    """Sets what follows from the parameters and the time step, whenever a run starts.

    So whoever changes these, also through ``run_args``, need not know of it.
    """

    def __init__(self, group: NeuronGroup, texts: Mapping[str, str]) -> None:
        super().__init__(clock=group.clock, name=f"{group.name}_constants")
        self.group = weakref.proxy(group)
        self.texts = texts

    def before_run(self, run_namespace: Mapping[str, Any]) -> None:
        """Set them; in standalone the program does, after it has taken its ``run_args``."""
        device = get_device()
        if isinstance(device, CPPStandaloneDevice) and not device.run_args_applied:
            device.insert_code("main", SET_VALUES)
            device.run_args_applied = True
        for name, text in self.texts.items():
            getattr(self.group, name).set_item(slice(None), text, namespace={})


def prepare(group: NeuronGroup, timing: Timing) -> None:
    """Let the reset of ``group`` follow the threshold, before synapses change ``v``.

    The watch comes after the summed variables of synapses, just before and after the group's step.
    """
    group.resetter["spike"].when = "after_thresholds"
    if timing.constants:
        group.contained_objects.append(Constants(group, timing.constants))
    if timing.watch is not None:
        before, after = timing.watch
        group.set_event_schedule("upswing", when="groups", order=group.order - 0.5)
        group.run_on_event("upswing", before, when="groups", order=group.order - 0.25)
        # Brian2 has one code for an event: the second is its like, on the same neurons.
        space = "_upswingspace"
        runner = CodeRunner(
            group,
            "reset",
            code=after,
            clock=group.clock,
            when="groups",
            order=group.order + 0.25,
            name=f"{group.name}_upswing_end",
            override_conditional_write=["not_refractory"],
            needed_variables=[space],
            template_kwds={"eventspace_variable": group.variables[space]},
        )
        group.contained_objects.append(runner)


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

    Examples
    --------
    >>> from brian2 import *
    >>> from conex_brian import LIF, spike_monitor
    >>> neuron = LIF(R=10*Mohm, threshold=-50*mV, tau=10*ms,
    ...              v_reset=-65*mV, v_rest=-65*mV)
    >>> group = neuron.group(1, I=2*nA, spike_timing="precise")
    >>> spikes = spike_monitor(group)
    >>> run(20*ms)
    >>> print(f"{spikes.t_spike[0]/ms:.6f} ms, in theory {10*log(4):.6f} ms")
    13.862944 ms, in theory 13.862944 ms
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
