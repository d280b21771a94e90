"""use_cpp: Brian2's C++ standalone with other settings, and with nothing else changed."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import brian2
import numpy as np
import pytest
from brian2 import (
    Mohm,
    Network,
    NeuronGroup,
    SpikeMonitor,
    StateMonitor,
    Synapses,
    TimedArray,
    ms,
    mV,
    pA,
    prefs,
    seed,
    set_device,
)
from brian2.devices.device import reset_device
from brian2.utils.logger import catch_logs

from conex_brian import AELIF, LIF, compilers
from conex_brian.devices import use_cpp
from devices import FLAGS, QUICK_FLAGS

pytestmark = pytest.mark.usefixtures("own_cache")
needs_compiler = pytest.mark.skipif(shutil.which("g++") is None, reason="needs g++")


EXPONENTIAL = AELIF(
    R=480 * Mohm, threshold=-31 * mV, tau=19 * ms, v_reset=-56 * mV, v_rest=-71 * mV,
    delta=2.1 * mV, theta_rh=-51 * mV, alpha=0.3 * brian2.nS, beta=6 * pA, w_tau=90 * ms,
)  # fmt: skip
LINEAR = LIF(
    R=110 * Mohm, threshold=-50 * mV, tau=11 * ms, v_reset=-66 * mV, v_rest=-65 * mV
)  # fmt: skip


def simulate(build: bool) -> dict[str, Any]:
    """Run a small network of everything twice and return what it did."""
    brian2.start_scope()
    seed(3)
    one = EXPONENTIAL.group(40, I=np.linspace(60, 160, 40) * pA, refractory=2 * ms, name="one")
    steps = TimedArray(np.linspace(100, 250, 9) * pA, dt=5 * ms)
    two = LINEAR.group(30, I=steps, dt=0.2 * ms, name="two")
    synapses = Synapses(one, two, "w : 1", on_pre="v_post += w*mV", delay=1 * ms, name="synapses")
    synapses.connect(i=np.arange(40), j=np.arange(40) % 30)
    synapses.w = "0.5 + 0.02*i"
    spikes = [SpikeMonitor(one, name="spikes_one"), SpikeMonitor(two, name="spikes_two")]
    trace = StateMonitor(one, ["v", "omega"], record=[0, 17], dt=1 * ms, name="trace")
    network = Network(one, two, synapses, spikes, trace, name="net")
    network.run(40 * ms)
    one.I = 90 * pA
    network.run(30 * ms)
    if build:
        brian2.device.build()
    return {
        "times": [np.asarray(monitor.t / ms) for monitor in spikes],
        "neurons": [monitor.i[:] for monitor in spikes],
        "trace": np.concatenate([trace.v / mV, trace.omega / pA]),
    }


def check_same(one: dict[str, Any], two: dict[str, Any]) -> None:
    for name in ("times", "neurons"):
        assert [len(spikes) > 30 for spikes in one[name]] == [True, True]
        for mine, theirs in zip(one[name], two[name], strict=True):
            np.testing.assert_array_equal(mine, theirs)
    # Rounding alone: the vectorised exponential is within 4 units in the last place.
    np.testing.assert_allclose(one["trace"], two["trace"], rtol=1e-9)


@needs_compiler
@pytest.mark.slow
def test_several_runs_synapses_and_monitors_do_as_in_the_runtime_whatever_the_threads() -> None:
    expected = simulate(build=False)
    # 3 divides neither 40 neurons nor 40 synapses.
    for threads, flags in ((1, prefs[FLAGS]), (3, QUICK_FLAGS)):
        prefs[FLAGS] = flags
        use_cpp(threads, build_on_run=False)
        check_same(simulate(build=True), expected)
        text = Path(brian2.device.project_dir, "makefile").read_text()
        assert ("-D__FAST_MATH__" in text) == (
            "-D__FAST_MATH__" in (compilers.choose(flags).checked or ())
        )
        brian2.device.reinit()
        reset_device()


@needs_compiler
@pytest.mark.parametrize("compiler", ["g++", "clang++"])
@pytest.mark.slow
def test_arguments_change_a_built_program(
    compiler: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, real_compiler: str
) -> None:
    if shutil.which(compiler) is None:
        pytest.skip(f"needs {compiler}")
    # Without the headers that the tests' g++ reads beforehand: each source names what it needs.
    monkeypatch.setenv("CXX", real_compiler if compiler == "g++" else compiler)
    use_cpp(directory=tmp_path / "here", build_on_run=False)
    group = LINEAR.group(5, I=160 * pA, name="group")
    spikes = SpikeMonitor(group, name="spikes")
    network = Network(group, spikes, name="net")
    network.run(50 * ms)
    brian2.device.build(run=False)
    counts = []
    for arguments in ({}, {group.tau: 5 * ms}, {group.I: 100 * pA}, ["group.tau=0.005"]):
        brian2.device.run(run_args=arguments)
        counts.append(spikes.num_spikes)
    # The interval is tau*log((RI + v_rest - v_reset)/(RI + v_rest - threshold)), in whole steps.
    expected = [
        5 * int(500 / np.ceil(10 * tau * np.log((0.11 * current + 1) / (0.11 * current - 15))))
        if 0.11 * current > 15 else 0
        for tau, current in ((11, 160), (5, 160), (11, 100), (5, 160))
    ]  # fmt: skip
    assert counts == expected
    assert len(set(counts)) == 3


def makefile(place: Path, threads: int | None = None) -> str:
    """Return the makefile that a project is compiled with, by the device that is selected."""
    if threads is not None:
        use_cpp(threads, place, build_on_run=False)
    else:
        set_device("cpp_standalone", build_on_run=False)
    Network(NeuronGroup(1, "v : 1", name="group"), name="net").run(0.1 * ms)
    brian2.device.build(directory=str(place), compile=False, run=False)
    text = (place / "makefile").read_text()
    brian2.device.build(directory=str(place), compile=False, run=False)
    assert (place / "makefile").read_text() == text
    brian2.device.reinit()
    reset_device()
    return text


def test_brian2s_own_device_stays_as_it_was(tmp_path: Path) -> None:
    before = dict(prefs.items())
    own = makefile(tmp_path / "own")
    mine = makefile(tmp_path / "mine", threads=2)
    assert mine != own
    assert "-fopenmp" in mine and "-fopenmp" not in own
    assert "omp" in (tmp_path / "mine" / "main.cpp").read_text()
    assert makefile(tmp_path / "own") == own
    assert dict(prefs.items()) == before
    # An error within a build leaves nothing either.
    use_cpp(3, tmp_path / "bad", build_on_run=False)
    with pytest.raises(TypeError, match="Unknown keyword argument 'wrong'"):
        brian2.device.build(wrong=1)
    assert dict(prefs.items()) == before


def test_another_simulation_goes_on_with_the_same_options(tmp_path: Path) -> None:
    use_cpp(2, tmp_path / "place", build_on_run=False)
    for _ in range(2):
        Network(NeuronGroup(1, "v : 1", name="group"), name="net").run(0.1 * ms)
        brian2.device.build(compile=False, run=False)
        assert "-fopenmp" in (tmp_path / "place" / "makefile").read_text()
        shutil.rmtree(tmp_path / "place")
        brian2.device.reinit()
        brian2.device.activate(build_on_run=False)
    use_cpp(build_on_run=False)
    Network(NeuronGroup(1, "v : 1", name="group"), name="net").run(0.1 * ms)
    brian2.device.build(compile=False, run=False)
    assert not (tmp_path / "place").exists()
    assert "-fopenmp" not in (Path(brian2.device.project_dir) / "makefile").read_text()


@pytest.mark.slow
def test_a_temporary_directory_is_removed_at_exit(tmp_path: Path) -> None:
    script = """
from brian2 import *
from conex_brian.devices import use_cpp
import os
use_cpp(build_on_run=False)
group = NeuronGroup(1, 'v : 1')
run(1*ms)
device.build(compile=False, run=False)
print(os.path.exists(device.project_dir + '/makefile'), flush=True)
if os.fork() == 0:
    raise SystemExit
os.wait()
print(os.path.exists(device.project_dir + '/makefile'), device.project_dir)
"""
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    command = [sys.executable, "-c", script]
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    first, second, place = done.stdout.split()
    assert (first, second) == ("True", "True")
    assert Path(place).parent == tmp_path and not Path(place).exists()


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"threads": 0}, ValueError, "threads = 0: a program needs at least one thread"),
        ({"threads": -2}, ValueError, "threads = -2"),
        ({"threads": 2.0}, TypeError, "threads = 2.0: it needs a whole number"),
        ({"threads": True}, TypeError, "threads = True: it needs a whole number"),
        ({"threads": "2"}, TypeError, "threads = '2': it needs a whole number"),
        ({"directory": 3}, TypeError, "directory = 3: it needs a path, or None for a temporary"),
        ({"directory": b"x"}, TypeError, "directory = b'x': it needs a path"),
        ({"directory": ""}, ValueError, "directory = '': it needs a path"),
        ({"directory": __file__}, ValueError, "is a file: give a directory"),
    ],
)
def test_wrong_arguments_are_named(
    options: dict[str, Any], error: type[Exception], message: str
) -> None:
    before = brian2.get_device()
    with pytest.raises(error, match=message):
        use_cpp(**options)
    assert brian2.get_device() is before


# Vectorised functions


@needs_compiler
def test_powers_are_vectorised_where_they_can_be_and_only_there() -> None:
    flags = ["-w", "-O3", "-ffast-math", "-fno-finite-math-only", "-march=native", "-std=c++17"]
    found = compilers.choose(flags)
    assert found.checked is not None and list(found.checked[: len(flags)]) == flags
    assert (found.reason == "") == (len(found.checked) > len(flags))
    if sys.platform == "linux" and os.uname().machine == "x86_64" and "glibc" in _libc():
        assert "-D__FAST_MATH__" in found.checked
    assert compilers.choose(["-O1"]) == compilers.Flags(
        ("-O1",), "the compiler flags do not have -ffast-math"
    )


def _libc() -> str:
    import platform

    return platform.libc_ver()[0]


@needs_compiler
@pytest.mark.slow
@pytest.mark.parametrize("compiler", ["g++", "clang++"])
def test_the_probe_finds_what_is_wrong(compiler: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if shutil.which(compiler) is None:
        pytest.skip(f"needs {compiler}")
    monkeypatch.setenv("CXX", compiler)
    flags = ["-w", "-O3", "-ffast-math", "-fno-finite-math-only", "-march=native"]
    assert compilers.choose([*flags, "-ffinite-math-only"]).reason == (
        "infinite numbers and nan come out wrong"
    )
    assert "no-such-flag" in compilers.choose([*flags, "-fno-such-flag"]).reason
    assert compilers.choose([*flags, "-fno-such-flag"]).checked is None
    for most, reason in ((0.01, "units in the last place"), (4.0, "")):
        monkeypatch.setattr(compilers, "MOST_ULP", most)
        assert reason in compilers._probe(flags).reason


def test_what_was_found_out_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compilers, "_chosen", {})
    asked = []

    def probe(flags: list[str]) -> compilers.Flags:
        asked.append(flags)
        return compilers.Flags((*flags, "-fast"))

    monkeypatch.setattr(compilers, "_probe", probe)
    for _ in range(2):
        for flags in (["-O1"], ["-O2"]):
            assert compilers.choose(flags) == compilers.Flags((*flags, "-fast"))
        compilers._chosen.clear()  # As in another process.
    assert asked == [["-O1"], ["-O2"]]
    monkeypatch.setattr(compilers, "processor", lambda: "another one")
    compilers.choose(["-march=native"])
    compilers.choose(["-O1"])
    assert asked == [["-O1"], ["-O2"], ["-march=native"]]


@pytest.mark.parametrize("checked", [None, ("-w", "-O1")])
def test_where_they_are_not_vectorised_it_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, checked: tuple[str, ...] | None
) -> None:
    reason = "the C library has none"
    monkeypatch.setattr(compilers, "choose", lambda flags: compilers.Flags(checked, reason))
    with catch_logs(only_from=("conex_brian",)) as found:
        for number in range(2):
            text = makefile(tmp_path / str(number), threads=1)
    assert ("-w -O1\n" in text) == (checked is not None)
    assert "-D__FAST_MATH__" not in text
    ((level, _, message),) = found
    assert level == "WARNING"
    assert message == (
        "Powers, sines and the like are not vectorised: the C library has none. Results are "
        "right, but what has them takes longer, and so do exponentials without -ffast-math."
    )


def test_a_machine_without_a_compiler_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CXX", "no-such-compiler")
    found = compilers.choose(["-O1", "-ffast-math"])
    assert found.checked is None
    assert "no-such-compiler" in found.reason


def test_make_has_a_limit() -> None:
    from conex_brian.cpp_device import limited

    count = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    assert limited(["-j", "-k"]) == [f"-j{count}", "-k"]
    assert limited(["-j3"]) == ["-j3"]


def test_the_readmes_call_is_all_it_takes() -> None:
    readme = (Path(__file__).parents[1] / "README.md").read_text()
    (block,) = [part for part in readme.split("```") if "import use_cpp" in part]
    exec(block.removeprefix("python\n"), {})
    assert type(brian2.get_device()).__name__ == "CachedCPPDevice"
    assert brian2.get_device().build_options["threads"] == 2
