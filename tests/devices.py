"""The devices that tests run on."""

from __future__ import annotations

import pytest

#: Brian2's preferences: how many threads, and the compiler's flags.
OPENMP = "devices.cpp_standalone.openmp_threads"
FLAGS = "codegen.cpp.extra_compile_args_gcc"

#: Brian2's own flags but -O3 -march=native: the same mathematics, half the time to compile.
QUICK_FLAGS = ["-w", "-O1", "-ffast-math", "-fno-finite-math-only", "-std=c++17"]

#: Cython compiles for long on a new machine: C++ standalone shows the same mathematics compiled.
DEVICES = ["numpy", pytest.param("cython", marks=pytest.mark.slow), "cpp_standalone"]

#: For a test besides which another runs the same code on C++ standalone: numpy unless asked for.
compiled_later = pytest.mark.parametrize(
    "device",
    [
        "numpy",
        *(pytest.param(name, marks=pytest.mark.slow) for name in ("cython", "cpp_standalone")),
    ],
    indirect=True,
)
