"""What a worker process of a sweep is asked to do: build once, then run point after point."""

from __future__ import annotations

import pickle
import threading
import traceback
from collections.abc import Mapping
from multiprocessing.util import Finalize
from typing import Any

import brian2
from brian2 import Unit
from brian2.core.namespace import DEFAULT_UNITS

from conex_brian.runner import Outcome, Runner

#: Objects of Brian2 that there is one of in a process.
SINGLETONS = ("prefs", "defaultclock", "device", "magic_network")


def of_brian2(name: str) -> Any:
    """Return this process's own of the `SINGLETONS`."""
    return getattr(brian2, name)


def unit(name: str) -> Unit:
    """Return Brian2's unit of that name: how units get into other processes."""
    return DEFAULT_UNITS[name]


_lock = threading.RLock()
_current: tuple[str, Runner | Exception] | None = None


def prepare(job: bytes, token: str) -> None:
    """Build the experiment in a worker, unless it was built; ``job`` is a pickled `Job`."""
    global _current
    with _lock:
        if _current is not None and _current[0] == token:
            return
        close()
        Finalize(None, close, exitpriority=0)  # Also in the processes of multiprocessing's pools.
        try:
            _current = token, Runner(pickle.loads(job))
        except Exception as error:
            _current = token, error
        except SystemExit as error:
            _current = token, RuntimeError(f"build() has called sys.exit({error.code!r})")


def run_point(job: bytes, token: str, point: Mapping[str, Any], seed: int) -> Outcome:
    """Run a point in a worker, which has built the experiment or builds it now.

    One thread of a process at a time does so: they share Brian2's state.
    """
    with _lock:
        prepare(job, token)
        assert _current is not None
        runner = _current[1]
        if isinstance(runner, Runner):
            return runner.run(point, seed)
        trace = "".join(traceback.format_exception(runner))
        return Outcome(fatal=_portable(runner), trace=trace)


def close(token: str = "") -> None:
    """End what this process has built for a sweep, or for the sweep ``token``."""
    global _current
    if token and (_current is None or _current[0] != token):
        return
    if _current is not None and isinstance(_current[1], Runner):
        _current[1].close()
    _current = None


def _portable(error: Exception) -> Exception:
    """Return an error that other processes can read."""
    try:
        pickle.loads(pickle.dumps(error))
        return error
    except Exception:
        return RuntimeError(f"{type(error).__name__}: {error}")
