"""From a model and its options to what Brian2 needs, as text and values."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

from brian2 import Equations, NeuronGroup, Quantity

from conex_brian import groups, precise, upswing
from conex_brian.dimensions import (
    common_length,
    is_array,
    unit_text,
)
from conex_brian.expressions import (
    bound_voltage,
    line,
    renamed,
)
from conex_brian.inputs import Input, make_input
from conex_brian.integration import LINEAR, NONLINEAR, choose_method, integrator
from conex_brian.options import (
    check_spike_timing,
    first_release,
    noise_level,
    refractory_period,
    starts_refractory,
)

if TYPE_CHECKING:
    from conex_brian.models import LIF


@dataclass(frozen=True, eq=False)
class Template:
    """What Brian2 needs to simulate a neuron; the fields bear NeuronGroup's argument names.

    Attributes
    ----------
    neuron : LIF
        The model it was made from.
    model : Equations
        The differential equations, with every parameter as a variable.
    threshold, reset : str
        Condition and statements.
    refractory : False or str
        As NeuronGroup takes it.
    method : str
        The name of the integrator.
    namespace : dict
        What the equations refer to besides their own variables.
    values : dict
        What to set on the group: parameters, input and initial values.
    dynamics, kind : str
        The kinds of membrane equation and of input, see `conex_brian.integration.METHODS`.
    length : int or None
        The number of neurons, where a value fixes it.
    spike_timing : {'grid', 'precise'}
        Whether spikes happen at the end of their time step or at their exact times.
    timing : conex_brian.precise.Timing or None
        What makes spikes precise.

    Examples
    --------
    >>> from brian2 import *
    >>> from conex_brian import LIF
    >>> neuron = LIF(R=100*Mohm, threshold=-50*mV, tau=20*ms,
    ...              v_reset=-65*mV, v_rest=-70*mV)
    >>> template = neuron.template(I=250*pA, refractory=2*ms)
    >>> template.threshold, template.method
    ('v >= threshold', 'exact')
    >>> group = template.group(100)
    """

    neuron: LIF
    model: Equations
    threshold: str
    reset: str
    refractory: bool | str
    method: str
    namespace: Mapping[str, Any]
    values: Mapping[str, Any]
    dynamics: str
    kind: str
    length: int | None = None
    texts: Mapping[str, str] = field(default_factory=dict, repr=False)
    spike_timing: str = "grid"
    timing: precise.Timing | None = None

    def arguments(self) -> dict[str, Any]:
        """Return the keyword arguments for ``NeuronGroup(N, **template.arguments())``.

        Call `initialise` on that group.

        Examples
        --------
        >>> from brian2 import *
        >>> from conex_brian import LIF
        >>> neuron = LIF(R=100*Mohm, threshold=-50*mV, tau=20*ms,
        ...              v_reset=-65*mV, v_rest=-70*mV)
        >>> template = neuron.template(I=250*pA)
        >>> arguments = template.arguments()
        >>> arguments["reset"] += "; spiked += 1"
        >>> arguments["model"] += Equations("spiked : integer")
        >>> group = NeuronGroup(100, **arguments)
        >>> template.initialise(group)
        >>> run(50*ms)
        >>> print(group.spiked[0])
        1
        """
        method = integrator(self.method, self.kind, self.neuron.states)
        events = {}
        if self.timing is not None:
            method = partial(precise.step, method, self.timing, self.refractory is not False)
            if self.timing.watch is not None:
                events["upswing"] = f"v >= {upswing.BEGIN}"
            if self.timing.release is not None:
                events["release"] = precise.RELEASED
        return {
            "model": self.model,
            "threshold": self.threshold,
            "reset": self.reset,
            "refractory": self.refractory,
            "method": method,
            "namespace": dict(self.namespace),
            **({"events": events} if events else {}),
        }

    def group(self, N: int | None = None, **options: Any) -> NeuronGroup:
        """Return a NeuronGroup of ``N`` neurons with all values set.

        Parameters
        ----------
        N : int, optional
            May be left out where a value holds one number a neuron.
        **options
            Passed to NeuronGroup: ``dt``, ``clock``, ``name``, ``namespace``, ``order``...

        Raises
        ------
        TypeError, ValueError, brian2.DimensionMismatchError
            Where N does not fit the values, an option is unknown or the template's own, an
            expression names what is not known, or the time step is too long.
        """
        return groups.make_group(self, N, options, caller_namespace())

    def initialise(self, group: NeuronGroup) -> None:
        """Check ``group``, made with `arguments`, and set all values on it.

        Raises
        ------
        ValueError, brian2.DimensionMismatchError
            As `group` does.
        """
        names = {**caller_namespace(), **(group.namespace or {})}
        groups.initialise(self, group, names)

    def __str__(self) -> str:
        from conex_brian.printing import template_text

        return template_text(self)


def caller_namespace() -> dict[str, Any]:
    """Return the names visible where this library was called, as Brian2 does for ``run``."""
    frame = sys._getframe(1)
    package = __name__.partition(".")[0]
    while frame.f_back and frame.f_globals.get("__name__", "").partition(".")[0] == package:
        frame = frame.f_back
    return {**frame.f_globals, **frame.f_locals}


def make_template(
    neuron: LIF,
    I: Any,  # noqa: E741
    *,
    method: str | None,
    spike_timing: str,
    refractory: Any,
    noise: Any,
    namespace: Mapping[str, Any] | None = None,
) -> Template:
    """Return the `Template` of ``neuron``; see `conex_brian.models.LIF.template`."""
    check_spike_timing(spike_timing)
    names = {**caller_namespace(), **(namespace or {})}
    dims = {kind: admitted[0] for kind, admitted in neuron.dimensions.items()}
    taken = {"v", "v_bounded", "v_within", "t_ref", "noise", *precise.TAKEN}
    taken |= {*neuron.parameter_names(), *neuron.states}
    current = make_input(I, dims["current"], taken, names)
    refractory_text, refractory_values = refractory_period(refractory)
    noise_values = noise_level(noise, dims["voltage"])

    values: dict[str, Any] = {name: getattr(neuron, name) for name in neuron.parameter_names()}
    values |= {**current.values, **refractory_values, **noise_values}
    if I is None and neuron.init_I is not None:
        values["I"] = neuron.init_I
    values["v"] = "v_rest" if neuron.init_v is None else neuron.init_v
    values |= {
        name: given for name in neuron.states if (given := getattr(neuron, name)) is not None
    }
    length = common_length({**values, "init_s": neuron.init_s}, type(neuron).__name__)
    if current.length is not None and length not in (None, current.length):
        raise ValueError(
            f"I: the TimedArray has {current.length} columns, but other values are for {length} "
            "neurons. It needs one column for each neuron."
        )
    if refractory is not False and neuron.init_s is not None:
        values |= starts_refractory(neuron.init_s)

    dynamics = LINEAR if neuron.linear and not neuron.states else NONLINEAR
    noisy = noise is not None or current.equations.is_stochastic
    chosen = choose_method(method, dynamics, current.kind, noisy)
    timing = None
    if spike_timing == "precise":
        period = str(refractory_text) if refractory_text else None
        timing = precise.make_timing(neuron, current, chosen, noisy, period)
    # CoNeX bounds nothing: its step starts below the threshold, where no bound would act.
    bound = None if neuron.linear or chosen == "conex" else neuron.upper_bound
    if timing and timing.watch:
        bound = None if timing.step else upswing.BOUND
    model = _equations(neuron, current, values, refractory is not False, noise is not None, bound)
    threshold, reset = neuron.condition, neuron.reset
    if timing is not None:
        model += Equations(timing.variables)
        threshold, reset = timing.threshold, timing.reset
        values |= timing.values
        if refractory_text:
            if neuron.init_s is not None:
                values["t_release"] = first_release(str(refractory_text))
            refractory_text = precise.REFRACTORY
    texts = {name: getattr(neuron, name) for name in neuron.initial_names()}
    texts["refractory"] = refractory
    return Template(
        neuron=neuron,
        model=model,
        threshold=threshold,
        reset=reset,
        refractory=refractory_text,
        method=chosen,
        namespace=current.namespace,
        values=values,
        dynamics=dynamics,
        kind=current.kind,
        length=length if current.length is None else current.length,
        texts={name: text for name, text in texts.items() if isinstance(text, str)},
        spike_timing=spike_timing,
        timing=timing,
    )


def _equations(
    neuron: LIF,
    current: Input,
    values: Mapping[str, Any],
    refractory: bool,
    noisy: bool,
    bound: str | None,
) -> Equations:
    """Put the model's fragments, the input and the parameters together."""
    unit = {kind: unit_text(admitted[0]) for kind, admitted in neuron.dimensions.items()}
    units = {"v": unit["voltage"], **{k: unit[s[1]] for k, s in neuron.states.items()}}
    lines = []
    for name, rate in neuron.rates.items():
        if bound:
            rate = renamed(rate, v="v_bounded" if name == "v" else "v_within")
        if noisy and name == "v":
            rate += " + noise*sqrt(2/tau)*xi_v"
        flags = " (unless refractory)" if refractory and name == "v" else ""
        lines.append(f"d{name}/dt = {rate} : {units[name]}{flags}")
    if bound:
        # A Runge-Kutta stage may lie anywhere beyond the threshold. One clip with both bounds in
        # place of two would cost more: that without a lower bound is a single minimum.
        upper = f"clip(v, -inf*{unit['voltage']}, {bound})"
        lines += [bound_voltage(current.equations), f"v_bounded = {upper} : {unit['voltage']}"]
        if neuron.states:
            # Where adaptation runs away (alpha*R < -1, or too long a step) it must not overflow.
            sharp = "delta" in neuron.parameter_names() and neuron.kind("delta") == "voltage"
            lowest = upswing.LOWEST if sharp else upswing.LOWEST_WITHOUT
            within = f"clip(v_bounded, {lowest}, inf*{unit['voltage']})"
            lines.append(f"v_within = {within} : {unit['voltage']}")
    else:
        lines += [line(equation) for equation in current.equations.values()]
    for name in (*neuron.parameter_names(), "t_ref", "noise"):
        if name in values:
            flags = "constant" if is_array(values[name]) else "shared, constant"
            dim = unit_text(getattr(values[name], "dim", None) or Quantity(1.0).dim)
            lines.append(f"{name} : {dim} ({flags})")
    return Equations("\n".join(lines))
