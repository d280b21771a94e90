"""Programs that have been compiled, kept for the processes that come later.

An entry is one file: a line that names its kind, the SHA-256 of all that follows, the key, and the
content. It is written under a name of its own and then renamed, so that no other process ever sees
half of it, and it is read whole and checked before any of it is used, so that nothing that happens
to the file afterwards matters. Whatever goes wrong here costs a compilation, never a result.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import stat
import time
import uuid
from pathlib import Path

from brian2.utils.logger import get_logger

__all__ = ["clear_build_cache"]

logger = get_logger(__name__)

#: Names the directory; without it, the user's cache directory holds one called conex_brian.
DIRECTORY_VARIABLE = "CONEX_BRIAN_CACHE"
#: Says how many megabytes the entries may take together; 0 switches the cache off.
SIZE_VARIABLE = "CONEX_BRIAN_CACHE_MB"
DEFAULT_MEGABYTES = 1000

_MAGIC = b"conex_brian build cache 1\n"
_SUFFIX = ".program"
#: What a process left behind, half-written or locked, is this old, in seconds, when another removes
#: it.
_ABANDONED = 3600


def directory() -> Path:
    """Return where the entries lie, which need not exist."""
    named = os.environ.get(DIRECTORY_VARIABLE)
    if named:
        return Path(named)
    from platformdirs import user_cache_dir

    return Path(user_cache_dir("conex_brian", appauthor=False))


def limit() -> int:
    """Return how many bytes the entries may take together.

    Raises
    ------
    ValueError
        If the environment variable holds anything but a number of megabytes.
    """
    text = os.environ.get(SIZE_VARIABLE)
    if not text:
        return DEFAULT_MEGABYTES * 10**6
    if not re.fullmatch(r"\d+(\.\d*)?", text.strip()):
        raise ValueError(
            f"{SIZE_VARIABLE} = {text!r}: it needs a number of megabytes, such as 500; 0 switches "
            "the build cache off."
        )
    return int(float(text) * 10**6)


def load(key: str) -> bytes | None:
    """Return what was stored under ``key``, checked, or None where there is nothing to use."""
    if limit() == 0:
        return None
    path = directory() / f"{key}{_SUFFIX}"
    try:
        content = _read(path)
    except FileNotFoundError:
        return None
    except OSError as error:
        _warn("cannot be read", error)
        return None
    if content is None:
        return None
    head = len(_MAGIC)
    rest = content[head + 65 :]
    whole = content[:head] == _MAGIC and content[head : head + 65] == _digest(rest) + b"\n"
    if not (whole and rest.startswith(key.encode() + b"\n")):
        logger.warn(
            f"The build cache's file {path} is damaged: it is removed, and the program is compiled "
            "anew."
        )
        _remove(path)
        return None
    with contextlib.suppress(OSError):  # A read-only cache keeps its order.
        os.utime(path)  # The entries that were not used for longest go first.
    return rest[len(key) + 1 :]


def _read(path: Path) -> bytes | None:
    """Return a file's bytes; None, with a warning, where others could have put it there."""
    with open(path, "rb") as file:
        for what, status in (("directory", path.parent.stat()), ("file", os.fstat(file.fileno()))):
            if status.st_uid != os.geteuid() or status.st_mode & stat.S_IWOTH:
                logger.warn(
                    f"The build cache in {path.parent} is not used: its {what} belongs to another "
                    "user, or anybody may write to it, and a program from there would be run. "
                    f"Set {DIRECTORY_VARIABLE} to a directory of your own.",
                    once=True,
                )
                return None
        return file.read()


def store(key: str, content: bytes) -> None:
    """Store ``content`` under ``key``; where that fails, say why and go on without."""
    most = limit()
    rest = key.encode() + b"\n" + content
    entry = _MAGIC + _digest(rest) + b"\n" + rest
    if len(entry) > most:
        return
    place = directory()
    half = place / f"{uuid.uuid4().hex}.tmp"
    try:
        place.mkdir(mode=0o700, parents=True, exist_ok=True)
        try:
            half.write_bytes(entry)
            os.replace(half, place / f"{key}{_SUFFIX}")
        except BaseException:
            _remove(half)
            raise
        _make_room(place, most)
    except OSError as error:
        _warn("cannot be written", error)


def lock(key: str) -> Path:
    """Return the file to lock while what belongs to ``key`` is made.

    Raises
    ------
    OSError
        Where there can be none.
    """
    place = directory()
    place.mkdir(mode=0o700, parents=True, exist_ok=True)
    return place / f"{key}.lock"


def clear_build_cache() -> None:
    """Remove every program from the build cache.

    A running simulation goes on; the next one compiles its program anew. The directory is the one
    that the environment variable CONEX_BRIAN_CACHE names, otherwise ``conex_brian`` in the user's
    cache directory.

    Raises
    ------
    OSError
        If a file cannot be removed.

    Examples
    --------
    >>> from conex_brian.devices import clear_build_cache
    >>> clear_build_cache()
    """
    for path in _entries(directory()):
        path.unlink(missing_ok=True)


def _entries(place: Path) -> list[Path]:
    """Return the files that are the cache's own: other files stay untouched."""
    if not place.is_dir():
        return []
    return [path for path in place.iterdir() if path.suffix in (_SUFFIX, ".tmp", ".lock")]


def _make_room(place: Path, most: int) -> None:
    """Remove what was abandoned, then the entries not used for longest, down to ``most`` bytes."""
    found = []
    for path in _entries(place):
        try:
            status = path.stat()
        except FileNotFoundError:
            continue  # Another process makes room too.
        if path.suffix == _SUFFIX:
            found.append((status.st_mtime_ns, status.st_size, path))
        elif time.time() - status.st_mtime > _ABANDONED:
            _remove(path)
    total = sum(size for _, size, _ in found)
    for _, size, path in sorted(found):
        if total <= most:
            break
        _remove(path)
        total -= size


def _digest(content: bytes) -> bytes:
    return hashlib.sha256(content).hexdigest().encode()


def _remove(path: Path) -> None:
    with contextlib.suppress(OSError):  # What stays is checked again when it is read.
        path.unlink(missing_ok=True)


def _warn(what: str, error: OSError) -> None:
    logger.warn(
        f"The build cache in {directory()} {what} ({error}): programs are compiled anew each time. "
        f"The environment variable {DIRECTORY_VARIABLE} names another directory.",
        once=True,
    )
