"""Processes of this machine that run a sweep's points.

A worker is told what to call; see `conex_brian.worker_processes`. So a script needs no
``if __name__ == '__main__'``, functions of a notebook and lambdas go too (cloudpickle), no state of
this process gets into a worker, and it is known which call a worker died of.
"""

from __future__ import annotations

import pickle
import queue
import shutil
import signal
import tempfile
import threading
from collections.abc import Callable
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from typing import Any

from conex_brian.worker_processes import Worker, start

#: A call whose worker died is tried so many times: it may have been another's fault.
ATTEMPTS = 3
#: So many times a worker may die before it has done its first call.
STARTS = 10

#: What a dead worker's pipes raise.
_LOST = (EOFError, OSError, pickle.UnpicklingError)


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
        self._idle: queue.LifoQueue[Worker | None] = queue.LifoQueue()
        for _ in range(count):
            self._idle.put(None)
        self._lock = threading.Lock()
        self._workers: set[Worker] = set()
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

    def _start(self) -> Worker:
        for _ in range(STARTS):
            with self._lock:
                if self._closed:
                    raise NoWorker("the pool is closed")
                worker = start(tempfile.mkdtemp(dir=self._folder))
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

    def _end(self, worker: Worker) -> int:
        with self._lock:
            self._workers.discard(worker)
        return worker.end()

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """End all processes, at once where ``cancel_futures`` is true."""
        if not cancel_futures:
            self._threads.shutdown(wait=wait)
        # In a thread, which a second Ctrl+C does not stop half way.
        ending = threading.Thread(target=self._end_all)
        ending.start()
        if wait:
            ending.join()

    def _end_all(self) -> None:
        with self._lock:
            self._closed = True
            workers, self._workers = self._workers, set()
        for worker in workers:
            worker.end()
        self._threads.shutdown(cancel_futures=True)
        shutil.rmtree(self._folder, ignore_errors=True)


def _how(status: int) -> str:
    if status >= 0:
        return f"with exit status {status}"
    try:
        return f"by {signal.Signals(-status).name}"
    except ValueError:
        return f"by signal {-status}"
