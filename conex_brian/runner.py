"""One process's part of a sweep: make the experiment once, run it at point after point.

The order of things is the same on every device, and so are the random numbers of every process:
the experiment is built from the sweep's seed; each run starts from the state that ``build()`` left,
with the point's values and from the point's seed.
"""

from __future__ import annotations

import gc
import os
import shutil
import subprocess
import tempfile
import traceback
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from brian2 import get_device, get_dimensions, prefs
from brian2.devices.cpp_standalone.device import CPPStandaloneDevice
from brian2.devices.device import RuntimeDevice
from brian2.groups.group import Group

from conex_brian import precise_groups
from conex_brian.dimensions import is_array, short, unit_text
from conex_brian.experiment import Experiment, check_point_names, converted
from conex_brian.settings import Settings, check_device

#: The name that the state which ``build()`` leaves is stored under.
_START = "conex_brian_sweep"

#: In a standalone program: takes the seeds from the command line, which Brian2 lets pass only
#: values of variables; and starts all threads' generators with one of them.
_READ_SEEDS = """
unsigned long _build_seed = 0, _run_seed = 0;
if (args.size() >= 3 && args[0] == "--seeds") {
    _build_seed = std::stoul(args[1]);
    _run_seed = std::stoul(args[2]);
    args.erase(args.begin(), args.begin() + 3);
}
"""
_SEED = """
for (size_t _i = 0; _i < brian::_random_generators.size(); _i++)
    brian::_random_generators[_i].seed({} + _i);
"""
_SET_VALUES = "set_from_command_line(args);"


@dataclass(frozen=True)
class Job:
    """What every process of one sweep gets.

    Attributes
    ----------
    token : str
        Which sweep it is, different for each.
    build : callable
        The user's function that returns an `Experiment`.
    names : tuple of str
        What points have values for.
    seed : int
        What random numbers in ``build()`` start from.
    settings : Settings
        See there.
    """

    token: str
    build: Callable[[], Experiment]
    names: tuple[str, ...]
    seed: int
    settings: Settings


@dataclass
class Outcome:
    """What became of one point.

    Attributes
    ----------
    values : dict
        From names to what was observed: numbers, or one-dimensional arrays of them.
    units : dict
        The observations' units, as text.
    error : str
        What went wrong; empty where nothing did.
    trace : str
        Where in the program it did.
    fatal : Exception or None
        Why no point can be run at all.
    """

    values: dict[str, Any] = field(default_factory=dict)
    units: dict[str, str] = field(default_factory=dict)
    error: str = ""
    trace: str = ""
    fatal: Exception | None = None


class Runner:
    """An experiment that is ready to run, and this process's Brian2 as it needs it until `close`.

    Parameters
    ----------
    job : Job
        What to build.
    """

    def __init__(self, job: Job) -> None:
        self._stack = ExitStack()
        try:
            self._stack.enter_context(job.settings.applied())
            self._prepare(job)
        except BaseException:
            self.close()
            raise

    def _prepare(self, job: Job) -> None:
        np.random.seed(job.seed)
        if isinstance(get_device(), RuntimeDevice):
            get_device().seed(job.seed)
        self.experiment = job.build()
        if not isinstance(self.experiment, Experiment):
            raise TypeError(
                f"build() returned {short(self.experiment)}: it needs to return an Experiment."
            )
        check_point_names(job.names, self.experiment)
        device = get_device()
        check_device(device)
        if isinstance(device, RuntimeDevice):
            self._backend: _Runtime | _Standalone = _Runtime(self.experiment)
        else:
            folder = self._stack.enter_context(
                tempfile.TemporaryDirectory(prefix="conex_brian_", ignore_cleanup_errors=True)
            )
            self._backend = _Standalone(self.experiment, device, Path(folder), job.seed)
        # Brian2 collects garbage in every run, which takes longer than many a point: it need not
        # search all that was there before the first one.
        gc.collect()
        gc.freeze()
        self._stack.callback(gc.unfreeze)

    def run(self, point: Mapping[str, Any], seed: int) -> Outcome:
        """Run the experiment at one point; whatever goes wrong is in the outcome."""
        outcome = Outcome()
        try:
            views = self.experiment.vary
            values = [(views[n], converted(n, value, views[n])) for n, value in point.items()]
            self._backend.run(values, seed)
            for name, function in self.experiment.observe.items():
                outcome.values[name], outcome.units[name] = _observed(name, function())
        except Exception as error:
            outcome.error = _reason(error)
            outcome.trace = traceback.format_exc()
            return outcome
        except SystemExit as error:
            outcome.error = f"observe has called sys.exit({error.code!r})"
            return outcome
        lost = [n for n, value in outcome.values.items() if np.isnan(value).any()]
        if lost:
            outcome.error = f"nan in the observation {', '.join(lost)}"
        return outcome

    def close(self) -> None:
        """Give Brian2 back as it was, and remove all files."""
        self._stack.close()


class _Runtime:
    """Brian2's own device: the state is kept, and each run starts from it."""

    def __init__(self, experiment: Experiment) -> None:
        self._experiment = experiment
        experiment.network.store(_START)

    def run(self, values: list[tuple[Any, np.ndarray]], seed: int) -> None:
        network = self._experiment.network
        network.restore(_START)
        for view, value in values:
            view.set_with_index_array(slice(None), value, check_units=False)
        get_device().seed(seed)
        network.run(self._experiment.duration, namespace=self._experiment.namespace)


class _Standalone:
    """C++ standalone: one program, which takes values and seeds as arguments."""

    def __init__(
        self, experiment: Experiment, device: CPPStandaloneDevice, folder: Path, seed: int
    ) -> None:
        if device.has_been_run:
            raise ValueError(
                "build() has run the network, and so built and run a program. In C++ standalone "
                "say use_cpp(build_on_run=False), or leave the run to the Experiment."
            )
        self._experiment, self._device, self._folder, self._seed = experiment, device, folder, seed
        # Values are set before the run that counts, whatever was run before. Brian2 puts this into
        # the first run, unless it was put somewhere on purpose by device.apply_run_args().
        early = ("insert_code", precise_groups.SET_VALUES)
        if early in device.main_queue:
            device.main_queue.remove(early)
        for kind, arguments in device.main_queue:
            if kind == "run_network" and _SET_VALUES in arguments[1]:
                arguments[1].remove(_SET_VALUES)
        device.insert_code("before_start", _READ_SEEDS)
        device.main_queue.insert(0, ("insert_code", _SEED.format("_build_seed")))
        device.insert_code("main", _SEED.format("_run_seed"))
        # Not in the run itself: before it, queues of synapses are made from their delays.
        device.insert_code("main", precise_groups.SET_VALUES)
        device.run_args_applied = True
        device.build_on_run = False
        experiment.network.run(experiment.duration, namespace=experiment.namespace)
        options = {
            **(device.build_options or {}), "directory": str(folder), "run": False,
            "results_directory": "results",
        }  # fmt: skip
        device.build(**options)
        device.has_been_run = True  # Values are read from the disk from now on.
        known = [view.variable for view in experiment.vary.values()]
        known += [clock.variables["t"] for clock in device.clocks]
        for variable in known:
            device.array_cache[variable] = None

    def run(self, values: list[tuple[Any, np.ndarray]], seed: int) -> None:
        results = self._folder / "results"
        done = results / "last_run_info.txt"  # Written last.
        done.unlink(missing_ok=True)
        arguments = []
        for number, (view, value) in enumerate(values):
            text = repr(value.item()) if value.size == 1 else f"value_{number}"
            if value.size > 1:
                value.tofile(self._folder / text)
            variable = view.variable
            arguments.append(f"{variable.owner.name}.{variable.name}={text}")
            self._device.array_cache[variable] = None
        command = prefs["devices.cpp_standalone.run_cmd_unix"]
        program = [command] if isinstance(command, str) else list(command)
        if os.name == "nt":
            program = [str(self._folder / "main")]
        seeds = ["--seeds", str(self._seed), str(seed)]
        ended = subprocess.run(
            [*program, "--results_dir", f"{results}{os.sep}", *seeds, *arguments],
            cwd=self._folder,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
        )
        said = f"{ended.stdout}{ended.stderr}".strip()
        # The program goes on where it cannot read a value, with another one.
        if ended.returncode or "Error " in said or "Could not read" in said:
            raise RuntimeError(f"the program failed ({ended.returncode}): {said or 'no message'}")
        # It does not notice when the disk is full.
        if not done.is_file() or done.read_text().split()[1:] != ["1"]:
            raise RuntimeError(f"the program did not finish: is the disk full? {said}")
        if shutil.disk_usage(results).free < 1 << 16:
            raise OSError(f"the disk of {tempfile.gettempdir()} is full: results may be truncated")
        for instance in self._experiment.network.objects:
            if isinstance(instance, Group):
                instance._check_for_invalid_states()


def _reason(error: BaseException) -> str:
    """Return what went wrong, the first cause first: Brian2 says only in which object it was."""
    causes: list[BaseException] = []
    cause: BaseException | None = error
    while cause is not None:
        causes.append(cause)
        cause = cause.__cause__ or (None if cause.__suppress_context__ else cause.__context__)
    texts = [str(one).partition("\nObject was created here")[0] for one in causes]
    named = [f"{type(e).__name__}: {text}" for e, text in zip(causes, texts, strict=True)]
    return "; ".join(named[::-1])


def _observed(name: str, value: Any) -> tuple[Any, str]:
    """Return what was observed as plain numbers in base units, and their unit."""
    if hasattr(value, "get_item"):  # a variable of a group or monitor
        value = value[:]
    array = np.asarray(value)
    if array.dtype.kind not in "biuf" or array.ndim > 1:
        raise TypeError(
            f"observe[{name!r}] gave {short(value)}: it needs a number, a Quantity, or a "
            "one-dimensional array of them."
        )
    if isinstance(value, np.ma.MaskedArray) and np.any(value.mask):
        raise ValueError(f"observe[{name!r}] gave {short(value)}, which is masked: give numbers.")
    kind = {"b": bool, "f": float}.get(array.dtype.kind, np.int64)
    if kind is np.int64 and array.size and array.max() > np.iinfo(kind).max:
        raise ValueError(f"observe[{name!r}] gave {short(value)}: whole numbers have 63 bits here.")
    array = np.array(array, dtype=kind)
    return array if is_array(array) else array.item(), unit_text(get_dimensions(value))
