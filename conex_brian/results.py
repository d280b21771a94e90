"""Finished points on the disk: a directory of Parquet files, which pandas reads as one table.

Each file appears under its name when it is complete. So whatever happens to the process or the
disk, what has a name is whole; and what several processes write does not collide.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import time
import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from brian2.utils.logger import get_logger

logger = get_logger(__name__)

_FORMAT = "conex_brian sweep 1"
_KEY = "key"
#: So many files are joined to one.
_MANY = 200
#: A file that was left half-written is so old, in seconds, when it is removed.
_ABANDONED = 3600


class Results:
    """What was found at some points of a sweep, in a directory.

    Parameters
    ----------
    path : path
        The directory; it is made where it is not there.
    points : dict
        The unit of each value of a point.

    Raises
    ------
    TypeError, ValueError
        If ``path`` is no directory, or holds results of other points.
    """

    def __init__(self, path: str | os.PathLike[str], points: Mapping[str, str]) -> None:
        if not isinstance(path, (str, os.PathLike)) or not isinstance(os.fspath(path), str):
            raise TypeError(f"resume = {path!r}: it needs the path of a directory.")
        if not os.fspath(path):
            raise ValueError("resume = '': it needs the path of a directory.")
        self.path = Path(path)
        if self.path.exists() and not self.path.is_dir():
            raise ValueError(
                f"resume = {str(self.path)!r} is a file: give a directory, new or of a sweep."
            )
        self._points = dict(points)
        self._files: list[Path] = []
        #: What was not written yet, since the disk is full.
        self.waiting: list[dict[str, Any]] = []
        #: Why.
        self.problem = ""
        #: The unit of each observation; empty as long as nothing is known.
        self.units: dict[str, str] = {}
        #: From points' keys to observations.
        self.found: dict[str, dict[str, Any]] = {}
        for file in sorted(self.path.glob("part-*.parquet")):
            self._load(file)
        for half in self.path.glob(".part-*.parquet"):
            with contextlib.suppress(OSError):
                if time.time() - half.stat().st_mtime > _ABANDONED:
                    half.unlink()

    def _load(self, file: Path) -> None:
        import pyarrow

        try:
            table = _read(file)
            about = json.loads(table.schema.metadata[_FORMAT.encode()])
        except FileNotFoundError:
            return  # Another process has joined it with others.
        except (pyarrow.ArrowException, KeyError, TypeError, ValueError) as error:
            logger.warn(
                f"{file} is damaged, or not a sweep's ({error}): its points are run again. Remove "
                "it: pandas may not read the directory while it is there."
            )
            return
        if about["points"] != self._points:
            raise ValueError(
                f"resume = {str(self.path)!r} holds results of another sweep: its points have "
                f"{_described(about['points'])}, but these have {_described(self._points)}. Give "
                "another directory."
            )
        self.check_observations(about["observe"])
        self._files.append(file)
        lists = {
            field.name: field.type.value_type.to_pandas_dtype()
            for field in table.schema
            if pyarrow.types.is_list(field.type)
        }
        for row in table.to_pylist():
            self.found[row[_KEY]] = {
                name: np.array(row[name], dtype=lists[name]) if name in lists else row[name]
                for name in about["observe"]
            }

    def check_observations(self, units: Mapping[str, str]) -> None:
        """Check that there are the same observations, in the same units, as in what is stored.

        Raises
        ------
        ValueError
            If not.
        """
        self.units = self.units or dict(units)
        if dict(units) != self.units:
            raise ValueError(
                f"resume = {str(self.path)!r} holds results of another sweep: it has observed "
                f"{_described(self.units)}, but this one observes {_described(units)}. Give "
                "another directory."
            )

    def add(self, rows: Sequence[dict[str, Any]]) -> None:
        """Store finished points: their values, ``seed`` and ``key``, and what was observed.

        Where the disk does not take them they wait for the next time, and `problem` says why.
        """
        self.waiting += rows
        try:
            while self.waiting:
                kind = _kind(self.waiting[0])
                alike = [row for row in self.waiting if _kind(row) == kind]
                self._files.append(self._write(_table(alike)))
                self.waiting = [row for row in self.waiting if _kind(row) != kind]
            self.problem = ""
            if len(self._files) > _MANY:
                self._join()
        except OSError as error:
            if not self.problem:
                logger.warn(
                    f"Finished points cannot be stored in {self.path} ({error}). They are kept in "
                    "memory, and stored as soon as there is room."
                )
            self.problem = str(error)

    def close(self) -> None:
        """Store what waits, and join the files."""
        self.add([])
        self._join()

    def _join(self) -> None:
        """Make one file of all whose columns one table can have, where there is room for it."""
        with contextlib.suppress(OSError):
            self._join_alike()

    def _join_alike(self) -> None:
        kinds: list[tuple[list[Path], Any]] = []
        for file in self._files:
            with contextlib.suppress(FileNotFoundError):  # Another process has joined it.
                table = _read(file)
                for number, (files, others) in enumerate(kinds):
                    joined = _joined(others, table)
                    if joined is not None:
                        kinds[number] = [*files, file], joined
                        break
                else:
                    kinds.append(([file], table))
        self._files = []
        for files, table in kinds:
            if len(files) > 1:
                self._files.append(self._write(_without_repetitions(table)))
                for file in files:
                    file.unlink(missing_ok=True)
            else:
                self._files += files

    def _write(self, table: Any) -> Path:
        from pyarrow import parquet

        about = {"points": self._points, "observe": self.units}
        table = table.replace_schema_metadata({_FORMAT: json.dumps(about)})
        content = io.BytesIO()
        parquet.write_table(table, content)
        self.path.mkdir(parents=True, exist_ok=True)
        name = f"part-{uuid.uuid4().hex}.parquet"
        half, file = self.path / f".{name}", self.path / name  # Readers leave out names with a dot.
        try:
            with open(half, "wb") as stream:
                stream.write(content.getbuffer())
                stream.flush()
                os.fsync(stream.fileno())
            os.replace(half, file)
        except BaseException:
            with contextlib.suppress(OSError):
                half.unlink(missing_ok=True)
            raise
        return file


def _read(file: Path) -> Any:
    from pyarrow import parquet

    return parquet.read_table(io.BytesIO(file.read_bytes()))


def _joined(first: Any, second: Any) -> Any:
    """Return two tables as one, None where a column would have numbers and arrays."""
    from pyarrow import ArrowException, concat_tables

    try:
        # Whole numbers in one and others in the other become others, where none loses a digit.
        return concat_tables([first, second], promote_options="permissive")
    except ArrowException:
        return None


def _without_repetitions(table: Any) -> Any:
    """Return a table with each point once: who was killed while joining has left some twice."""
    first = {key: row for row, key in reversed(list(enumerate(table[_KEY].to_pylist())))}
    return table.take(sorted(first.values()))


def _table(rows: Sequence[Mapping[str, Any]]) -> Any:
    """Return rows as a table, with lists for arrays."""
    import pyarrow

    def column(values: list[Any]) -> Any:
        if not isinstance(values[0], np.ndarray):
            return pyarrow.array(values)
        kind = pyarrow.list_(pyarrow.from_numpy_dtype(values[0].dtype))  # Also where all are empty.
        return pyarrow.array([value.tolist() for value in values], kind)

    return pyarrow.table({name: column([row[name] for row in rows]) for name in rows[0]})


def _kind(row: Mapping[str, Any]) -> tuple[Any, ...]:
    """Return what decides the columns of a row: names and types."""
    return tuple(
        (n, str(v.dtype) if isinstance(v, np.ndarray) else type(v)) for n, v in row.items()
    )


def _described(units: Mapping[str, str]) -> str:
    return ", ".join(f"{name} in {unit}" for name, unit in units.items())
