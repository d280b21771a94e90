"""The loops over neurons that `conex_brian.cpp_device` writes otherwise than Brian2 does.

What a loop computes is Brian2's; here it takes several neurons at once where Brian2's takes one:
comparing with the threshold, the statements of an event, and a time step with many variables. The
templates lie in ``loops``. In single precision Brian2's numbers would be double; here they are not.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from brian2.codegen.generators.cpp_generator import CPPCodeGenerator, c_data_type
from brian2.core.functions import DEFAULT_FUNCTIONS
from brian2.core.variables import ArrayVariable
from brian2.devices.cpp_standalone.codeobject import CPPStandaloneCodeObject
from brian2.parsing.rendering import CPPNodeRenderer
from brian2.utils.stringtools import word_substitute

from conex_brian.cpp_functions import CLIP, EXP, EXP_SINGLE, LOG
from conex_brian.options import single_precision


class _SingleRenderer(CPPNodeRenderer):  # type: ignore[misc]
    """Writes numbers in single precision; ``0.5`` would make all that it meets double."""

    def render_Constant(self, node: Any) -> str:
        text: str = super().render_Constant(node)
        fraction = isinstance(node.value, (float, np.floating)) and np.isfinite(node.value)
        return f"{text}f" if fraction else text


class _Generator(CPPCodeGenerator):  # type: ignore[misc]
    def translate_expression(self, expr: str) -> str:
        """Return an expression in C++."""
        if not single_precision():
            return str(super().translate_expression(expr))
        renderer = _SingleRenderer(auto_vectorise=self.auto_vectorise)
        expr = word_substitute(expr, self.func_name_replacements)
        return str(renderer.render_expr(expr)).strip()


def independent(variables: Mapping[str, Any], indices: Mapping[str, str]) -> bool:
    """Whether the code of a neuron touches no other neuron's values, as a linked variable may.

    Parameters
    ----------
    variables : mapping
        The variables of a code object by name.
    indices : mapping
        The index that each is looked up with: ``'_idx'`` is the neuron itself.
    """
    return all(
        variable.scalar or indices[name] == "_idx"
        for name, variable in variables.items()
        if isinstance(variable, ArrayVariable)
    )


def repeatable(variables: Mapping[str, Any]) -> bool:
    """Whether all functions in the code may be called once more, which random numbers may not."""
    return all(getattr(variable, "stateless", True) for variable in variables.values())


@dataclass(frozen=True)
class Touched:
    """An array of which the code of a neuron reads or writes the neuron's value.

    Attributes
    ----------
    pointer : str
        What it is called in C++.
    type : str
        The type of its values there.
    read, written : bool
        Whether the code may need it, and whether it may change it.
    """

    pointer: str
    type: str
    read: bool
    written: bool


def touched(
    code: str | list[str],
    variables: Mapping[str, Any],
    array_name: Callable[[ArrayVariable], str],
) -> list[Touched]:
    """Return the arrays that ``code``, C++ for the neuron ``_idx``, touches."""
    text = code if isinstance(code, str) else "\n".join(code)
    found = {}
    for variable in variables.values():
        if not isinstance(variable, ArrayVariable) or variable.scalar:
            continue
        pointer = array_name(variable)
        uses = re.findall(rf"\b{re.escape(pointer)}\[_idx\](\s*[-+*/]?=(?!=))?", text)
        if uses:
            # What is written on a condition may have to stay.
            read = bool(re.search(r"\bif\b", text)) or any(use.strip() != "=" for use in uses)
            kind = c_data_type(variable.dtype)
            found[pointer] = Touched(pointer, kind, read, any(uses))
    return [found[pointer] for pointer in sorted(found)]


class CPPCodeObject(CPPStandaloneCodeObject):  # type: ignore[misc]
    """A code object of C++ standalone, with this library's loops."""

    generator_class = _Generator
    templater = CPPStandaloneCodeObject.templater.derive(
        "conex_brian",
        templates_dir="loops",
        env_globals={"independent": independent, "repeatable": repeatable, "touched": touched},
    )


DEFAULT_FUNCTIONS["clip"].implementations.add_implementation(CPPCodeObject, CLIP, name="_clip")
DEFAULT_FUNCTIONS["log"].implementations.add_implementation(CPPCodeObject, LOG, name="_log")
DEFAULT_FUNCTIONS["exp"].implementations.add_dynamic_implementation(
    CPPCodeObject,
    lambda owner: EXP + (EXP_SINGLE if single_precision() else ""),
    namespace=lambda owner: {},
    name="_exp",
)
