"""The way over from a live CoNeX population."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import numpy as np
from brian2 import Quantity, Unit, ms

from conex_brian.dimensions import short
from conex_brian.models import AELIF, ELIF, LIF

_MODELS: dict[str, type[LIF]] = {model.__name__: model for model in (LIF, ELIF, AELIF)}

#: The methods in which CoNeX keeps a model's dynamics.
_DYNAMICS = {"initialize", "forward", "Fire", "_Fu", "_RIu", "domega_dt"}

#: Behaviors that leave the dynamics alone.
_PASSIVE = {
    "EventRecorder",
    "Fire",
    "NeuronAxon",
    "NeuronDimension",
    "Recorder",
    "SpikeTrace",
}

#: Behaviors of CoNeX and PymoNNtorch that change the dynamics, and how.
_CHANGING = {
    "ActivityBaseHomeostasis": "moves the threshold",
    "InherentNoise": "adds noise to v in each step (see template's noise=)",
    "InstantHomeostasis": "changes variables of the population",
    "KWTA": "lets only k winners spike",
    "LocationSetter": "overwrites the spikes",
    "SensorySetter": "overwrites the spikes",
    "TimeIntegratedHomeostasis": "changes variables of the population",
    "VoltageBaseHomeostasis": "subtracts from v in each step",
}


def from_conex(
    population: Any,
    time_unit: Unit = ms,
    *,
    voltage_unit: Unit | float = 1.0,
    resistance_unit: Unit | float = 1.0,
    ignore: str | Collection[str] = (),
) -> LIF:
    """Return the model of a live CoNeX population, with its present state as initial values.

    Use it with ``method='conex'`` and ``defaultclock.dt = network.dt*time_unit`` to see CoNeX's
    own trajectory go on in Brian2.

    Parameters
    ----------
    population : pymonntorch.NeuronGroup
        A population with one of CoNeX's behaviors LIF, ELIF, AELIF, in an initialised network,
        before or in the middle of a simulation.
    time_unit : Unit, optional
        What CoNeX's numbers for times (``dt``, ``tau``, ``w_tau``) count. Default: ms.
    voltage_unit, resistance_unit : Unit, optional
        What CoNeX's numbers for voltages and resistances count, for example ``mV`` and ``Mohm``.
        Currents then count ``voltage_unit/resistance_unit``. Default: 1, a dimensionless model.
    ignore : str or collection of str, optional
        Names of behaviors to leave behind although they change the dynamics.

    Returns
    -------
    LIF, ELIF or AELIF
        With the population's parameters, its present ``v``, ``omega`` and ``spikes`` as initial
        values, and its present ``I`` (where it has one) as ``init_I``. CoNeX's ``beta`` becomes
        ``beta/time_unit``: a spike adds ``beta*dt``.

    Raises
    ------
    TypeError
        Where ``population`` is no PymoNNtorch population.
    ValueError
        Where it is not initialised, has none or several of the three behaviors, or further
        behaviors that change the dynamics. The message names them.

    Notes
    -----
    Behaviors that run before the neuron's own are its input; their last result is carried over
    as ``init_I``, what they do next is not. Synapses are not carried over.
    Read from ``cnrl-conex`` 0.1.5 and ``pymonntorch`` 0.1.4.

    Examples
    --------
    Without CoNeX at hand, three classes that hold what a population holds:

    >>> from types import SimpleNamespace
    >>> import numpy as np
    >>> from brian2 import mV, Mohm
    >>> from conex_brian import from_conex
    >>> class LIF: __module__ = "conex.behaviors.neurons.neuron_types.lif_neurons"
    >>> class Fire: pass
    >>> population = SimpleNamespace(
    ...     size=2, R=10.0, threshold=-50.0, tau=np.array([10.0, 20.0]), v_reset=-65.0,
    ...     v_rest=-65.0, v=np.array([-60.0, -55.0]), spikes=np.array([False, True]),
    ...     behavior={260: LIF(), 340: Fire()})
    >>> neuron = from_conex(population, voltage_unit=mV, resistance_unit=Mohm)
    >>> print(neuron.tau, neuron.init_v)
    [10. 20.] ms [-60. -55.] mV
    """
    ignored = {ignore} if isinstance(ignore, str) else set(ignore)
    model = _find_model(population, ignored)
    # CoNeX takes parameters as tensors of one element, and a state as a number, too.
    given: dict[str, Any] = {}
    for name in model.parameter_names():
        array = _array(getattr(population, name))
        given[name] = array.item() if array.size == 1 else array
    states = {"init_v": "v", "init_s": "spikes", "init_I": "I", **{n: n for n in model.states}}
    for name, attribute in states.items():
        if hasattr(population, attribute):
            given[name] = np.broadcast_to(_array(getattr(population, attribute)), population.size)
    current = voltage_unit / resistance_unit
    # Numerator and denominator: 0.7/ms is not 0.7*(1/ms) to the last bit.
    units = {
        "voltage": (voltage_unit, 1.0),
        "resistance": (resistance_unit, 1.0),
        "time": (time_unit, 1.0),
        "current": (current, 1.0),
        "conductance": (1.0, resistance_unit),
        "jump": (current, time_unit),
        "spikes": (1.0, 1.0),
    }
    scaled = {}
    for name, value in given.items():
        times, per = units[model.kind(name)]
        scaled[name] = Quantity(value) * times / per
    return model(**scaled)


def _array(value: Any) -> np.ndarray:
    """Return a number or tensor as an array in double precision that CoNeX cannot change."""
    if hasattr(value, "detach"):
        value = value.detach().cpu().numpy()
    return np.array(value, dtype=float)


def _find_model(population: Any, ignored: set[str]) -> type[LIF]:
    """Return the model class of a population whose behaviors can all be carried over."""
    behaviors = getattr(population, "behavior", None)
    if not isinstance(behaviors, dict):
        raise TypeError(
            f"population = {short(population)}: it needs a PymoNNtorch NeuronGroup with CoNeX's "
            "behaviors."
        )
    enabled = [
        (key, behavior)
        for key, behavior in sorted(behaviors.items())
        if getattr(behavior, "behavior_enabled", True)
    ]
    names = [type(behavior).__name__ for _, behavior in enabled]
    found = [(key, behavior, _conex_class(behavior)) for key, behavior in enabled]
    neurons = [(key, behavior, cls) for key, behavior, cls in found if cls is not None]
    if len(neurons) != 1:
        which = ", ".join(type(behavior).__name__ for _, behavior, _ in neurons) or "none"
        raise ValueError(
            f"The population needs exactly one of CoNeX's LIF, ELIF and AELIF, but has {which} "
            f"among its behaviors ({', '.join(names) or 'no behavior'})."
        )
    neuron_key, behavior, cls = neurons[0]
    changed = sorted(
        name
        for base in type(behavior).__mro__[: type(behavior).__mro__.index(cls)]
        for name in _DYNAMICS & set(vars(base))
    )
    problems = []
    if changed and type(behavior).__name__ not in ignored:
        problems.append(
            f"{type(behavior).__name__} redefines {', '.join(changed)} of {cls.__name__}"
        )
    if not any(name == "Fire" for name in names) and "Fire" not in ignored:
        problems.append("Fire is missing, so CoNeX would never reset")
    for key, other in enabled:
        name = type(other).__name__
        if other is behavior or name in ignored | _PASSIVE:
            continue
        if name in _CHANGING:
            problems.append(f"{name} {_CHANGING[name]}")
        elif key >= neuron_key:
            problems.append(f"{name} is unknown and may change the dynamics")
    if problems:
        raise ValueError(
            f"The population has behaviors that are not carried over: {'; '.join(problems)}. "
            "Leave them behind knowingly with ignore=, for example "
            f"ignore={problems[0].split()[0]!r}."
        )
    if not hasattr(population, "v") or not hasattr(population, "spikes"):
        raise ValueError("The population is not initialised. Call network.initialize() first.")
    return _MODELS[cls.__name__]


def _conex_class(behavior: Any) -> type | None:
    """Return CoNeX's own class that a behavior is or extends, None for any other behavior."""
    for cls in type(behavior).__mro__:
        if cls.__name__ in _MODELS and cls.__module__.rpartition(".")[2] == "lif_neurons":
            return cls
    return None
