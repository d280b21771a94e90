"""The files of a program that is being built, which several processes may want at once."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from multiprocessing.util import Finalize
from pathlib import Path
from typing import IO

from brian2.utils.logger import get_logger

from conex_brian import build_cache

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

logger = get_logger(__name__)


def unix() -> bool:
    """Whether there are the make, locks and compilers that the build cache knows."""
    return fcntl is not None


@contextmanager
def alone(key: str) -> Iterator[None]:
    """Let one process at a time make a program, where there is a build cache to take it from."""
    with ExitStack() as stack:
        if build_cache.limit() > 0:
            with suppress(OSError):  # Without a lock it may be compiled twice, no more.
                path = build_cache.lock(key)
                stack.enter_context(locked(path))
                stack.callback(path.unlink, missing_ok=True)
        yield


@contextmanager
def locked(path: Path) -> Iterator[IO[str] | None]:
    """Open a file that one process at a time may have; None where it cannot be locked.

    The compiler's processes share the lock. So whoever comes after a killed process waits until
    its compiler has ended too, which would go on writing objects.
    """
    with open(path, "a+") as file:
        os.set_inheritable(file.fileno(), True)
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            logger.info(f"Another build is under way in {path.parent}: this one waits for it.")
            fcntl.flock(file, fcntl.LOCK_EX)
        except OSError:  # A file system without locks
            yield None
            return
        file.seek(0)
        yield file


def install(content: bytes, program: Path) -> bool:
    """Write a program from the build cache; return whether it is there."""
    half = program.with_name(f"main.{os.getpid()}")
    try:
        half.write_bytes(content)
        half.chmod(0o755)
        os.replace(half, program)
    except OSError as error:
        half.unlink(missing_ok=True)
        logger.warn(f"The program from the build cache cannot be written ({error}): compiling.")
        return False
    return True


def temporary_directory() -> str:
    """Return a new directory, which is removed when this process ends, a pool's worker too."""
    folder = tempfile.mkdtemp(prefix="conex_brian_")
    Finalize(None, shutil.rmtree, args=(folder, True), exitpriority=0)
    return folder
