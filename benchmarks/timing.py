"""What the benchmarks share: programs built once and run many times, medians, the machine."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path
from statistics import median

import numpy as np
from brian2 import (
    Network,
    NeuronGroup,
    Quantity,
    SpikeMonitor,
    defaultclock,
    device,
    prefs,
    seed,
    set_device,
)

from conex_brian import spike_monitor
from conex_brian.cpp_device import preferences
from conex_brian.devices import use_cpp

#: Steps before the clock starts: caches are filled and memory is touched for the first time.
WARM_UP = 5

#: A measurement: seconds of the timed steps, and the spikes of all steps.
Measure = Callable[[], tuple[float, int]]


@dataclass(frozen=True)
class Program:
    """A C++ standalone program that prints how long its timed steps took.

    Attributes
    ----------
    directory : Path
        Where it was built.
    counts : Path
        The file with each neuron's number of spikes, which a run writes anew.
    records : tuple of Path
        The files with the neurons and the times, in seconds, of the spikes that were recorded.
    """

    directory: Path
    counts: Path
    records: tuple[Path, ...] = ()

    def run(self) -> tuple[float, int]:
        """Run it once; return the seconds of its timed steps, and the spikes of all steps."""
        done = subprocess.run(
            [str(self.directory / "main")],
            cwd=self.directory,
            capture_output=True,
            text=True,
            check=True,
        )
        return float(done.stdout), int(np.fromfile(self.counts, dtype=np.int32).sum())

    def peak_memory(self) -> int:
        """Run it once; return the bytes of memory that it had at most."""
        # A process starts with the memory of the one that started it: a small one does.
        small = "import os, sys; name = sys.argv[1]; pid = os.posix_spawn(name, [name], os.environ)"
        command = [sys.executable, "-S", "-c", f"{small}; print(os.wait4(pid, 0)[2].ru_maxrss)"]
        done = subprocess.run(
            [*command, str(self.directory / "main")],
            cwd=self.directory,
            capture_output=True,
            text=True,
            check=True,
        )
        return int(done.stdout.split()[-1]) * 1024

    def copied(self, directory: Path) -> Program:
        """Return a copy that needs no compiling and stays when its sources are compiled anew."""
        sources = shutil.ignore_patterns("*.o", "*.cpp", "*.h", "brianlib")
        shutil.copytree(self.directory, directory, ignore=sources)
        paths = [directory / path.relative_to(self.directory) for path in self.records]
        counts = directory / self.counts.relative_to(self.directory)
        return replace(self, directory=directory, counts=counts, records=tuple(paths))

    def recorded(self, neurons: int) -> list[np.ndarray]:
        """Return the spike times in ms of each of the ``neurons`` recorded, from the last run."""
        of, times = (
            np.fromfile(path, dtype=dtype)
            for path, dtype in zip(self.records, (np.int32, float), strict=True)
        )
        return [1e3 * times[of == k] for k in range(neurons)]


def build(
    directory: Path,
    make_group: Callable[[], NeuronGroup],
    steps: int,
    dt: Quantity,
    *,
    vectorised: bool = True,
    threads: int = 1,
    processor_time: bool = False,
    recorded: int = 0,
    single: bool = False,
) -> Program:
    """Build a C++ standalone program that simulates a group.

    Parameters
    ----------
    directory : Path
        Where to build it.
    make_group : callable
        Makes the group, once the device is set.
    steps : int
        How many steps are timed, after `WARM_UP` that are not.
    dt : Quantity
        The time step.
    vectorised : bool, optional
        Whether exponentials are vectorised, as `conex_brian.devices.use_cpp` has them, or the
        compiler gets Brian2's own flags. Default: vectorised.
    threads : int, optional
        Of the program, where it is vectorised. Default: 1.
    processor_time : bool, optional
        Whether the program takes the processor's time, which others on the machine disturb less.
        Default: the wall clock's, which a user waits for.
    recorded : int, optional
        Of how many neurons, the first ones, the program records the spike times: exact ones, where
        the group has them.
    single : bool, optional
        Whether variables are in single precision. Default: double.
    """
    if single:
        with preferences({"core.default_float_dtype": np.float32}):
            return build(
                directory,
                make_group,
                steps,
                dt,
                vectorised=vectorised,
                threads=threads,
                processor_time=processor_time,
                recorded=recorded,
            )
    clock = "std::chrono::steady_clock::now()"
    elapsed = f"std::chrono::duration<double>({clock} - started).count()"
    if processor_time:
        clock, elapsed = "std::clock()", "double(std::clock() - started)/CLOCKS_PER_SEC"
    if vectorised:
        use_cpp(threads, directory, build_on_run=False)
    else:
        set_device("cpp_standalone", directory=str(directory), build_on_run=False)
    prefs.devices.cpp_standalone.extra_make_args_unix = [f"-j{os.cpu_count()}"]
    prefs.codegen.cpp.headers = ["<chrono>", "<ctime>", "<iostream>"]
    defaultclock.dt = dt
    seed(1)
    group = make_group()
    # Counts alone, so that equal work can be seen and hardly costs anything.
    monitor = SpikeMonitor(group, record=False)
    network = Network(group, monitor)
    if recorded:
        some = group[:recorded]
        exact = "t_spike" in group.variables
        record = spike_monitor(some) if exact else SpikeMonitor(some)
        network.add(record)
    network.run(WARM_UP * dt, namespace={})
    device.insert_code("main", f"const auto started = {clock};")
    network.run(steps * dt, namespace={})
    device.insert_code("main", f"std::cout << {elapsed} << std::endl;")
    device.build(directory=str(directory), compile=True, run=False, with_output=False)

    def result(of: SpikeMonitor, name: str) -> Path:
        return Path(device.results_dir) / device.get_array_filename(of.variables[name])

    program = Program(directory, result(monitor, "count"))
    if recorded:
        names = ("i", "t_spike" if exact else "t")
        program = replace(program, records=tuple(result(record, name) for name in names))
    device.reinit()
    return program


def alternate(measures: Mapping[str, Measure], repeats: int) -> dict[str, list[tuple[float, int]]]:
    """Take each measurement ``repeats`` times, in turns, so that all see the same machine.

    Every second round runs backwards: nobody always comes first.
    """
    found: dict[str, list[tuple[float, int]]] = {name: [] for name in measures}
    for one in range(repeats):
        for name in list(measures)[:: -1 if one % 2 else 1]:
            found[name].append(measures[name]())
    return found


def seconds(measured: list[tuple[float, int]]) -> float:
    """Return the median time of some measurements."""
    return median(one for one, _ in measured)


def spikes(measured: list[tuple[float, int]]) -> int:
    """Return the number of spikes, which every measurement must have found alike."""
    (count,) = {count for _, count in measured}
    return count


def machine(*packages: str) -> str:
    """Return what ran: processor, system, compiler, and the versions of ``packages``."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    processor = models[0] if models else platform.processor() or platform.machine()
    compiler = subprocess.run(["g++", "-dumpfullversion"], capture_output=True, text=True)
    versions = ", ".join(f"{name} {version(name)}" for name in packages)
    return (
        f"{processor}, {os.cpu_count()} cores, {platform.system()} {platform.machine()}, "
        f"g++ {compiler.stdout.strip()}, Python {platform.python_version()}, {versions}"
    )
