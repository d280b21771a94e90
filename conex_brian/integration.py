"""How the equations are integrated: which methods a model with its input admits."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any

import numpy as np
import sympy
from brian2 import Equations
from brian2.parsing.sympytools import str_to_sympy, sympy_to_str

from conex_brian.dimensions import first_where, nearest, short, unit_text
from conex_brian.expressions import renamed, symbol
from conex_brian.inputs import CONDUCTANCE, CONSTANT, DECAYING, GENERAL, KINDS

#: The two kinds of membrane equation.
LINEAR = "linear"
NONLINEAR = "nonlinear"

_RUNGE_KUTTA = ("rk4", "rk2", "euler", "conex")
_STOCHASTIC = ("euler", "heun", "milstein")

#: (membrane equation, kind of input, noise) -> the methods that work, the default first.
#: 'heun' is Euler where there is no noise, and 'exponential_euler' is worse than Euler in an
#: exponential model, though Brian2 accepts both: they are not offered there.
METHODS: Mapping[tuple[str, str, bool], tuple[str, ...]] = {
    (LINEAR, CONSTANT, False): ("exact", "exponential_euler", *_RUNGE_KUTTA),
    (LINEAR, DECAYING, False): ("exact", "exponential_euler", *_RUNGE_KUTTA),
    (LINEAR, CONDUCTANCE, False): ("exponential_euler", *_RUNGE_KUTTA),
    (LINEAR, GENERAL, False): _RUNGE_KUTTA,
    **{(NONLINEAR, kind, False): _RUNGE_KUTTA for kind in KINDS},
    **{(LINEAR, kind, True): _STOCHASTIC for kind in KINDS},
    **{(NONLINEAR, kind, True): _STOCHASTIC for kind in KINDS},
}

#: The largest dt/time constant at which a decay does not grow, by method.
STABILITY_LIMIT = {
    **dict.fromkeys(("euler", "conex", "rk2", "heun", "milstein"), 2.0),
    "rk4": 2.785,
}

_WHY_NOT = {
    "conex": "CoNeX's step has no such term",
    "heun": "without noise it is Euler's method under another name",
    "exponential_euler": "it needs equations linear in each variable",
    "linear": "Brian2 calls it 'exact' now",
    "independent": "Brian2 has deprecated it",
}


def choose_method(method: str | None, dynamics: str, kind: str, noisy: bool) -> str:
    """Return the method to use, or say why the one asked for cannot work.

    Parameters
    ----------
    method : str or None
        What the user asked for; None for the default.
    dynamics, kind, noisy
        The key of `METHODS`.

    Raises
    ------
    TypeError
        Where it is not a name.
    ValueError
        Where it cannot work; the message lists the methods that do.
    """
    admitted = METHODS[dynamics, kind, noisy]
    if method is None:
        return admitted[0]
    if not isinstance(method, str):
        raise TypeError(f"method = {short(method)}: it needs a name, one of {_list(admitted)}.")
    if method in admitted:
        return method
    situation = f"a {dynamics} membrane equation, {kind} input" + (" and noise" if noisy else "")
    why = f": {_WHY_NOT[method]}" if method in _WHY_NOT else ""
    raise ValueError(
        f"method = {method!r} does not work for {situation}{why}. "
        f"Use one of {_list(admitted)}{nearest(method, admitted)}."
    )


def _list(names: tuple[str, ...]) -> str:
    return ", ".join(repr(name) for name in names)


def check_stability(method: str, dt: float, constants: Mapping[str, Any]) -> None:
    """Raise ``ValueError`` where a step of ``dt`` is too long for a time constant.

    Parameters
    ----------
    method : str
        A key of `METHODS`' values; one that is stable for every step passes.
    dt : float
        The time step in seconds.
    constants : mapping
        The model's time constants by name.
    """
    limit = STABILITY_LIMIT.get(method, np.inf)
    for name, constant in constants.items():
        bad = np.asarray(dt / np.asarray(constant)) >= limit
        if bad.any():
            raise ValueError(
                f"{name} = {short(constant)} is too short{first_where(bad)} for dt = "
                f"{dt * 1e3:g} ms: {method!r} is unstable where dt is {limit:g} time constants or "
                f"more. Set a smaller dt (defaultclock.dt before the group is made, or dt=)."
            )


def integrator(method: str, kind: str, states: Iterable[str]) -> str | Callable[..., str]:
    """Return what NeuronGroup takes as ``method``: Brian2's name, or a function based on it.

    ``states`` are the model's state variables besides ``v``.
    """
    if method == "conex":
        return partial(conex_step, frozenset(states))
    return exact_with_decaying_inputs if (method, kind) == ("exact", DECAYING) else method


def conex_step(
    states: frozenset[str], equations: Equations, variables: Any = None, method_options: Any = None
) -> str:
    """Integrate as CoNeX does: Euler for ``v``, then for the adaptation with the reset ``v``.

    The order within a step is that of ``cnrl-conex`` 0.1.5 (``conex/nn/priority.py``): ``v`` with
    the old adaptation, ``v >= threshold``, reset, then the adaptation with the new ``v``. Brian2
    resets later, so the adaptation is given the ``v`` that the reset will leave; the jump follows
    in the reset. Inputs with equations of their own take a plain Euler step.

    Parameters
    ----------
    states : frozenset of str
        The model's state variables besides ``v``.
    equations, variables, method_options
        As Brian2 hands them to a state updater.

    Returns
    -------
    str
        Abstract code for one step.
    """
    rates = {name: rate.code for name, rate in equations.get_substituted_expressions(variables)}
    first = [name for name in rates if name not in states]
    code = [f"_{name} = {name} + dt*({rates[name]})" for name in first]
    code += [f"{name} = _{name}" for name in first if name != "v"]
    # No larger than the threshold, where it is reset anyway: CoNeX's exponential is unbounded.
    code.append(f"v = clip(_v, -inf*{unit_text(equations['v'].dim)}, threshold)")
    code.append("_reset_v = v + (v_reset - threshold)*int(v >= threshold)")
    for name in rates:
        if name in states:
            code.append(f"{name} = {name} + dt*({renamed(rates[name], v='_reset_v')})")
    return "\n".join(code)


def exact_with_decaying_inputs(
    equations: Equations, variables: Any = None, method_options: Any = None
) -> str:
    """Integrate a leaky membrane with inputs that decay, each for itself, exactly.

    Brian2's ``'exact'`` divides by the difference of the time constants, which ends in nan where a
    synapse has the membrane's. With ``exprel(x) = (exp(x) - 1)/x`` nothing is divided:

        v' = a*v + sum(c*J) + b,  J' = k*(J - J_inf)

    gives ``J - J_inf`` the weight ``c*dt*exp(a*dt)*exprel((k - a)*dt)`` in ``v``.

    Parameters
    ----------
    equations, variables, method_options
        As Brian2 hands them to a state updater.

    Returns
    -------
    str
        Abstract code for one step.
    """
    rates = {
        name: str_to_sympy(rate.code, variables)
        for name, rate in equations.get_substituted_expressions(variables)
    }
    # By differentiation: Brian2's own pattern matching can take minutes.
    origin = {symbol(name): 0 for name in rates}
    dt = sympy.Symbol("dt", real=True, positive=True)
    exprel = sympy.Function("exprel")

    def constant_part(rate: sympy.Expr, drive: sympy.Expr) -> sympy.Expr:
        return sympy.S.Zero if drive == 0 else drive * dt * exprel(rate * dt)

    a = rates["v"].diff(symbol("v"))
    membrane = symbol("v") * sympy.exp(a * dt) + constant_part(a, rates["v"].subs(origin))
    code = []
    for name, rate in rates.items():
        if name == "v":
            continue
        k, drive, weight = rate.diff(symbol(name)), rate.subs(origin), rates["v"].diff(symbol(name))
        step = symbol(name) * sympy.exp(k * dt) + constant_part(k, drive)
        code.append(f"_{name} = {sympy_to_str(step)}")
        steady = sympy.S.Zero if drive == 0 else -drive / k
        membrane += weight * (symbol(name) - steady) * dt * sympy.exp(a * dt) * exprel((k - a) * dt)
        membrane += constant_part(a, weight * steady)
    code.append(f"_v = {sympy_to_str(membrane)}")
    return "\n".join(code + [f"{name} = _{name}" for name in rates])
