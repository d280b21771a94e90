"""Every test starts from Brian2's defaults; `device` runs one test body on every device."""

from __future__ import annotations

import gc
import os
import shutil
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import brian2
import pytest
from brian2 import BrianLogger, defaultclock, ms, prefs, set_device, start_scope
from brian2.devices.device import reset_device
from brian2.stateupdaters import explicit

from conex_brian import build_cache
from devices import DEVICES, FLAGS, OPENMP

# The models' variables bear the names that tests use for values too.
BrianLogger.suppress_name("resolution_conflict")

#: Brian2's own flags but -O3 -march=native: the same mathematics, half the time to compile.
QUICK_FLAGS = ["-w", "-O1", "-ffast-math", "-fno-finite-math-only", "-std=c++17"]

#: What Brian2's programs include: reading these takes two thirds of the time of each file.
HEADERS = """algorithm climits cmath csignal cstdlib ctime fstream iostream iterator limits map
random set sstream string tuple utility vector"""

# A pure function of one of a dozen texts, the methods' own steps: half the time of an rk4 group.
explicit.split_expression = cache(explicit.split_expression)


@pytest.fixture(autouse=True, scope="module")
def _short_collections() -> None:
    """Keep what lives longer than a test out of the collections that Brian2 makes at each run."""
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True)
def _brian_defaults() -> Iterator[None]:
    """Start with nothing defined, the default time step and the target that compiles nothing."""
    start_scope()
    defaultclock.dt = 0.1 * ms
    prefs.codegen.target = "numpy"
    yield
    prefs.codegen.target = "numpy"


@pytest.fixture(scope="session")
def quick_flags(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[str]]:
    """Return `QUICK_FLAGS` and, for g++, the standard library's headers, compiled once for all."""
    if shutil.which("g++") is None or os.environ.get("CXX", "g++") != "g++":
        yield QUICK_FLAGS
        return
    header = tmp_path_factory.mktemp("headers") / "standard.h"
    header.write_text("".join(f"#include <{name}>\n" for name in HEADERS.split()))
    compiled = Path(f"{header}.gch")
    command = ["g++", *QUICK_FLAGS, "-x", "c++-header", str(header), "-o", str(compiled)]
    subprocess.run(command, check=True)
    yield [*QUICK_FLAGS, f"-include{header}"]  # In one word: Brian2 tries each by itself.
    compiled.unlink()  # 50 MB.


@pytest.fixture
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Give `use_cpp` a build cache of its own, forget messages, and leave Brian2 as it was."""
    monkeypatch.setenv(build_cache.DIRECTORY_VARIABLE, str(tmp_path / "cache"))
    BrianLogger._log_messages.clear()
    before = {name: prefs[name] for name in (OPENMP, FLAGS)}
    yield
    while type(brian2.get_device()).__name__ != "RuntimeDevice":
        brian2.device.reinit()
        reset_device()
    for name, value in before.items():
        prefs[name] = value


@pytest.fixture(params=DEVICES)
def device(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """Select each device in turn; what cannot run on this machine skips visibly."""
    name: str = request.param
    if name != "numpy" and shutil.which("g++") is None and shutil.which("clang++") is None:
        pytest.skip("needs a C++ compiler")
    flags = prefs.codegen.cpp.extra_compile_args_gcc
    prefs.codegen.cpp.extra_compile_args_gcc = [*QUICK_FLAGS, "-O0"]  # The last -O holds.
    if name == "cpp_standalone":
        prefs.codegen.cpp.extra_compile_args_gcc = request.getfixturevalue("quick_flags")
        set_device("cpp_standalone", directory=str(tmp_path / "build"))
        yield name
        brian2.device.reinit()
        reset_device()
    else:
        prefs.codegen.target = name
        yield name
    prefs.codegen.cpp.extra_compile_args_gcc = flags
