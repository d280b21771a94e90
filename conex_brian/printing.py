"""Models and templates as text and LaTeX."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import sympy
from brian2 import Quantity

from conex_brian.dimensions import short
from conex_brian.expressions import line, symbol, to_sympy

if TYPE_CHECKING:
    from conex_brian.models import LIF
    from conex_brian.templates import Template


def _indented(title: str, lines: list[str]) -> str:
    return "\n".join([title, *(f"  {one}" for one in lines)])


def value_text(value: Any) -> str:
    """Return a value in a readable unit, several values as their range."""
    if isinstance(value, str) or np.ndim(value) == 0:
        return value if isinstance(value, str) else _scalar(value)
    low, high = np.min(value), np.max(value)
    return f"{_scalar(low)} to {_scalar(high)} ({len(value)} values)"


def _scalar(value: Any) -> str:
    if isinstance(value, Quantity):
        unit = value.get_best_unit()
        return f"{float(value / unit):g} {unit}"
    return f"{value:g}" if isinstance(value, (float, np.floating)) else short(value)


def model_text(model: LIF) -> str:
    """Return the class, values, equations, threshold and reset of a model."""
    given = {**model.given(), "init_v": "v_rest" if model.init_v is None else model.init_v}
    width = max(map(len, given))
    values = [f"{name:{width}} = {value_text(value)}" for name, value in given.items()]
    equations = [f"tau*dv/dt = {model.F} + {model.RI}"]
    equations += [f"d{name}/dt = {rate}" for name, (rate, _) in model.states.items()]
    return "\n".join(
        [
            _indented(type(model).__name__, values),
            _indented("equations", equations),
            _indented("threshold", [model.condition]),
            _indented("reset", model.reset.splitlines()),
        ]
    )


def template_text(template: Template) -> str:
    """Return all that a template hands to Brian2."""
    values = {name: value_text(value) for name, value in template.values.items()}
    width = max(map(len, values))
    shown = {
        "model": [line(equation) for equation in template.model.values()],
        "threshold": [template.threshold],
        "reset": template.reset.splitlines(),
        "refractory": [str(template.refractory)],
        "method": [template.method],
        "spike_timing": [template.spike_timing],
        "values": [f"{name:{width}} = {text}" for name, text in values.items()],
    }
    timing = template.timing
    if timing is not None and timing.step is not None:
        shown["step"] = timing.step.splitlines()
    if timing is not None and timing.watch is not None:
        shown["before a step in the upswing"] = timing.watch[0].splitlines()
        shown["after it"] = timing.watch[1].splitlines()
    if template.namespace:
        shown["namespace"] = [f"{k} = {short(v)}" for k, v in template.namespace.items()]
    head = f"Template of {type(template.neuron).__name__}"
    return "\n".join([head, *(_indented(title, lines) for title, lines in shown.items())])


def model_latex(model: LIF) -> str:
    """Return the model's equations as LaTeX between dollar signs, for notebooks."""
    membrane = sympy.latex(to_sympy(f"{model.F} + {model.RI}"))
    rows = [rf"\tau \frac{{dv}}{{dt}} &= {membrane}"]
    for name, (rate, _) in model.states.items():
        left = sympy.latex(symbol(name))
        rows.append(rf"\frac{{d{left}}}{{dt}} &= {sympy.latex(to_sympy(rate))}")
    assignments = [statement.split(" = ") for statement in model.reset.splitlines()]
    resets = r",\ ".join(
        rf"{sympy.latex(symbol(left))} \leftarrow {sympy.latex(to_sympy(right))}"
        for left, right in assignments
    )
    rows.append(rf"\text{{where }} v &\geq \mathrm{{threshold}}:\ {resets}")
    return "$$\\begin{aligned}\n" + " \\\\\n".join(rows) + "\n\\end{aligned}$$"
