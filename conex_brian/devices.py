"""Where a simulation runs: one call at the top of a script.

>>> from brian2 import *
>>> from conex_brian.devices import use_cpp
>>> use_cpp()

Brian2's own `brian2.set_device` goes on working, before and after.
"""

from __future__ import annotations

import importlib.util
import os
from typing import Any

import numpy as np
from brian2 import prefs, set_device

from conex_brian.build_cache import clear_build_cache
from conex_brian.dimensions import short

__all__ = ["clear_build_cache", "use_cpp", "use_cuda"]


def use_cpp(
    threads: int = 1,
    directory: str | os.PathLike[str] | None = None,
    *,
    build_on_run: bool = True,
    **build_options: Any,
) -> None:
    """Simulate in C++ standalone, with vectorised exponentials and a build cache.

    As ``set_device('cpp_standalone')``, and besides: ``exp`` is computed for several neurons at
    once, and so are thresholds and the statements of events, and ``log`` and other functions where
    the compiler and the C library can (gcc and clang on Linux; elsewhere a warning says so and
    Brian2's flags are used); a program that was compiled before, by any process of this user, is
    not compiled again. Brian2's preferences stay as they are.

    Parameters
    ----------
    threads : int, optional
        How many threads the program has (OpenMP). Default: 1. Brian2's preference
        ``devices.cpp_standalone.openmp_threads`` has no effect here. Random numbers in a threshold
        are others with another number of threads, and others than Brian2's.
    directory : path, optional
        Where the program and its results are written. Default: a new temporary directory for each
        build, removed when the process ends.
    build_on_run : bool, optional
        Whether the first ``run()`` builds and runs the program. For several runs give ``False``
        and call ``device.build()`` after the last one. Default: True.
    **build_options
        What else ``device.build()`` takes: ``debug``, ``clean``, ``with_output``, ``run_args``...

    Raises
    ------
    TypeError, ValueError
        If ``threads`` or ``directory`` is no number of threads or directory.

    Notes
    -----
    With Brian2's ``prefs.core.default_float_dtype = float32``, set first of all, variables and
    numbers in expressions are in single precision, and a step takes half the time or less.
    ``t`` stays double; ``spike_timing='precise'`` is refused. ``exp`` is right to two units in
    the last place, and zero below the smallest normal number.

    For another simulation in the same process call ``device.reinit()`` first, as in Brian2.
    The method ``'gsl'`` works on Brian2's own device only.

    Examples
    --------
    >>> from brian2 import *
    >>> from conex_brian import LIF
    >>> from conex_brian.devices import use_cpp
    >>> use_cpp(threads=2, build_on_run=False)
    >>> neuron = LIF(R=100*Mohm, threshold=-50*mV, tau=20*ms,
    ...              v_reset=-65*mV, v_rest=-70*mV)
    >>> group = neuron.group(100, I=250*pA)
    >>> run(50*ms)
    >>> device.build()  # doctest: +SKIP
    """
    from conex_brian.cpp_device import NAME

    set_device(
        NAME,
        build_on_run=build_on_run,
        directory=_check_directory(directory),
        threads=_check_threads(threads),
        **build_options,
    )


def _check_threads(threads: Any) -> int:
    if isinstance(threads, (bool, np.bool_)) or not isinstance(threads, (int, np.integer)):
        raise TypeError(f"threads = {short(threads)}: it needs a whole number, such as 2.")
    if threads < 1:
        raise ValueError(f"threads = {threads}: a program needs at least one thread.")
    return int(threads)


def _check_directory(directory: Any) -> str | None:
    if directory is None:
        return None
    if not isinstance(directory, (str, os.PathLike)) or not isinstance(os.fspath(directory), str):
        raise TypeError(
            f"directory = {short(directory)}: it needs a path, or None for a temporary directory."
        )
    path = os.fspath(directory)
    if not path:
        raise ValueError(
            "directory = '': it needs a path, or None for a temporary directory; '.' is the "
            "present one."
        )
    if os.path.exists(path) and not os.path.isdir(path):
        raise ValueError(f"directory = {path!r} is a file: give a directory, new or old.")
    return path


def use_cuda(
    directory: str | os.PathLike[str] | None = None,
    *,
    compute_capability: float | None = None,
    build_on_run: bool = True,
    **build_options: Any,
) -> None:
    """Simulate on an NVIDIA GPU with Brian2CUDA.

    As ``set_device('cuda_standalone')`` of brian2cuda, and besides: what CUDA 12 and 13 need is
    set, curand is taken from PyPI's packages where the CUDA toolkit has none, and resets are
    written so that ``spike_timing='precise'`` compiles. Needs Python 3.12 or later and
    ``pip install 'conex_brian[cuda]'``. Brian2's preferences stay as they are.

    Parameters
    ----------
    directory : path, optional
        Where the program and its results are written. Default: a new temporary directory for each
        build, removed when the process ends.
    compute_capability : float, optional
        The GPU that the program is for, such as 9.0; no GPU is needed to build it. Default: the
        GPU of this machine, or what Brian2CUDA's preferences say.
    build_on_run, **build_options
        As for `use_cpp`; the options are those of Brian2CUDA's ``device.build()``.

    Raises
    ------
    ImportError
        If brian2cuda is not installed.
    RuntimeError
        If nvcc or curand is missing; when building or running, if there is no GPU.
    TypeError, ValueError
        If ``directory`` or ``compute_capability`` is no directory or positive number.

    Examples
    --------
    >>> from conex_brian.devices import use_cuda
    >>> use_cuda()  # doctest: +SKIP
    """
    path = _check_directory(directory)
    if compute_capability is not None:
        compute_capability = _check_capability(compute_capability)
    if importlib.util.find_spec("brian2cuda") is None:
        raise ImportError(
            "use_cuda() needs brian2cuda, which is not installed. With Python 3.12 or later: "
            "pip install 'conex_brian[cuda]'"
        )
    from conex_brian import cuda, cuda_device

    set_device(
        cuda_device.NAME,
        build_on_run=build_on_run,
        directory=path,
        toolkit=cuda.find_toolkit(prefs["devices.cuda_standalone.cuda_backend.cuda_path"]),
        compute_capability=compute_capability,
        **build_options,
    )


def _check_capability(capability: Any) -> float:
    number = isinstance(capability, (int, float, np.integer, np.floating))
    if isinstance(capability, (bool, np.bool_)) or not number:
        raise TypeError(
            f"compute_capability = {short(capability)}: it needs a number such as 9.0, or None "
            "for the GPU of this machine."
        )
    if not 1 <= capability < 100:
        raise ValueError(f"compute_capability = {capability}: it needs a number such as 9.0.")
    return float(capability)
