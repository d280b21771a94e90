"""The points of a sweep on their way to where they run, and what became of them on its way back."""

from __future__ import annotations

import io
import queue
from collections.abc import Generator, Mapping
from concurrent.futures import Executor, Future
from functools import partial
from typing import Any

import brian2
from brian2 import Unit
from brian2.core.namespace import DEFAULT_UNITS

from conex_brian import worker
from conex_brian.points import Point
from conex_brian.pool import NoWorker, WorkerPool
from conex_brian.runner import Job, Outcome, Runner


def outcomes_of(
    job: Job, points: Mapping[int, Point], executor: int | Executor | None
) -> Generator[dict[int, Outcome], None, None]:
    """Run points and yield what became of them, as it comes.

    Raises
    ------
    Exception
        Where no point can be run, what ``build()`` raised.
    """
    if not points:
        return
    if executor is None:
        one = Runner(job)
        try:
            for number, point in points.items():
                yield {number: one.run(point.values, point.seed)}
        finally:
            one.close()
        return
    sent = _pickled(job), job.token
    own = None if isinstance(executor, Executor) else WorkerPool(executor, worker.prepare, *sent)
    workers = executor if isinstance(executor, Executor) else own
    assert workers is not None
    ended: queue.SimpleQueue[int] = queue.SimpleQueue()
    futures: dict[int, Future[Outcome]] = {}
    try:
        for number, point in points.items():
            future = workers.submit(worker.run_point, *sent, point.values, point.seed)
            futures[number] = future
            future.add_done_callback(partial(_end, ended, number))
        while futures:
            numbers = [ended.get()]
            while not ended.empty():
                numbers.append(ended.get())
            yield {number: _outcome(futures.pop(number)) for number in numbers}
    finally:
        for future in futures.values():
            future.cancel()
        if own is not None:
            own.shutdown(cancel_futures=True)
        worker.close(job.token)  # Where the executor's processes are this one.


def _end(ended: queue.SimpleQueue[int], number: int, _: Any) -> None:
    ended.put(number)


def _pickled(job: Job) -> bytes:
    import cloudpickle  # type: ignore[import-untyped]

    class Pickler(cloudpickle.Pickler):  # type: ignore[misc]
        """Sends by their names what is Brian2's own: a copy of ``prefs`` changes nothing."""

        def reducer_override(self, value: Any) -> Any:
            if isinstance(value, Unit) and id(value) in units:
                return worker.unit, (units[id(value)],)
            if id(value) in singletons:
                return worker.of_brian2, (singletons[id(value)],)
            return super().reducer_override(value)

    # Brian2 warns of copies of units that are called as they are.
    units = {id(unit): name for name, unit in DEFAULT_UNITS.items()}
    singletons = {id(getattr(brian2, name)): name for name in worker.SINGLETONS}
    content = io.BytesIO()
    try:
        Pickler(content).dump(job)
    except Exception as error:
        raise TypeError(
            f"build cannot be sent to other processes ({type(error).__name__}: {error}). Make all "
            "that it uses inside of it: files, locks and Brian2 objects do not travel."
        ) from error
    return content.getvalue()


def _outcome(future: Future[Outcome]) -> Outcome:
    """Return what became of a point, also where its process or the way to it failed."""
    try:
        outcome = future.result()
    except NoWorker:
        raise
    except Exception as error:
        return Outcome(error=f"{type(error).__name__}: {error}")
    if outcome.fatal is not None:
        raise outcome.fatal from RuntimeError(f"in a worker:\n{outcome.trace}")
    return outcome
