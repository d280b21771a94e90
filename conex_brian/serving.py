"""What a sweep's worker is inside: it takes calls from one pipe and answers through another.

It ends, with all that it has started, when no more calls can come.
"""

from __future__ import annotations

import contextlib
import os
import pickle
import queue
import shutil
import signal
import socket
import tempfile
import threading
import traceback
import warnings
from typing import IO

#: What there is where a process has died.
GONE = (EOFError, OSError)


def temporary(folder: str) -> dict[str, str]:
    return {"TMPDIR": folder, "TEMP": folder, "TMP": folder}


def end_group(leader: int) -> None:
    if hasattr(os, "killpg"):
        with contextlib.suppress(ProcessLookupError, PermissionError):  # It has ended.
            os.killpg(leader, signal.SIGKILL)


def nurse(number: int, patience: float) -> None:
    """Be the nursery of the process at the other end of a socket, as long as it may be needed."""
    workers: set[int] = set()
    with socket.socket(fileno=number) as parent:
        while True:
            parent.settimeout(None if workers else patience)
            try:
                message, files, _, _ = socket.recv_fds(parent, 1 << 14, 4)
            except OSError:
                return
            if not message:
                return
            request = pickle.loads(message)
            if files:
                answer = _copied(parent, request, *files)
                workers.add(answer)
            else:
                workers.discard(request)
                # Before waitpid(): after it the system may give its number to another.
                end_group(request)
                os.kill(request, signal.SIGKILL)
                answer = os.waitstatus_to_exitcode(os.waitpid(request, 0)[1])
            with contextlib.suppress(OSError):  # If it is gone, there is no next message.
                parent.send(pickle.dumps(answer))


def _copied(
    parent: socket.socket, folder: str, calls: int, answers: int, messages: int, place: int
) -> int:
    """Start a worker that is a copy of this process; return its number."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # NumPy's threads know how to be copied.
        number = os.fork()
    if number:
        for one in (calls, answers, messages, place):
            os.close(one)
        return number
    try:
        parent.close()
        os.setsid()
        os.fchdir(place)
        os.dup2(messages, 2)
        os.dup2(messages, 1)  # What the user prints.
        os.close(place)
        os.close(messages)
        for pipe in (calls, answers):  # A compiler that outlives this process shall not keep them.
            os.set_inheritable(pipe, False)
        os.environ.update(temporary(folder))
        tempfile.tempdir = None
        serve(os.fdopen(calls, "rb"), os.fdopen(answers, "wb"), folder)
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(1)


def serve_standard_streams(folder: str) -> None:
    """Be a worker, with a Python of its own."""
    # What the user prints must not get between the answers.
    calls, answers = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    os.dup2(2, 1)
    serve(calls, answers, folder)


def serve(calls: IO[bytes], answers: IO[bytes], folder: str) -> None:
    """Do the calls that come until no more can."""
    if hasattr(os, "register_at_fork"):
        # Else it would not be seen that this process has died while one that it started lives.
        os.register_at_fork(after_in_child=lambda: _forget(calls, answers))
    waiting: queue.SimpleQueue[bytes] = queue.SimpleQueue()
    threading.Thread(target=_listen, args=(calls, waiting, folder), daemon=True).start()
    while True:
        answer = _answer(waiting.get())
        answers.write(answer)
        answers.flush()


def _forget(*pipes: IO[bytes]) -> None:
    nothing = os.open(os.devnull, os.O_RDWR)
    for pipe in pipes:
        os.dup2(nothing, pipe.fileno(), inheritable=False)
    os.close(nothing)


def _listen(calls: IO[bytes], waiting: queue.SimpleQueue[bytes], folder: str) -> None:
    """Take calls, and end this process, whatever it does, when no more can come."""
    try:
        while True:
            waiting.put(pickle.load(calls))
    except GONE:
        shutil.rmtree(folder, ignore_errors=True)
        with contextlib.suppress(OSError):  # The pool's, which cannot remove it: the last one does.
            os.rmdir(os.path.dirname(folder))
        end_group(os.getpid())
        os._exit(1)


def _answer(call: bytes) -> bytes:
    try:
        function, arguments, options = pickle.loads(call)
        return pickle.dumps((True, function(*arguments, **options)))
    except BaseException as error:
        # What would end the process that asked is an error like any other there.
        if isinstance(error, Exception):
            with contextlib.suppress(Exception):
                answer = pickle.dumps((False, error))
                pickle.loads(answer)
                return answer
        return pickle.dumps((False, RuntimeError(f"{type(error).__name__}: {error}")))
