"""The neuron types of CoNeX as immutable values: LIF, ELIF and AELIF.

All follow ``tau * dv/dt = F(v) + RI`` and fire where ``v >= threshold``. A model is its parameters
and its texts: ``F`` and ``RI`` are extended by inheritance, and everything else (Brian2's
equations, the printed form, LaTeX, the theory) is derived from them.

The parameterisation is that of ``conex/behaviors/neurons/neuron_types/lif_neurons.py`` in
``cnrl-conex`` 0.1.5.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from brian2 import get_dimensions
from brian2.units.fundamentalunits import Dimension

from conex_brian import dimensions
from conex_brian.dimensions import short
from conex_brian.expressions import is_linear
from conex_brian.parameters import Parameters, initial, parameter

if TYPE_CHECKING:
    from brian2 import NeuronGroup

    from conex_brian.templates import Template


@dataclass(frozen=True, eq=False, repr=False)
class LIF(Parameters):
    """Leaky integrate-and-fire neuron: ``tau*dv/dt = v_rest - v + R*I``.

    Where ``v >= threshold`` the neuron spikes and ``v`` becomes ``v_reset``. Values are quantities
    or, for a dimensionless model, numbers (times always need a unit); each is a scalar or holds
    one value a neuron. The dimensions of ``v_rest`` and ``R`` fix all others.

    Parameters
    ----------
    R : Quantity or float
        Membrane resistance, positive.
    threshold : Quantity or float
        Firing threshold, above ``v_reset``.
    tau : Quantity
        Membrane time constant, positive.
    v_reset : Quantity or float
        Membrane potential after a spike.
    v_rest : Quantity or float
        Resting potential.
    init_v : Quantity, float or str, optional
        Initial membrane potential, or a Brian2 expression for it such as
        ``'v_rest + rand()*5*mV'``. Default: ``v_rest``.
    init_s : bool, array or str, optional
        Who spiked just before t = 0. These start refractory where there is a refractory period;
        without one nothing follows. Default: nobody.
    init_I : Quantity, float or str, optional
        Initial input current of a group that is made without ``I``. Default: 0.

    Raises
    ------
    TypeError
        For missing or unknown names, and values that are not numbers.
    ValueError
        For values that no such neuron can have; the message says which and why.
    brian2.DimensionMismatchError
        For a value of a wrong dimension.

    Examples
    --------
    >>> from brian2 import *
    >>> from conex_brian import LIF
    >>> neuron = LIF(R=100*Mohm, threshold=-50*mV, tau=20*ms,
    ...              v_reset=-65*mV, v_rest=-70*mV)
    >>> neuron.replace(tau=[10, 20]*ms, init_v="v_rest + rand()*5*mV").group().N
    2
    >>> print(neuron.reset)
    v = v_reset
    """

    R: Any = parameter("resistance", positive=True)
    threshold: Any = parameter("voltage")
    tau: Any = parameter("time", positive=True)
    v_reset: Any = parameter("voltage")
    v_rest: Any = parameter("voltage")
    init_v: Any = initial("voltage")
    init_s: Any = initial("spikes")
    init_I: Any = initial("current")

    #: The two fragments of ``tau*dv/dt = F + RI``.
    F: ClassVar[str] = "v_rest - v"
    RI: ClassVar[str] = "R*I"
    #: Where it holds, the neuron spikes.
    condition: ClassVar[str] = "v >= threshold"
    #: The largest v that a nonlinear right-hand side is evaluated at.
    upper_bound: ClassVar[str] = "threshold"
    #: Further state variables: name -> (right-hand side, kind of quantity). Each starts at the
    #: initial value of the same name, 0 by default.
    states: ClassVar[Mapping[str, tuple[str, str]]] = {}

    @property
    def dimensions(self) -> dict[str, tuple[Dimension, ...]]:
        """The dimensions that each kind of quantity has in this model."""
        return dimensions.dimensions_of(get_dimensions(self.v_rest), get_dimensions(self.R))

    @property
    def rates(self) -> dict[str, str]:
        """The time derivative of each state variable, ``v`` first."""
        states = {name: rate for name, (rate, _) in self.states.items()}
        return {"v": f"({self.F} + {self.RI})/tau", **states}

    @property
    def linear(self) -> bool:
        """Whether the membrane equation is linear in ``v``."""
        return is_linear(self.rates["v"])

    @property
    def jumps(self) -> dict[str, str]:
        """What a spike adds to state variables."""
        return {}

    @property
    def reset(self) -> str:
        """The statements that a spike executes."""
        jumps = [f"{name} = {name} + {jump}" for name, jump in self.jumps.items()]
        return "\n".join(["v = v_reset", *jumps])

    def template(
        self,
        I: Any = None,  # noqa: E741 - CoNeX's and Brian2's name of the input current
        *,
        method: str | None = None,
        spike_timing: str = "grid",
        refractory: Any = False,
        noise: Any = None,
    ) -> Template:
        """Return what Brian2 needs to simulate this neuron, as text and values.

        Parameters
        ----------
        I : None, Quantity, float, array, TimedArray, str or Equations, optional
            The input current. None: a variable of each neuron, 0 until it is set. A scalar (one
            variable for all) or an array (one a neuron); both can be set later. A TimedArray of t,
            or of t and i. An expression. Or Equations that define ``I``.
        method : str, optional
            How to integrate: the name of a Brian2 integrator. Default: the most accurate that the
            model with this input admits (see `conex_brian.integration.METHODS`).
        spike_timing : {'grid', 'precise'}, optional
            Spikes happen at the end of their time step, or at their exact times within it (see
            `conex_brian.precise`): then the group has ``t_spike``, the time of its last spike.
        refractory : False, Quantity, array or str, optional
            As for NeuronGroup: a time, one time a neuron, or an expression for a time or for the
            condition to stay refractory. Default False.
        noise : Quantity or float, optional
            Standard deviation that white noise gives the free membrane's ``v``. Default: no noise.

        Returns
        -------
        Template
            Equations, threshold, reset and values for a NeuronGroup.

        Raises
        ------
        TypeError, ValueError, brian2.DimensionMismatchError
            For options that cannot work; the message says which, why and what can.

        Examples
        --------
        >>> from brian2 import *
        >>> from conex_brian import LIF
        >>> neuron = LIF(R=100*Mohm, threshold=-50*mV, tau=20*ms,
        ...              v_reset=-65*mV, v_rest=-70*mV)
        >>> neuron.template(I=250*pA).method
        'exact'
        >>> neuron.template(I="250*pA*sin(2*pi*10*Hz*t)").method
        'rk4'
        """
        from conex_brian.templates import make_template

        return make_template(
            self, I, method=method, spike_timing=spike_timing, refractory=refractory, noise=noise
        )

    def group(
        self,
        N: int | None = None,
        I: Any = None,  # noqa: E741
        *,
        method: str | None = None,
        spike_timing: str = "grid",
        refractory: Any = False,
        noise: Any = None,
        **neuron_group_options: Any,
    ) -> NeuronGroup:
        """Return a `brian2.NeuronGroup` of ``N`` such neurons with all values set.

        Parameters
        ----------
        N : int, optional
            How many neurons. May be left out where a value holds one number a neuron.
        I, method, spike_timing, refractory, noise
            See `template`.
        **neuron_group_options
            Passed to NeuronGroup: ``dt``, ``clock``, ``name``, ``namespace``, ``order``...

        Raises
        ------
        TypeError, ValueError, brian2.DimensionMismatchError
            Before Brian2 generates any code; the message names what is wrong and the mend.

        Examples
        --------
        >>> from brian2 import *
        >>> from conex_brian import LIF
        >>> neuron = LIF(R=100*Mohm, threshold=-50*mV, tau=20*ms,
        ...              v_reset=-65*mV, v_rest=-70*mV)
        >>> group = neuron.group(I=[175, 250, 325]*pA, refractory=2*ms)
        >>> spikes = SpikeMonitor(group)
        >>> run(100*ms)
        >>> print(spikes.count[:])
        [0 3 5]
        """
        from conex_brian.templates import make_template

        template = make_template(
            self,
            I,
            method=method,
            spike_timing=spike_timing,
            refractory=refractory,
            noise=noise,
            namespace=neuron_group_options.get("namespace"),
        )
        return template.group(N, **neuron_group_options)

    def to_dict(self) -> dict[str, Any]:
        """Return this model as plain text values, for JSON and YAML.

        Returns
        -------
        dict
            ``'model'``, the class's name, and every value that was given, as ``'-70 mV'``, or a
            list of these where there is one a neuron. An expression for an initial value is
            ``{'expression': '...'}``. `conex_brian.from_dict` returns an equal model, to the
            last bit.

        Examples
        --------
        >>> from brian2 import *
        >>> from conex_brian import LIF
        >>> LIF(R=5, threshold=1, tau=20*ms, v_reset=0, v_rest=0).to_dict()
        {'model': 'LIF', 'R': '5', 'threshold': '1', 'tau': '20 ms', 'v_reset': '0', 'v_rest': '0'}
        """
        from conex_brian.serial import to_dict

        return to_dict(self)

    def __str__(self) -> str:
        from conex_brian.printing import model_text

        return model_text(self)

    def _repr_latex_(self) -> str:
        from conex_brian.printing import model_latex

        return model_latex(self)


@dataclass(frozen=True, eq=False, repr=False)
class ELIF(LIF):
    """Exponential integrate-and-fire neuron: LIF with a spike's upswing.

    ``tau*dv/dt = v_rest - v + delta*exp((v - theta_rh)/delta) + R*I``. In a simulation the
    exponential is bounded, which changes no trajectory below the threshold.

    Parameters
    ----------
    R, threshold, tau, v_reset, v_rest
        See `LIF`.
    delta : Quantity or float
        Sharpness of the upswing, a voltage, positive.
    theta_rh : Quantity or float
        Rheobase threshold: where the upswing begins.
    init_v, init_s, init_I
        See `LIF`.

    Notes
    -----
    Fourcaud-Trocmé et al., J. Neurosci. 23 (2003) 11628.

    Examples
    --------
    >>> from brian2 import *
    >>> from conex_brian import ELIF
    >>> neuron = ELIF(R=100*Mohm, threshold=-30*mV, tau=20*ms, v_reset=-65*mV,
    ...               v_rest=-70*mV, delta=2*mV, theta_rh=-50*mV)
    >>> neuron.template(I=250*pA).method
    'rk4'
    """

    delta: Any = parameter("voltage", positive=True)
    theta_rh: Any = parameter("voltage")

    F: ClassVar[str] = LIF.F + " + delta*exp((v - theta_rh)/delta)"
    # exp(710) overflows. exp(300) crosses any voltage range within 1e-130 time constants, so this
    # bound changes no trajectory below the threshold.
    upper_bound: ClassVar[str] = "clip(threshold, v_reset, theta_rh + 300*delta)"

    def __post_init__(self) -> None:
        super().__post_init__()
        smallest = 1e-12 * np.abs(np.asarray(self.theta_rh))
        bad = np.asarray(self.delta) < smallest
        if bad.any():
            raise ValueError(
                f"{type(self).__name__}: delta = {short(self.delta)} is too small"
                f"{dimensions.first_where(bad)} beside theta_rh = {short(self.theta_rh)}: double "
                "precision cannot follow so sharp an upswing. Use LIF, or delta of at least 1e-12 "
                "times theta_rh."
            )


@dataclass(frozen=True, eq=False, repr=False)
class AELIF(ELIF):
    """Adaptive exponential integrate-and-fire neuron: ELIF with an adaptation current ``omega``.

    ``tau*dv/dt = v_rest - v + delta*exp((v - theta_rh)/delta) + R*I - R*omega`` and
    ``w_tau*domega/dt = alpha*(v - v_rest) - omega``; a spike raises ``omega``.

    Parameters
    ----------
    R, threshold, tau, v_reset, v_rest, delta, theta_rh
        See `ELIF`.
    alpha : Quantity or float
        Subthreshold adaptation, a conductance.
    beta : Quantity or float
        Spike-triggered adaptation. A current: a spike adds ``beta`` to omega (``b`` of Brette and
        Gerstner). A current per time: a spike adds ``beta*dt``, as CoNeX's Euler step does.
    w_tau : Quantity
        Time constant of the adaptation, positive.
    init_v, init_s, init_I
        See `LIF`.
    omega : Quantity, float or str, optional
        Initial adaptation current. Default 0.

    Notes
    -----
    Brette and Gerstner, J. Neurophysiol. 94 (2005) 3637.

    Examples
    --------
    >>> from brian2 import *
    >>> from conex_brian import AELIF
    >>> neuron = AELIF(R=500*Mohm, threshold=-30*mV, tau=20*ms, v_reset=-55*mV,
    ...                v_rest=-70*mV, delta=2*mV, theta_rh=-50*mV, alpha=0*nS,
    ...                beta=5*pA, w_tau=100*ms)
    >>> print(neuron.reset)
    v = v_reset
    omega = omega + beta
    >>> group = neuron.group(1, I=65*pA)
    >>> spikes = SpikeMonitor(group)
    >>> run(300*ms)
    >>> intervals = diff(spikes.t)
    >>> bool(intervals[-1] > 1.3*intervals[0])  # it adapts
    True
    """

    alpha: Any = parameter("conductance")
    beta: Any = parameter("jump")
    w_tau: Any = parameter("time", positive=True)
    omega: Any = initial("current")

    RI: ClassVar[str] = ELIF.RI + " - R*omega"
    states: ClassVar[Mapping[str, tuple[str, str]]] = {
        **ELIF.states,
        "omega": ("(alpha*(v - v_rest) - omega)/w_tau", "current"),
    }

    @property
    def jumps(self) -> dict[str, str]:
        """What a spike adds to state variables: ``beta`` to omega, by either reading."""
        per_time = get_dimensions(self.beta) not in self.dimensions["current"]
        return {**super().jumps, "omega": "beta*dt" if per_time else "beta"}
