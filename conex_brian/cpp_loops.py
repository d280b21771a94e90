"""The loops over neurons that `conex_brian.cpp_device` writes otherwise than Brian2 does.

What a loop computes is Brian2's; here it takes several neurons at once where Brian2's takes one:
comparing with the threshold, the statements of an event, and a time step with many variables. The
templates lie in ``loops``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from brian2.core.functions import DEFAULT_FUNCTIONS
from brian2.core.variables import ArrayVariable
from brian2.devices.cpp_standalone.codeobject import CPPStandaloneCodeObject

#: A maximum and a minimum, which processors have instructions for; nan stays nan, as in numpy.
CLIP = """
template <typename T>
static inline T _clip(const T value, const double low, const double high)
{
    const T raised = low > value ? low : value;
    return high < raised ? high : raised;
}
"""


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

    templater = CPPStandaloneCodeObject.templater.derive(
        "conex_brian", templates_dir="loops", env_globals={"independent": independent}
    )


DEFAULT_FUNCTIONS["clip"].implementations.add_implementation(CPPCodeObject, CLIP, name="_clip")
