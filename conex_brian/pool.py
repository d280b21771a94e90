"""Processes of this machine that run a sweep's points.

A worker is a new Python that is told what to call through a pipe. So a script needs no
``if __name__ == '__main__'``, functions of a notebook and lambdas go too (cloudpickle), no state of
this process gets into a worker, and it is known which call a worker died of. A worker ends, with
all that it has started, when the pipe does, so none outlives the process that asked for it.
"""

from __future__ import annotations

import contextlib
import os
import pickle
import queue
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from typing import Any

#: A call whose worker died is tried so many times: it may have been another's fault.
ATTEMPTS = 3
#: So many times a worker may die before it has done its first call.
STARTS = 10

#: What a dead worker's pipes raise.
_LOST = (EOFError, OSError, pickle.UnpicklingError)

#: What a worker starts with. Imports make no garbage; to look for it takes a fifth of their time,
#: and to look through them again and again a third of what the first build takes. Brian2 imports
#: pytest where it is, for its own tests: it is not, until Brian2 is imported.
_MAIN = """
import gc, sys
gc.disable()
sys.path[:] = {path!r}
sys.modules["pytest"] = None
import conex_brian.worker
del sys.modules["pytest"]
gc.freeze()
gc.enable()
from conex_brian.pool import serve
serve({folder!r})
"""


class WorkerDied(RuntimeError):
    """A process ended in the middle of a call, each time it was tried."""


class NoWorker(RuntimeError):
    """No process could be started that lived to do a call."""


class WorkerPool(Executor):
    """``count`` processes that run calls one by one; those that die are replaced.

    Parameters
    ----------
    count : int
        How many processes. Each starts when it is needed first.
    function, *arguments
        What each calls first of all.
    """

    def __init__(self, count: int, function: Callable[..., Any], *arguments: Any) -> None:
        self._first = pickle.dumps((function, arguments, {}))
        self._folder = tempfile.mkdtemp(prefix="conex_brian_sweep_")
        self._threads = ThreadPoolExecutor(count)  # One thread waits for each process.
        self._idle: queue.LifoQueue[_Worker | None] = queue.LifoQueue()
        for _ in range(count):
            self._idle.put(None)
        self._lock = threading.Lock()
        self._workers: set[_Worker] = set()
        self._closed = False

    def submit(
        self, function: Callable[..., Any], /, *arguments: Any, **options: Any
    ) -> Future[Any]:
        """Schedule a call. What it needs is pickled, and so is what it returns."""
        return self._threads.submit(self._call, function, arguments, options)

    def _call(self, function: Callable[..., Any], arguments: Any, options: Any) -> Any:
        call = pickle.dumps((function, arguments, options))
        worker = self._idle.get()
        try:
            for _ in range(ATTEMPTS):
                worker = worker or self._start()
                try:
                    worked, result = worker.call(call)
                except _LOST:
                    status = self._end(worker)
                    worker = None
                else:
                    if worked:
                        return result
                    raise result
            raise WorkerDied(
                f"its process died {ATTEMPTS} times, the last time {_how(status)}. A crash in "
                "compiled code or too little memory does that."
            )
        finally:
            self._idle.put(worker)

    def _start(self) -> _Worker:
        for _ in range(STARTS):
            with self._lock:
                if self._closed:
                    raise NoWorker("the pool is closed")
                worker = _Worker(tempfile.mkdtemp(dir=self._folder))
                self._workers.add(worker)
            try:
                worker.call(self._first)
                return worker
            except _LOST:
                status = self._end(worker)
        raise NoWorker(
            f"{STARTS} processes in a row died before they had started and run build(), the last "
            f"one {_how(status)}. What it printed may say why."
        )

    def _end(self, worker: _Worker) -> int:
        with self._lock:
            self._workers.discard(worker)
        return worker.end()

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """End all processes, at once where ``cancel_futures`` is true."""
        if not cancel_futures:
            self._threads.shutdown(wait=wait)
        with self._lock:
            self._closed = True
            workers, self._workers = self._workers, set()
        for worker in workers:
            worker.end()
        self._threads.shutdown(wait=wait, cancel_futures=True)
        shutil.rmtree(self._folder, ignore_errors=True)


class _Worker:
    """A process, and the pipes to it."""

    def __init__(self, folder: str) -> None:
        self._folder = folder
        self._status: int | None = None
        self._ending = threading.Lock()
        self._process = subprocess.Popen(
            [sys.executable, "-c", _MAIN.format(path=sys.path, folder=folder)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, "TMPDIR": folder, "TEMP": folder, "TMP": folder},
            start_new_session=True,  # Ctrl+C is for the process that waits for results.
        )

    def call(self, call: bytes) -> tuple[bool, Any]:
        """Return whether a call worked, and what it returned or raised."""
        assert self._process.stdin is not None and self._process.stdout is not None
        pickle.dump(call, self._process.stdin)
        self._process.stdin.flush()
        answer: tuple[bool, Any] = pickle.load(self._process.stdout)
        return answer

    def end(self) -> int:
        """End the process, with all that it has started, and return its exit status."""
        with self._ending:
            if self._status is None:
                # Once, and before wait(): after it the system may give its number to another.
                _end_group(self._process.pid)
                self._process.kill()
                self._status = self._process.wait()
                for pipe in (self._process.stdin, self._process.stdout):
                    with contextlib.suppress(OSError):  # What was written may not have arrived.
                        if pipe is not None:
                            pipe.close()
                shutil.rmtree(self._folder, ignore_errors=True)
            return self._status


def _end_group(leader: int) -> None:
    if hasattr(os, "killpg"):
        with contextlib.suppress(ProcessLookupError, PermissionError):  # It has ended.
            os.killpg(leader, signal.SIGKILL)


def _how(status: int) -> str:
    if status >= 0:
        return f"with exit status {status}"
    try:
        return f"by {signal.Signals(-status).name}"
    except ValueError:
        return f"by signal {-status}"


def serve(folder: str) -> None:
    """Be a worker: do the calls that come from standard input until it ends."""
    # What the user prints must not get between the answers.
    calls, answers = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    os.dup2(2, 1)
    waiting: queue.SimpleQueue[bytes] = queue.SimpleQueue()
    threading.Thread(target=_listen, args=(calls, waiting, folder), daemon=True).start()
    while True:
        answer = _answer(waiting.get())
        answers.write(answer)
        answers.flush()


def _listen(calls: Any, waiting: queue.SimpleQueue[bytes], folder: str) -> None:
    """Take calls, and end this process, whatever it does, when no more can come."""
    try:
        while True:
            waiting.put(pickle.load(calls))
    except (EOFError, OSError):
        shutil.rmtree(folder, ignore_errors=True)
        _end_group(os.getpid())
        os._exit(1)


def _answer(call: bytes) -> bytes:
    try:
        function, arguments, options = pickle.loads(call)
        return pickle.dumps((True, function(*arguments, **options)))
    except Exception as error:
        try:
            answer = pickle.dumps((False, error))
            pickle.loads(answer)
            return answer
        except Exception:
            return pickle.dumps((False, RuntimeError(f"{type(error).__name__}: {error}")))
