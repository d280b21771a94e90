"""A model with its input as texts that integrate it: for statements that Brian2 executes.

Everything here returns or appends Brian2's abstract code. Derived variables start with an
underscore; those of a Runge-Kutta stage end in a letter, since brian2cuda wants no digits in names.
Truth values are written ``1.0*int(...)``: as whole numbers they would be long integers in C++,
which few processors convert several at once.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import sympy
from brian2.parsing.sympytools import sympy_to_str

from conex_brian.expressions import compares, identifiers, renamed, symbol, to_sympy
from conex_brian.inputs import CONSTANT

#: The exponential in a model's F, and the name that takes its place.
EXPONENTIAL, MARK = "exp((v - theta_rh)/delta)", "_exponential"

State = Mapping[str, str]
#: (statements, tag, state, clock) -> names of the derivatives that the statements compute.
Derivatives = Callable[[list[str], str, State, str], dict[str, str]]

#: A Runge-Kutta method of order 5 with the nodes of Boole's rule. Butcher, J. Aust. Math. Soc. 4
#: (1964) 179. One row a stage: the time in the step, the weights of the stages before.
STAGES = (
    ("0", ()),
    ("0.25", ("0.25",)),
    ("0.25", ("0.125", "0.125")),
    ("0.5", ("0", "-0.5", "1")),
    ("0.75", ("0.1875", "0", "0", "0.5625")),
    ("1", ("-3.0/7", "2.0/7", "12.0/7", "-12.0/7", "8.0/7")),
)
WEIGHTS = ("7.0/90", "0", "32.0/90", "12.0/90", "32.0/90", "7.0/90")

#: Steps through a refractory period, in which synaptic currents may decay by much.
HELD = 4


def split(F: str) -> tuple[str, str]:
    """Return a right-hand side without its exponential, and what the exponential is multiplied by.

    Raises
    ------
    ValueError
        Where it is not linear in the exponential.
    """
    mark = symbol(MARK)
    marked = to_sympy(F.replace(EXPONENTIAL, MARK))
    factor = marked.diff(mark)
    if F.count(EXPONENTIAL) != 1 or mark in factor.free_symbols:
        raise ValueError(f"F = {F!r} is not linear in {EXPONENTIAL}.")
    return sympy_to_str(marked.subs(mark, 0)), sympy_to_str(sympy.cancel(factor / symbol("delta")))


def combination(weights: tuple[str, ...], values: list[str]) -> str:
    """Return the weighted sum of ``values`` as text."""
    return " + ".join(f"{w}*{x}" for w, x in zip(weights, values, strict=True) if w != "0")


def runge_kutta(code: list[str], names: list[str], clock: str, h: str, at: Derivatives) -> None:
    """Append one step of ``h`` in ``clock`` for the variables ``_name``.

    Nothing is added to in place: Brian2's numpy code would change what else has the same array.
    """
    stages: list[dict[str, str]] = []
    for tag, (part, weights) in zip("ABCDEF", STAGES, strict=True):
        state, now = {name: f"_{name}" for name in names}, clock
        if stages:
            state = {
                name: f"(_{name} + {h}*({combination(weights, [s[name] for s in stages])}))"
                for name in names
            }
            now = f"({clock} + {part}*{h})"
        stages.append(at(code, tag, state, now))
    for name in names:
        total = combination(WEIGHTS, [stage[name] for stage in stages])
        code += [f"_n_{name} = _{name} + {h}*({total})", f"_{name} = _n_{name}"]
    code += [f"_n{clock} = {clock} + {h}", f"{clock} = _n{clock}"]


@dataclass(frozen=True)
class Flow:
    """The right-hand sides of a model with its input.

    Attributes
    ----------
    rest : str
        The time derivative of ``v``, in an exponential model without the exponential.
    share : str
        What the exponential adds to ``dv/dt``, over ``delta``; empty where there is none.
    others : mapping
        Each other state variable -> its time derivative.
    jumps : mapping
        State variable -> what a spike adds.
    kind : str
        The kind of input.
    """

    rest: str
    share: str
    others: Mapping[str, str]
    jumps: Mapping[str, str]
    kind: str

    @property
    def coupled(self) -> list[str]:
        """The others that a spike changes, or ``v`` by way of their equations."""
        found = {"v", *self.jumps}
        for _ in self.others:
            found |= {name for name, rate in self.others.items() if identifiers(rate) & found}
        return [name for name in self.others if name in found]

    def gain(self, rate: str) -> str | None:
        """Return a rate's derivative by ``v``, None where it is not a constant."""
        expression = to_sympy(rate)
        found = expression.diff(symbol("v"))
        varying = {symbol(name) for name in ("v", "t", "I", *self.others)}
        if compares(expression, symbol("v")) or found == 0 or found.free_symbols & varying:
            return None
        return str(sympy_to_str(found))

    def at(self, text: str, state: State, time: str, current: str = "I") -> str:
        """Return a right-hand side at a point."""
        # An input of kind CONSTANT is what it was at the step's start.
        now = {} if self.kind == CONSTANT else {"t": time}
        return renamed(text, **state, **now, I=current)

    def held(self, code: list[str], h: str, v: str) -> None:
        """Append: the others and ``_time`` go on by ``h`` while ``v`` stays."""

        def at(code: list[str], tag: str, state: State, time: str) -> dict[str, str]:
            for y, rate in self.others.items():
                code.append(f"_d{y}_{tag} = {self.at(rate, {**state, 'v': v}, time)}")
            return {y: f"_d{y}_{tag}" for y in self.others}

        code.append(f"_dt = ({h})/{HELD}")
        for _ in range(HELD):
            runge_kutta(code, list(self.others), "_time", "_dt", at)

    def free(self, code: list[str], h: str, current: str) -> None:
        """Append: ``_v``, the others and ``_time`` go on by ``h``."""

        def at(code: list[str], tag: str, state: State, time: str) -> dict[str, str]:
            for name, rate in {"v": self.rest, **self.others}.items():
                code.append(f"_d{name}_{tag} = {self.at(rate, state, time, current)}")
            return {name: f"_d{name}_{tag}" for name in ("v", *self.others)}

        code.append(f"_dt = {h}")
        runge_kutta(code, ["v", *self.others], "_time", "_dt", at)
