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
from devices import DEVICES, FLAGS, OPENMP, QUICK_FLAGS

# The models' variables bear the names that tests use for values too.
BrianLogger.suppress_name("resolution_conflict")

#: What Brian2's programs include: reading these takes two thirds of the time of each source.
HEADERS = """algorithm climits cmath csignal cstdlib ctime fstream iostream iterator limits map
random set sstream string tuple utility vector"""

#: A g++ that reads them once for each set of flags; what Brian2 asks about a single flag, what nvcc
#: asks for, and what is no compilation of C++ go to the real one as they are.
COMPILER = """#!/bin/sh
flags=; last=; source=; compile=
for word; do
    case "$word" in
        -MM | -E | -x | */flag_test.cpp) exec '{real}' "$@" ;;
        -c) compile=yes ;;
        *.cpp) source=yes ;;
        -I* | -o | *.o) ;;
        *) [ "$last" = -o ] || flags="$flags $word" ;;
    esac
    last=$word
done
[ "$compile" ] && [ "$source" ] || exec '{real}' "$@"
place='{folder}'/$(printf %s "$flags" | cksum | tr ' ' -)
if [ ! -f "$place/standard.h.gch" ]; then
    mkdir -p "$place" && cp '{header}' "$place/standard.h"
    '{real}' $flags -x c++-header "$place/standard.h" -o "$place/$$" 2>/dev/null &&
        mv "$place/$$" "$place/standard.h.gch"
fi
exec '{real}' -include "$place/standard.h" "$@"
"""

# A pure function of one of a dozen texts, the methods' own steps: half the time of an rk4 group.
explicit.split_expression = cache(explicit.split_expression)

# Brian2 starts all compilers at once, which takes them twice the time.
prefs.devices.cpp_standalone.extra_make_args_unix = [f"-j{os.cpu_count()}"]


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


@pytest.fixture(autouse=True, scope="session")
def real_compiler(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str | None]:
    """Put `COMPILER` first in PATH, where g++ is GNU's; return where g++ is.

    Its programs are not for the user's build cache: it is another compiler each time.
    """
    real = shutil.which("g++")
    said = subprocess.run([real, "--version"], capture_output=True, text=True) if real else None
    if said is None or "Free Software Foundation" not in said.stdout:
        yield real
        return
    folder = tmp_path_factory.mktemp("compiler")
    header = folder / "standard.h"
    header.write_text("".join(f"#include <{name}>\n" for name in HEADERS.split()))
    program = folder / "g++"
    program.write_text(COMPILER.format(real=real, folder=folder, header=header))
    program.chmod(0o755)
    with pytest.MonkeyPatch.context() as context:
        context.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
        context.setenv(build_cache.DIRECTORY_VARIABLE, str(folder / "cache"))
        yield real
    shutil.rmtree(folder)  # 50 MB for each set of flags.


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
    prefs.codegen.cpp.extra_compile_args_gcc = [*QUICK_FLAGS, "-O0", "-g0"]  # The last ones hold.
    if name == "cpp_standalone":
        prefs.codegen.cpp.extra_compile_args_gcc = QUICK_FLAGS
        set_device("cpp_standalone", directory=str(tmp_path / "build"))
        yield name
        brian2.device.reinit()
        reset_device()
    else:
        prefs.codegen.target = name
        yield name
    prefs.codegen.cpp.extra_compile_args_gcc = flags
