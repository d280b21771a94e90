"""What the benchmarks share: programs built once and run many times, medians, the machine."""

from __future__ import annotations

import os
import platform
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass
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
    """

    directory: Path
    counts: Path

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


def build(
    directory: Path,
    make_group: Callable[[], NeuronGroup],
    steps: int,
    dt: Quantity,
    *,
    processor_time: bool = False,
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
    processor_time : bool, optional
        Whether the program takes the processor's time, which others on the machine disturb less.
        Default: the wall clock's, which a user waits for.
    """
    clock = "std::chrono::steady_clock::now()"
    elapsed = f"std::chrono::duration<double>({clock} - started).count()"
    if processor_time:
        clock, elapsed = "std::clock()", "double(std::clock() - started)/CLOCKS_PER_SEC"
    set_device("cpp_standalone", directory=str(directory), build_on_run=False)
    prefs.devices.cpp_standalone.extra_make_args_unix = [f"-j{os.cpu_count()}"]
    prefs.codegen.cpp.headers = ["<chrono>", "<ctime>", "<iostream>"]
    defaultclock.dt = dt
    seed(1)
    group = make_group()
    # Counts alone, so that equal work can be seen and hardly costs anything.
    monitor = SpikeMonitor(group, record=False)
    network = Network(group, monitor)
    network.run(WARM_UP * dt, namespace={})
    device.insert_code("main", f"const auto started = {clock};")
    network.run(steps * dt, namespace={})
    device.insert_code("main", f"std::cout << {elapsed} << std::endl;")
    device.build(directory=str(directory), compile=True, run=False, with_output=False)
    name = device.get_array_filename(monitor.variables["count"])
    program = Program(directory, Path(device.results_dir) / name)
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
