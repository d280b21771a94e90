"""The C++ compiler: which one it is, and how it computes many powers and the like at once.

Exponentials and logarithms are `conex_brian.cpp_functions`'. Of other functions a compiler makes
calls that take 2 to 8 numbers at once where the C library has such functions (glibc's libmvec) and
admits to them: glibc declares them only where ``__FAST_MATH__`` is defined, which gcc leaves out
for Brian2's ``-fno-finite-math-only``; clang has an option of its own. Whether it works is found
out by a small program.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import shlex
import shutil
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from conex_brian import build_cache
from conex_brian.cpp_functions import EXP, LOG

#: What the compiler and the linker read besides their arguments.
ENVIRONMENT = (
    "COMPILER_PATH",
    "CPATH",
    "CPLUS_INCLUDE_PATH",
    "CXX",
    "C_INCLUDE_PATH",
    "GCC_EXEC_PREFIX",
    "LIBRARY_PATH",
    "MAKEFLAGS",
)

#: By compiler and processor, what makes powers, sines and the like vectorised.
VECTOR_FLAGS: Mapping[tuple[str, str], tuple[str, ...]] = {
    ("gcc", "x86_64"): ("-D__FAST_MATH__", "-mprefer-vector-width=512"),
    ("gcc", "aarch64"): ("-D__FAST_MATH__",),
    ("clang", "x86_64"): ("-fveclib=libmvec",),
    ("clang", "aarch64"): ("-fveclib=libmvec",),
}

#: The vectorised functions must be as close as this many units in the last place.
MOST_ULP = 4.0

#: Vectorised functions bear names like _ZGVeN8v_exp.
_VECTOR_NAME = b"_ZGV"

_PROBE = r"""
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <limits>
@ours@
static const int N = 4096;
static double x[N], e[N], y[N], l[N], k[N], c[N];
static int tests[N];
static inline double clip(const double v, const double low, const double high)
{
    return v < low ? low : (v > high ? high : v);
}
static double worst(const double *got, long double (*exact)(long double), const double *at)
{
    double most = 0;
    for (int i = 8; i < N; i++) {
        const long double right = exact((long double)at[i]);
        const double off = std::fabs((double)((got[i] - right) / right));
        most = off > most ? off : most;
    }
    return most / std::numeric_limits<double>::epsilon();
}
static long double exact_exp(long double v) { return expl(v); }
static long double exact_log(long double v) { return logl(v); }
int main(int argc, char **)
{
    const volatile double inf = INFINITY, nan = NAN, one = argc;
    const double special[8] = {inf, -inf, nan, 1000, -1000, 0, 1, -1};
    for (int i = 0; i < N; i++) x[i] = i < 8 ? special[i] : one * (i - N / 2 + 0.3) / N * 1410;
    for (int i = 0; i < N; i++) e[i] = _exp(x[i]);
    for (int i = 0; i < N; i++) y[i] = i < 8 ? x[i] : e[i];
    for (int i = 0; i < N; i++) l[i] = std::log(y[i]);
    for (int i = 0; i < N; i++) k[i] = _log(y[i]);
    for (int i = 0; i < N; i++) c[i] = clip(x[i], -2 * one, 2 * one);
    for (int i = 0; i < N; i++)
        tests[i] = std::isnan(x[i]) + 2 * std::isinf(x[i]) + 4 * std::isfinite(x[i])
                 + 8 * (x[i] >= one) + 16 * (x[i] != x[i]);
    const bool right =
        e[0] == inf && e[1] == 0 && std::isnan(e[2]) && e[3] == inf && e[4] == 0 && e[5] == 1
        && l[0] == inf && std::isnan(l[1]) && std::isnan(l[2]) && l[5] == -inf && l[6] == 0
        && std::isnan(l[7]) && k[0] == inf && std::isnan(k[1]) && std::isnan(k[2])
        && k[5] == -inf && k[6] == 0 && std::isnan(k[7])
        && c[0] == 2 && c[1] == -2 && std::isnan(c[2]) && c[5] == 0
        && tests[0] == 2 + 8 && tests[1] == 2 && tests[2] == 1 + 16 && tests[3] == 4 + 8
        && tests[5] == 4;
    std::printf("%d %g %g %g\n", right, worst(e, exact_exp, x), worst(k, exact_log, y),
                worst(l, exact_log, y));
}
""".replace("@ours@", EXP + LOG)


@dataclass(frozen=True)
class Flags:
    """What a program is compiled with.

    Attributes
    ----------
    checked : tuple of str or None
        Flags that the compiler is known to take; None where it does not take all.
    reason : str
        Why functions of the C library are not vectorised; empty where they are.
    """

    checked: tuple[str, ...] | None
    reason: str = ""


def command() -> list[str]:
    """Return the C++ compiler that make calls, as words."""
    return shlex.split(os.environ.get("CXX", "")) or ["g++"]


def identity() -> tuple[str, ...]:
    """Return what tells one compiler from another: its path, its file and what it says it is."""
    words = command()
    path = shutil.which(words[0])
    if path is None:
        return (*words, "not found")
    status = os.stat(path)
    return _identity(tuple(words), os.path.realpath(path), status.st_mtime_ns, status.st_size)


@lru_cache
def _identity(words: tuple[str, ...], path: str, modified: int, size: int) -> tuple[str, ...]:
    said = subprocess.run([*words, "--version"], capture_output=True, text=True)
    return (*words, path, str(modified), str(size), said.stdout)


@lru_cache
def processor() -> str:
    """Return what -march=native depends on: the processor's name and abilities."""
    names = ("model name", "flags", "CPU implementer", "CPU variant", "CPU part", "Features")
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        # No telling what this machine can do: its programs are its own.
        return f"{platform.machine()} {platform.processor()} {platform.node()}"
    return "\n".join(sorted({line for line in lines if line.startswith(names)}))


def digest(*parts: object) -> str:
    """Return the SHA-256 of ``parts``, which JSON can write."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def toolchain(flags: Sequence[str]) -> str:
    """Return a digest of all but the sources that decides what a program becomes."""
    native = processor() if any("native" in flag for flag in flags) else ""
    environment = {name: os.environ.get(name) for name in ENVIRONMENT}
    return digest(identity(), environment, list(flags), platform.machine(), native)


def choose(flags: Sequence[str]) -> Flags:
    """Return ``flags`` with those that vectorise the C library's functions, where they do.

    Parameters
    ----------
    flags : sequence of str
        The compiler flags that the user or Brian2 has set.

    Returns
    -------
    Flags
        Found out once by compiling and running a small program, then kept in the build cache.
    """
    known = [[*pair, *extra] for pair, extra in VECTOR_FLAGS.items()]
    key = digest("probe", _PROBE, known, toolchain(flags))
    if key not in _chosen:
        kept = build_cache.load(key)
        if kept is None:
            try:
                found = _probe(flags)
            except OSError as error:  # No compiler, no room: it may be otherwise next time.
                return Flags(None, f"the small program that tries it failed ({error})")
            if found.checked is not None:
                build_cache.store(key, json.dumps([found.checked, found.reason]).encode())
        else:
            checked, reason = json.loads(kept)
            found = Flags(tuple(checked), reason)
        _chosen[key] = found
    return _chosen[key]


#: What was found out already, by key: a process asks once for each set of flags.
_chosen: dict[str, Flags] = {}


def _probe(flags: Sequence[str]) -> Flags:
    """Compile and run the small program with and, if need be, without the flags."""
    kind = "clang" if "clang" in identity()[-1] else "gcc"
    extra = VECTOR_FLAGS.get((kind, platform.machine().replace("AMD64", "x86_64")))
    if extra is None:
        reason = f"nothing is known for {kind} on {platform.machine()}"
    elif not {"-ffast-math", "-Ofast"} & set(flags):
        reason = "the compiler flags do not have -ffast-math"
    else:
        reason = _fault([*flags, *extra])
        if not reason:
            return Flags((*flags, *extra))
    checked = None if _fault(flags, run=False) else tuple(flags)
    return Flags(checked, reason)


def _fault(flags: Sequence[str], run: bool = True) -> str:
    """Return what is wrong with functions compiled with ``flags``; nothing where all is right."""
    with tempfile.TemporaryDirectory(prefix="conex_brian_") as folder:
        source, program = Path(folder) / "probe.cpp", Path(folder) / "probe"
        source.write_text(_PROBE)
        words = [*command(), *flags, str(source), "-o", str(program), "-lm"]
        done = subprocess.run(words, capture_output=True, text=True, errors="replace")
        if done.returncode:
            lines = [line for line in done.stderr.splitlines() if "error" in line]
            return f"the compiler says: {(lines or ['it failed'])[0].strip()}"
        if not run:
            return ""
        if _VECTOR_NAME not in program.read_bytes():
            return "the C library has no vectorised functions that the compiler uses"
        ran = subprocess.run([str(program)], capture_output=True, text=True)
    words = ran.stdout.split()
    if ran.returncode or len(words) != 4:
        return f"the small program that tries it ended with status {ran.returncode}"
    if words[0] != "1":
        return "infinite numbers and nan come out wrong"
    if not max(map(float, words[1:])) <= MOST_ULP:
        found = " and ".join(words[1:])
        return f"exp, log and the C library's log are off by {found} units in the last place"
    return ""
