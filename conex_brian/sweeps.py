"""Sweeps: one experiment at many points, in this process, in several, or on a cluster."""

from __future__ import annotations

import math
import os
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np
from brian2 import get_dimensions

from conex_brian import worker_processes
from conex_brian.dimensions import short, unit_text
from conex_brian.dispatch import outcomes_of
from conex_brian.experiment import Experiment
from conex_brian.points import Point, make_points, make_table
from conex_brian.results import Results
from conex_brian.runner import Job, Outcome
from conex_brian.settings import Settings

if TYPE_CHECKING:
    import pandas

#: So many points are named in an error's message.
_NAMED = 5


class SweepError(RuntimeError):
    """Points of a sweep have failed.

    Attributes
    ----------
    table : pandas.DataFrame
        All points, those that worked too; the column ``error`` says what went wrong.
    """

    def __init__(self, message: str, table: pandas.DataFrame) -> None:
        super().__init__(message)
        self.table = table


class SweepInterrupted(KeyboardInterrupt):
    """Ctrl+C has ended a sweep.

    Attributes
    ----------
    table : pandas.DataFrame
        The points that were finished.
    """

    def __init__(self, message: str, table: pandas.DataFrame) -> None:
        super().__init__(message)
        self.table = table


def sweep(
    build: Callable[[], Experiment],
    points: Iterable[Mapping[str, Any]],
    *,
    executor: int | Executor | None = None,
    progress: bool = True,
    resume: str | os.PathLike[str] | None = None,
    on_error: str = "raise",
    seed: int = 0,
) -> pandas.DataFrame:
    """Run an experiment at many points, from one build.

    Parameters
    ----------
    build : callable
        Makes network and monitors as usual and returns an `Experiment`. It is called once in each
        process, with Brian2's device, preferences and default time step as they are here, and
        nothing else that was defined. Where it calls ``use_cpp()``, or that was called before,
        one program serves all points.
    points : iterable of dict
        Values for what the experiment varies; `grid` makes all combinations. A value is a scalar,
        or a one-dimensional array with one number a neuron. The same values several times are
        repetitions, with other random numbers.
    executor : None, int or concurrent.futures.Executor, optional
        Where points run: in this process (default), in so many processes of this machine, or
        wherever the executor's processes are, for example ``client.get_executor()`` of Dask or
        ``mpi4py.futures.MPIPoolExecutor()``. Programs come from the build cache of their host.
    progress : bool, optional
        Whether a bar shows how many points are done. Default: True.
    resume : path, optional
        A directory, such as ``'results.parquet'``, where each finished point is stored as it
        comes, as Parquet files. When the sweep has ended ``pandas.read_parquet`` reads them, if
        each observation is always a number or always an array. Points that are there already
        are not run again. That ``build`` is the same is up to you. Default: nothing is stored.
    on_error : {'raise', 'record'}, optional
        What happens where points fail, or observe nan. All others are run in any case; then
        `SweepError`, which has the table, is raised (default), or the table gets a column
        ``error``. Points that failed are run again when the sweep is resumed.
    seed : int, optional
        What all random numbers follow from: those in ``build()``, the same in every process, and
        those of each run, which depend on the point's values and on nothing else. Default 0.

    Returns
    -------
    pandas.DataFrame
        A row for each point, in their order: the point's values, the observations, and ``seed``,
        which the run started from. Numbers are in base units; ``table.attrs['units']`` has these
        as text, such as ``{'tau': 'second', 'rate': 'hertz'}``. Where a value is an array, so is
        the cell.

    Raises
    ------
    SweepError
        If points failed and ``on_error`` is ``'raise'``.
    SweepInterrupted
        After Ctrl+C: a KeyboardInterrupt that has the table of what is finished.
    TypeError, ValueError, brian2.DimensionMismatchError
        For points that do not fit the experiment, and other arguments that cannot be.
    Exception
        What ``build()`` raises.

    Notes
    -----
    The results are the same, bit for bit, whatever the executor and the order, as long as all
    processors and compilers are alike. On Brian2's own device each run starts from the state that
    ``build()`` left, by ``store`` and ``restore``, so what Python code keeps elsewhere, as in a
    ``network_operation``, is not set back.

    Examples
    --------
    >>> from brian2 import *
    >>> from conex_brian import LIF, Experiment, grid, sweep
    >>> def build():
    ...     neuron = LIF(R=10*Mohm, threshold=-50*mV, tau=10*ms, v_reset=-65*mV, v_rest=-65*mV)
    ...     group = neuron.group(100, I=2*nA)
    ...     spikes = SpikeMonitor(group)
    ...     return Experiment(Network(group, spikes), 200*ms, vary={'I': group.I, 'tau': group.tau},
    ...                       observe={'rate': lambda: spikes.num_spikes/100/(200*ms)})
    >>> table = sweep(build, grid(tau=[10, 20]*ms, I=[1, 2]*nA), progress=False)
    >>> table['rate'].tolist()
    [0.0, 70.0, 0.0, 35.0]
    """
    _check(build, executor, progress, on_error, seed)
    if isinstance(executor, (int, np.integer)):
        worker_processes.begin()  # pandas takes a while to import too.
    _need_packages()
    checked = make_points(points, int(seed))
    names = tuple(checked[0].values)
    units = {name: unit_text(get_dimensions(checked[0].values[name])) for name in names}
    results = None if resume is None else Results(resume, units)
    stored = {} if results is None else results.found
    outcomes = {n: Outcome(stored[p.key]) for n, p in enumerate(checked) if p.key in stored}
    todo = {n: point for n, point in enumerate(checked) if n not in outcomes}
    build_seed = int(np.random.SeedSequence(int(seed)).generate_state(1)[0])
    job = Job(uuid.uuid4().hex, build, names, build_seed, Settings.present())
    observed: dict[str, str] = {} if results is None else results.units
    failed = 0
    try:
        with (
            _bar(len(checked), len(outcomes), progress) as bar,
            closing(outcomes_of(job, todo, executor)) as running,
        ):
            for finished in running:
                for outcome in finished.values():
                    observed = _fitting(outcome, observed, results)
                outcomes |= finished
                if results is not None:
                    results.add([_row(checked[n], o) for n, o in finished.items() if not o.error])
                failed += sum(bool(outcome.error) for outcome in finished.values())
                if failed:
                    bar.set_postfix(failed=failed, refresh=False)
                bar.update(len(finished))
    except KeyboardInterrupt:
        done = {n: outcome for n, outcome in outcomes.items() if not outcome.error}
        raise SweepInterrupted(
            f"{len(done)} of {len(checked)} points are finished.{_stored(results)}",
            _table(checked, done, {**units, **_known(outcomes, observed)}),
        ) from None
    finally:
        if results is not None:
            results.close()
    table = _table(checked, outcomes, {**units, **_known(outcomes, observed)})
    return _judged(table, checked, outcomes, results, on_error)


def _check(build: Any, executor: Any, progress: Any, on_error: Any, seed: Any) -> None:
    if not callable(build):
        raise TypeError(
            f"build = {short(build)}: it needs a function that makes the network and returns an "
            "Experiment, so that each process can make its own."
        )
    if isinstance(executor, ThreadPoolExecutor):
        raise TypeError(
            "executor: threads share Brian2's state, so they cannot run points side by side. Give "
            "a number of processes, such as executor=2."
        )
    number = isinstance(executor, (int, np.integer)) and not isinstance(executor, bool)
    if executor is not None and not number and not isinstance(executor, Executor):
        hint = ", for Dask client.get_executor()" if hasattr(executor, "get_executor") else ""
        raise TypeError(
            f"executor = {short(executor)}: it needs None, a number of processes, or a "
            f"concurrent.futures.Executor{hint}."
        )
    if number and executor < 1:
        raise ValueError(f"executor = {executor}: it needs at least one process.")
    if not isinstance(progress, (bool, np.bool_)):
        raise TypeError(f"progress = {short(progress)}: it needs True or False.")
    if on_error not in ("raise", "record"):
        raise ValueError(f"on_error = {short(on_error)}: it needs 'raise' or 'record'.")
    if isinstance(seed, bool) or not isinstance(seed, (int, np.integer)):
        raise TypeError(f"seed = {short(seed)}: it needs a whole number.")
    if seed < 0:
        raise ValueError(f"seed = {seed}: it needs a whole number that is not negative.")


def _need_packages() -> None:
    """Say at once, not after hours, that a package is missing."""
    try:
        import cloudpickle  # type: ignore[import-untyped]  # noqa: F401
        import pandas  # noqa: F401
        import pyarrow  # noqa: F401
        import tqdm  # noqa: F401
    except ImportError as error:
        raise ImportError(
            f"sweep() needs {error.name}, which is not installed: pip install 'conex_brian[sweep]'"
        ) from error


@contextmanager
def _bar(total: int, done: int, shown: bool) -> Iterator[Any]:
    from tqdm.auto import tqdm

    with tqdm(total=total, initial=done, unit="point", disable=not shown) as bar:
        yield bar


def _fitting(outcome: Outcome, observed: dict[str, str], results: Results | None) -> dict[str, str]:
    """Check that an outcome has the units of those before; return the units."""
    if outcome.error:
        return observed
    if outcome.units == observed:
        return outcome.units
    if results is not None and observed is results.units:
        results.check_observations(outcome.units)  # The first one: is it another sweep?
    elif observed:
        name = next(n for n in observed if outcome.units[n] != observed[n])
        outcome.error = (
            f"observe[{name!r}] is in {outcome.units[name]}, but at other points in "
            f"{observed[name]} (1: without unit): give it the same unit everywhere"
        )
        return observed
    return outcome.units


def _known(outcomes: Mapping[int, Outcome], observed: Mapping[str, str]) -> dict[str, str]:
    """Return the units of all observations, also of those that no point without an error has."""
    failed = {n: unit for outcome in outcomes.values() for n, unit in outcome.units.items()}
    return {**failed, **observed}


def _row(point: Point, outcome: Outcome) -> dict[str, Any]:
    """Return what is stored of a point."""
    return {**_plain(point.values), **outcome.values, "seed": point.seed, "key": point.key}


def _plain(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return values as numbers or arrays in base units."""
    arrays = {name: np.asarray(value) for name, value in values.items()}
    return {name: array if array.ndim else array.item() for name, array in arrays.items()}


def _table(
    points: list[Point], outcomes: Mapping[int, Outcome], units: Mapping[str, str]
) -> pandas.DataFrame:
    """Return the points that have outcomes, with a column ``error``, None where there is none."""
    numbers = sorted(outcomes)
    plain = [_plain(points[number].values) for number in numbers]
    found = [outcomes[number] for number in numbers]
    columns: dict[str, Any] = {name: [row[name] for row in plain] for name in points[0].values}
    for name in units:
        if name not in columns:
            columns[name] = [outcome.values.get(name, math.nan) for outcome in found]
    columns["seed"] = [points[number].seed for number in numbers]
    table = make_table(columns, units)
    table["error"] = np.array([outcome.error or None for outcome in found], dtype=object)
    return table


def _judged(
    table: pandas.DataFrame,
    points: list[Point],
    outcomes: Mapping[int, Outcome],
    results: Results | None,
    on_error: str,
) -> pandas.DataFrame:
    """Return the table, or raise what is wrong with it."""
    failed = [number for number in range(len(points)) if outcomes[number].error]
    if on_error == "record":
        return table
    if failed:
        lines = [f"  {points[n]}: {outcomes[n].error}" for n in failed[:_NAMED]]
        if len(failed) > _NAMED:
            lines.append(f"  and {len(failed) - _NAMED} more")
        message = "\n".join([
            f"{len(failed)} of {len(points)} points failed (all results are in this exception's "
            f"table; on_error='record' returns it):{_stored(results)}",
            *lines,
        ])  # fmt: skip
        trace = next((outcomes[n].trace for n in failed if outcomes[n].trace), "")
        raise SweepError(message, table) from (RuntimeError(trace) if trace else None)
    if results is not None and results.problem:
        raise SweepError(
            f"All {len(points)} points are finished, but not all are stored in {results.path} "
            f"({results.problem}). All results are in this exception's table.",
            table,
        )
    return table.drop(columns="error")


def _stored(results: Results | None) -> str:
    """Return a sentence about what is on the disk."""
    if results is None:
        return ""
    if results.problem:
        return f" Not all of them are stored in {results.path}: {results.problem}."
    return f" They are stored in {results.path}; the same call goes on from there."
