"""The loops over neurons that `conex_brian.cpp_device` writes otherwise than Brian2 does.

What a loop computes is Brian2's; here it takes several neurons at once where Brian2's takes one:
comparing with the threshold, the statements of an event, and a time step with many variables. The
templates lie in ``loops``. In single precision Brian2's numbers would be double; here they are not.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from brian2.codegen.generators.cpp_generator import CPPCodeGenerator
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


class CPPCodeObject(CPPStandaloneCodeObject):  # type: ignore[misc]
    """A code object of C++ standalone, with this library's loops."""

    generator_class = _Generator
    templater = CPPStandaloneCodeObject.templater.derive(
        "conex_brian", templates_dir="loops", env_globals={"independent": independent}
    )


DEFAULT_FUNCTIONS["clip"].implementations.add_implementation(CPPCodeObject, CLIP, name="_clip")
DEFAULT_FUNCTIONS["log"].implementations.add_implementation(CPPCodeObject, LOG, name="_log")
DEFAULT_FUNCTIONS["exp"].implementations.add_dynamic_implementation(
    CPPCodeObject,
    lambda owner: EXP + (EXP_SINGLE if single_precision() else ""),
    namespace=lambda owner: {},
    name="_exp",
)
