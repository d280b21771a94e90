"""The processes of a `conex_brian.pool.WorkerPool`: how they start, are asked, and end.

A worker is a Python that is told what to call through a pipe and answers through another. It ends,
with all that it has started, when the pipe does, so none outlives the process that asked for it.

To import Brian2 takes longer than to build most networks. On Linux one process, the nursery, does
so once, and workers are copies of it as it is then. It stays for the next sweep, and ends when it
has had no worker for some minutes, or when the process that it is for ends.
"""

from __future__ import annotations

import contextlib
import os
import pickle
import shutil
import signal
import socket
import subprocess
import sys
import threading
import weakref
from collections.abc import Sequence
from typing import IO, Any

from conex_brian.serving import GONE, end_group, temporary

#: Whether workers are copies: elsewhere system libraries do not bear to be copied.
COPIES = sys.platform == "linux"
#: So many seconds a nursery waits without a worker.
PATIENCE = 300.0

#: What a Python starts with. Imports make no garbage; to look for it takes a fifth of their time,
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
from conex_brian import serving
serving.{call}
"""


class Worker:
    """A process, and the pipes to it."""

    def __init__(self, folder: str, calls: IO[bytes], answers: IO[bytes]) -> None:
        self._folder, self._calls, self._answers = folder, calls, answers
        self._status: int | None = None
        self._ending = threading.Lock()

    def call(self, call: bytes) -> tuple[bool, Any]:
        """Return whether a call worked, and what it returned or raised.

        Raises
        ------
        EOFError, OSError, pickle.UnpicklingError
            If the process died.
        """
        self._begin()
        pickle.dump(call, self._calls)
        self._calls.flush()
        answer: tuple[bool, Any] = pickle.load(self._answers)
        return answer

    def end(self) -> int:
        """End the process, with all that it has started, and return its exit status."""
        with self._ending:
            if self._status is None:
                self._status = self._end()
                for pipe in (self._calls, self._answers):
                    with contextlib.suppress(OSError):  # What was written may not have arrived.
                        pipe.close()
                shutil.rmtree(self._folder, ignore_errors=True)
            return self._status

    def _begin(self) -> None:
        """Start the process, unless it has been started."""

    def _end(self) -> int:
        raise NotImplementedError


class _Own(Worker):
    """A Python of its own."""

    def __init__(self, folder: str) -> None:
        self._process = _python(
            f"serve_standard_streams({folder!r})",
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, **temporary(folder)},
        )
        assert self._process.stdin is not None and self._process.stdout is not None
        super().__init__(folder, self._process.stdin, self._process.stdout)

    def _end(self) -> int:
        # Before wait(): after it the system may give its number to another.
        end_group(self._process.pid)
        self._process.kill()
        return self._process.wait()


class _Copy(Worker):
    """A copy of the nursery."""

    def __init__(self, folder: str, nursery: _Nursery) -> None:
        calls, ours = os.pipe()
        answers, theirs = os.pipe()
        super().__init__(folder, os.fdopen(ours, "wb"), os.fdopen(answers, "rb"))
        self._nursery, self._theirs = nursery, [calls, theirs]
        self._pid: int | None = None

    def _begin(self) -> None:
        with self._ending:
            if self._theirs and self._status is None:
                try:
                    messages = os.dup(2)
                except OSError:  # It is closed.
                    messages = os.open(os.devnull, os.O_WRONLY)
                # Where it works, also where that was removed or cannot be listed.
                self._theirs += [messages, os.open(".", os.O_PATH)]
                self._pid = self._nursery.ask(self._folder, self._theirs)
                self._close_theirs()

    def _close_theirs(self) -> None:
        while self._theirs:
            os.close(self._theirs.pop())

    def _end(self) -> int:
        self._close_theirs()
        if self._pid is None:
            return self._nursery.status
        try:
            status: int = self._nursery.ask(self._pid)
            return status
        except GONE:
            end_group(self._pid)
            return -signal.SIGKILL


class _Nursery:
    """The process that workers are copies of."""

    def __init__(self) -> None:
        self._asking = threading.Lock()
        self._socket, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            self._process = _python(
                f"nurse({theirs.fileno()}, {PATIENCE})",
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
            )
        self._made_for = _surroundings()
        self._dismiss = weakref.finalize(self, _dismiss, self._socket, self._process, os.getpid())

    @property
    def status(self) -> int:
        """Its exit status; 0 while it lives."""
        return self._process.poll() or 0

    def fits(self) -> bool:
        """Whether a copy of it is as a new Python would be, started now."""
        return self._made_for == _surroundings() and self._process.poll() is None

    def ask(self, request: Any, files: Sequence[int] = ()) -> Any:
        """Return the answer.

        Raises
        ------
        EOFError, OSError
            If it is no more.
        """
        with self._asking:
            try:
                socket.send_fds(self._socket, [pickle.dumps(request)], files)
                return pickle.loads(self._socket.recv(1 << 10))
            except BaseException:  # Another's answer may come next.
                self._dismiss()
                raise


def _dismiss(to_nursery: socket.socket, process: subprocess.Popen[bytes], parent: int) -> None:
    if os.getpid() == parent:  # Copies of it have other things to do.
        with contextlib.suppress(OSError):
            to_nursery.shutdown(socket.SHUT_RDWR)  # Copies may keep it open.
        process.wait()
    to_nursery.close()


_nursery: _Nursery | None = None
_starting = threading.Lock()


def begin() -> None:
    """Start what workers are copies of: it gets ready while this process does other things."""
    if COPIES:
        _fitting_nursery()


def start(folder: str) -> Worker:
    """Return a worker, which starts now or with its first call.

    Parameters
    ----------
    folder : str
        A directory for its temporary files, removed when it ends.
    """
    return _Copy(folder, _fitting_nursery()) if COPIES else _Own(folder)


def _fitting_nursery() -> _Nursery:
    global _nursery
    with _starting:
        if _nursery is None or not _nursery.fits():
            _nursery = _Nursery()
        return _nursery


def _surroundings() -> Any:
    """Return what a new Python takes over from this one."""
    return os.getpid(), sys.executable, _path(), dict(os.environ), os.sched_getaffinity(0)


def _path() -> list[str]:
    return [one for one in sys.path if isinstance(one, str)]  # Python ignores others.


def _python(call: str, **options: Any) -> subprocess.Popen[bytes]:
    # In a new session: Ctrl+C is for the process that waits for results.
    program = _MAIN.format(path=_path(), call=call)
    return subprocess.Popen([sys.executable, "-c", program], start_new_session=True, **options)
