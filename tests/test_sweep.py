"""Sweeps: the same results whatever runs them, and nothing finished is ever lost."""

from __future__ import annotations

import math
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import suppress
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import brian2
import numpy as np
import pytest
from brian2 import (
    DimensionMismatchError,
    Network,
    NeuronGroup,
    SpikeGeneratorGroup,
    SpikeMonitor,
    Synapses,
    defaultclock,
    ms,
    mV,
    nA,
    prefs,
    second,
    set_device,
)
from brian2.devices.device import reset_device

from conex_brian import (
    AELIF,
    Experiment,
    grid,
    neuron_grid,
    spike_monitor,
    sweep,
    worker_processes,
)
from conex_brian.devices import use_cpp
from conex_brian.points import make_points
from conex_brian.sweeps import SweepError, SweepInterrupted
from devices import QUICK_FLAGS
from neurons import SI, make
from sweep_models import LEAKY, POINTS, clockwork, count, mishaps, noisy, noisy_cpp, same, slow

pandas = pytest.importorskip("pandas", reason="sweeps make tables with pandas")
pytest.importorskip("pyarrow", reason="sweeps store results with pyarrow")

needs_proc = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs Linux's /proc")
needs_compiler = pytest.mark.skipif(shutil.which("g++") is None, reason="needs g++")

EXPECTED = [count(tau, current, 40) for tau in (7, 13) for current in (1.1, 1.9, 2.4)]


def run(build: Any, points: Any, **options: Any) -> Any:
    return sweep(build, points, progress=False, **options)


# Points


def test_a_grid_has_all_combinations_the_last_name_fastest() -> None:
    points = grid(tau=[7, 13] * ms, I=[1, 2, 3] * nA, N=4, v=[[1, 2], [3, 4]] * mV)
    assert len(points) == 12
    assert [float(p["tau"] / ms) for p in points] == [7] * 6 + [13] * 6
    assert [round(float(p["I"] / nA)) for p in points] == [1, 1, 2, 2, 3, 3] * 2
    assert {p["N"] for p in points} == {4}
    np.testing.assert_array_equal(points[1]["v"] / mV, [3, 4])
    with pytest.raises(ValueError, match="at least one axis"):
        grid()
    with pytest.raises(ValueError, match=r"grid: tau = \[\] has no values"):
        grid(tau=[])
    # To NumPy, Synapses are a sequence without end.
    group = NeuronGroup(1, "v : 1")
    synapses = Synapses(group, group)
    for axis in (synapses, [synapses]):
        with pytest.raises(TypeError, match=r"grid: tau = .*: it needs numbers .*not a Synapses"):
            grid(tau=axis)
        with pytest.raises(TypeError, match=r"grid: tau = .*: it needs numbers .*not a Synapses"):
            neuron_grid(LEAKY, tau=axis)


def test_seeds_belong_to_points() -> None:
    points = make_points(POINTS, 0)
    seeds = {point.key: point.seed for point in points}
    assert len(set(seeds.values())) == len(points)
    more = make_points([{"I": 9 * nA, "tau": 1 * ms}, *POINTS[::-1]], 0)
    assert {point.key: point.seed for point in more[1:]} == seeds
    assert not {point.seed for point in make_points(POINTS, 1)} & set(seeds.values())
    # Repetitions are other runs, and the first is the one that stands alone.
    twice = make_points([POINTS[0], POINTS[0]], 0)
    assert twice[0].seed == points[0].seed != twice[1].seed
    assert make_points([{"x": -0.0}], 0)[0].key == make_points([{"x": 0}], 0)[0].key
    assert make_points([{"x": [1.0]}], 0)[0].key != make_points([{"x": 1.0}], 0)[0].key


@pytest.mark.parametrize(
    ("points", "error", "message"),
    [
        ([], ValueError, "points is empty"),
        ([3], TypeError, r"points\[0\] = 3: it needs a dict"),
        ([{"tau": "10 ms"}], TypeError, r"points\[0\]: tau = '10 ms'"),
        ([{"tau": np.nan * ms}], ValueError, r"points\[0\]: tau = nan s is not finite"),
        ([{"a": 1}, {"b": 1}], ValueError, r"points\[1\] has values for b, but points\[0\] for a"),
        (
            [{"a": 1 * ms}, {"a": 1 * mV}],
            DimensionMismatchError,
            r"points\[1\]: a = 1. mV is in volt, but points\[0\] has it in second",
        ),
        ([{"seed": 1}], ValueError, "'seed' is a column of the results"),
        ([{1: 1}], TypeError, "1 is no name"),
        ([{"tua": 1 * ms, "I": 1 * nA}], ValueError, r"'tua', .* \(did you mean 'tau'\?\)"),
        ([{"tau": 1 * ms}], ValueError, "varies I, but the points have no value for it"),
    ],
)
def test_points_are_checked(points: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        run(clockwork, points)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"executor": 0}, ValueError, "executor = 0: it needs at least one process"),
        ({"executor": "dask"}, TypeError, "executor = 'dask': it needs None, a number"),
        ({"executor": ThreadPoolExecutor(1)}, TypeError, "threads share Brian2's state"),
        ({"on_error": "ignore"}, ValueError, "on_error = 'ignore': it needs 'raise' or 'record'"),
        ({"seed": -1}, ValueError, "seed = -1"),
        ({"seed": 0.5}, TypeError, "seed = 0.5"),
        ({"resume": __file__}, ValueError, "is a file: give a directory"),
        ({"resume": 3}, TypeError, "resume = 3: it needs the path of a directory"),
    ],
)
def test_options_are_checked(options: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        run(clockwork, POINTS, **options)


def test_what_is_no_experiment_is_refused() -> None:
    with pytest.raises(TypeError, match="build = 5: it needs a function"):
        run(5, POINTS)
    with pytest.raises(TypeError, match="returned None: it needs to return an Experiment"):
        run(lambda: None, POINTS)


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"network": []}, TypeError, r"network = \[\]: it needs a Network"),
        ({"duration": 3}, DimensionMismatchError, "duration = 3.* needs a time"),
        ({"duration": -3 * ms}, ValueError, "duration = -3. ms is not positive"),
        ({"vary": {}}, TypeError, r"vary = \{\}: it needs a dict"),
        ({"vary": {"tau": 3 * ms}}, TypeError, r"vary\['tau'\] = 3. ms: it needs a variable"),
        ({"vary": {"i": "i"}}, ValueError, "is read-only"),
        ({"vary": {"v": "part"}}, ValueError, "is a part of a variable"),
        ({"vary": {"x": "double"}}, ValueError, "is computed from other variables"),
        ({"vary": {"error": "v"}}, ValueError, "'error' is a column"),
        ({"observe": {"w": 3}}, TypeError, r"observe\['w'\] = 3: it needs a function"),
        ({"observe": {"x": len}, "vary": {"x": "v"}}, ValueError, "'x' is varied and observed"),
    ],
)
def test_experiments_are_checked(
    changes: dict[str, Any], error: type[Exception], message: str
) -> None:
    group = NeuronGroup(4, "v : volt\ndouble = 2*v : volt")
    part = group[1:3]
    views = {"i": group.i, "part": part.v, "double": group.double, "v": group.v}
    arguments = {"network": Network(group), "duration": 3 * ms, "vary": {"v": group.v},
                 "observe": {"w": lambda: 1}, **changes}  # fmt: skip
    if isinstance(arguments["vary"], dict):
        arguments["vary"] = {
            name: views[text] if isinstance(text, str) else text
            for name, text in arguments["vary"].items()
        }
    with pytest.raises(error, match=message):
        Experiment(**arguments)


# Runs


def test_points_run_as_the_closed_form_says() -> None:
    table = run(clockwork, POINTS)
    assert list(table.columns) == ["tau", "I", "spikes", "rate", "seed"]
    assert table["spikes"].tolist() == [3 * n for n in EXPECTED]
    assert sorted(set(EXPECTED))[0] == 0 and len(set(EXPECTED)) == 5
    np.testing.assert_allclose(table["rate"], np.array(EXPECTED) / 0.04, rtol=1e-12)
    np.testing.assert_allclose(table["tau"], [0.007] * 3 + [0.013] * 3, rtol=1e-12)
    units = {"tau": "second", "I": "amp", "spikes": "1", "rate": "hertz"}
    assert table.attrs["units"] == units
    assert table["spikes"].dtype == np.int64


def test_nothing_else_changes_here() -> None:
    group = LEAKY.group(2)
    defaultclock.dt = 0.05 * ms
    np.random.seed(5)
    before = dict(prefs.items()), brian2.get_device(), str(np.random.get_state())
    table = run(clockwork, POINTS[1:3])
    # The time step is the one that was set here.
    assert table["spikes"].tolist() == [3 * count(7, i, 40, dt=0.05) for i in (1.9, 2.4)]
    assert (dict(prefs.items()), brian2.get_device(), str(np.random.get_state())) == before
    assert defaultclock.dt == 0.05 * ms
    assert LEAKY.group(2).name == f"{group.name}_1"
    Network(group).run(1 * ms)


@pytest.mark.slow
def test_any_order_and_number_of_processes_give_the_same_bits(tmp_path: Path) -> None:
    one = run(noisy, POINTS)
    assert len(set(one["spikes"])) > 3 and one["times"].map(len).tolist() == one["spikes"].tolist()
    assert len(set(one["weights"])) == 1  # One wiring for all.
    two = run(lambda: noisy(), POINTS, executor=2)  # A function that only its text can send.
    assert same(one, two)
    back = run(noisy, POINTS[::-1])
    assert same(back.iloc[::-1].reset_index(drop=True), one)
    assert not same(run(noisy, POINTS[:1], seed=1), one[:1])
    stored = run(noisy, POINTS[2:4], resume=tmp_path / "results")
    again = run(noisy, POINTS, resume=tmp_path / "results")
    assert same(again, one) and same(stored.set_index(again.index[2:4]), again[2:4])
    assert same(run(nothing, POINTS, resume=tmp_path / "results"), one)


def nothing() -> Experiment:
    raise AssertionError("there is nothing to build")


@needs_compiler
@pytest.mark.slow
def test_standalone_programs_give_the_same_bits_and_are_built_once(tmp_path: Path) -> None:
    one = run(noisy_cpp, POINTS)
    assert type(brian2.get_device()).__name__ == "RuntimeDevice"
    assert prefs.codegen.cpp.extra_compile_args_gcc != QUICK_FLAGS
    assert len(set(one["spikes"])) > 3 and len(set(one["weights"])) == 1
    assert len(set(one["seed"])) == 6
    assert same(run(noisy_cpp, POINTS, executor=2), one)
    first = run(noisy_cpp, POINTS[:2], resume=tmp_path / "results")
    assert same(first, one[:2])
    assert same(run(noisy_cpp, POINTS, resume=tmp_path / "results"), one)
    assert not same(run(noisy_cpp, POINTS[:1], seed=1), one[:1])
    distributed = pytest.importorskip("distributed", reason="Dask is not installed")
    with (
        distributed.LocalCluster(2, threads_per_worker=2, dashboard_address=None) as cluster,
        distributed.Client(cluster) as client,
    ):  # fmt: skip
        with pytest.raises(TypeError, match=r"for Dask client\.get_executor\(\)"):
            run(noisy_cpp, POINTS, executor=client)
        assert same(run(noisy_cpp, POINTS, executor=client.get_executor()), one)
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as executor:
        assert same(run(noisy_cpp, POINTS, executor=executor), one)


@needs_compiler
@pytest.mark.slow
@needs_compiler
@pytest.mark.parametrize("several", [False, True])
def test_delays_are_varied_on_every_device(several: bool) -> None:
    # Brian2 makes a synapse's queue from its delay before a run.
    def build() -> Experiment:
        source = SpikeGeneratorGroup(2, [0, 1], [1, 1] * ms)
        target = NeuronGroup(2, "v : 1", threshold="v > 0.5", reset="v = 0")
        one = {} if several else {"delay": 3 * ms}
        synapses = Synapses(source, target, on_pre="v_post += 1", **one)
        synapses.connect(j="i")
        spikes = SpikeMonitor(target)
        network = Network(source, target, synapses, spikes)
        vary = {"delay": synapses.delay}
        return Experiment(network, 12 * ms, vary, {"times": lambda: spikes.t[:]})

    def build_cpp() -> Experiment:
        prefs.codegen.cpp.extra_compile_args_gcc = QUICK_FLAGS
        use_cpp()
        return build()

    delays: Any = [[0, 2], [7, 1]] if several else [0, 2, 7]
    for one in (build, build_cpp):
        table = run(one, grid(delay=delays * ms))
        for delay, times in zip(delays, table["times"], strict=True):
            wanted = np.sort(np.broadcast_to(delay, 2)) + 1.1
            np.testing.assert_allclose(times * 1e3, wanted, atol=1e-9)


@pytest.mark.slow
@pytest.mark.parametrize("executor", [None, 1])
def test_preferences_that_build_sets_hold_in_every_process(executor: Any) -> None:
    def build() -> Experiment:
        prefs.codegen.target = "numpy"
        prefs.core.default_float_dtype = np.float32
        group = NeuronGroup(1, "dv/dt = (I - v)/(5*ms) : 1\nI : 1\non : boolean", method="euler")
        observe = {"bytes": lambda: np.dtype(group.variables["v"].dtype).itemsize}
        observe["set"] = lambda: group.on[0]
        return Experiment(Network(group), 1 * ms, {"I": group.I, "on": group.on}, observe)

    # Like any function of a script, it is sent with all that it uses.
    table = run(build, [{"I": 1, "on": True}, {"I": 1, "on": False}], executor=executor)
    assert table["bytes"].tolist() == [4, 4] and table["set"].tolist() == [True, False]


@pytest.mark.slow
def test_standalone_runs_are_those_of_the_closed_form() -> None:
    """Also with values of single neurons and synapses, a run before, and Brian2's own device."""
    flags = prefs.codegen.cpp.extra_compile_args_gcc
    prefs.codegen.cpp.extra_compile_args_gcc = QUICK_FLAGS

    def build() -> Experiment:
        group = LEAKY.group(I=[1.5, 1.5, 1.5] * nA)
        synapses = brian2.Synapses(group, group, "w : volt", on_pre="v_post += w")
        synapses.connect(i=[0], j=[1])
        spikes = SpikeMonitor(group)
        network = Network(group, synapses, spikes)
        network.run(0.5 * ms)
        return Experiment(
            network, 39.5 * ms, {"I": group.I, "tau": group.tau, "w": synapses.w},
            {"spikes": lambda: spikes.count, "weight": lambda: synapses.w[:]},
        )  # fmt: skip

    set_device("cpp_standalone", build_on_run=False)
    here = LEAKY.group(1)
    try:
        points = [
            {"I": [1.1, 1.9, 2.4] * nA, "tau": tau * ms, "w": weight * mV}
            for tau, weight in ((7, 0), (13, [0]), (7, [100]))
        ]
        table = run(build, [*points, {**points[0], "w": [1, 2] * mV}], on_error="record")
        assert here.tau[:] == 9 * ms  # What was defined here is still there.
    finally:
        brian2.device.reinit()
        reset_device()
        prefs.codegen.cpp.extra_compile_args_gcc = flags
    # In the first 0.5 ms the values are those of build(): the first spike comes later for it.
    for number, tau in enumerate((7, 13)):
        expected = [count(tau, current, 40) for current in (1.1, 1.9, 2.4)]
        assert np.abs(table["spikes"][number] - expected).max() <= 1
        assert table["spikes"][number][0] == 0
    assert table["weight"][2] == pytest.approx([0.1])
    assert table["error"][:3].isna().all()
    assert "values of w" in table["error"][3] or "file size 16" in table["error"][3]


# What goes wrong

WHAT = [{"what": k * nA} for k in (0, 1, 5, 2, 6)]


@pytest.mark.parametrize("executor", [None, pytest.param(2, marks=pytest.mark.slow)])
def test_other_points_go_on_where_one_fails(executor: Any, tmp_path: Path) -> None:
    points = WHAT if executor is None else [*WHAT, {"what": 3 * nA}]
    options: Any = {"executor": executor, "resume": tmp_path / "results"}
    with pytest.raises(SweepError) as caught:
        run(mishaps, points, **options)
    message = str(caught.value)
    assert f"{len(points) - 3} of {len(points)} points failed" in message
    assert "what = 1. nA: ArithmeticError: no such luck" in message
    assert "what = 2. nA: nan in the observation result" in message
    assert ("what = 3. nA: WorkerDied: its process died 3 times, the last time by SIGKILL" in
            message) == (executor == 2)  # fmt: skip
    assert 'raise ArithmeticError("no such luck")' in str(caught.value.__cause__)
    table = caught.value.table
    assert (
        np.isfinite(table["result"]).tolist()
        == [True, False, True, False, True, False][: len(points)]
    )
    assert table["error"].isna().tolist() == np.isfinite(table["result"]).tolist()
    assert table["half"][3] == 0.5
    assert same(run(mishaps, points, on_error="record", **options), table)
    stored = pandas.read_parquet(tmp_path / "results")
    assert sorted((stored["what"] * 1e9).round().tolist()) == [0, 5, 6]


def test_what_else_was_observed_is_kept_where_one_is_nan_at_all_points() -> None:
    def build() -> Experiment:
        experiment = clockwork()
        observe = {**experiment.observe, "cv": lambda: math.nan}
        return Experiment(experiment.network, 40 * ms, experiment.vary, observe)

    table = run(build, POINTS, on_error="record")
    assert table["spikes"].tolist() == [3 * spikes for spikes in EXPECTED]
    assert table["cv"].isna().all() and table.attrs["units"]["rate"] == "hertz"
    with pytest.raises(SweepError, match="6 of 6 points failed") as caught:
        run(build, POINTS)
    assert same(caught.value.table.drop(columns="error"), table.drop(columns="error"))


def test_the_reason_is_told_where_brian2_only_says_in_which_object() -> None:
    def build() -> Experiment:
        group = NeuronGroup(1, "dv/dt = nowhere/ms : 1\nI : 1", method="euler")
        return Experiment(Network(group), 1 * ms, {"I": group.I}, {"v": lambda: group.v[0]})

    table = run(build, grid(I=[1, 2]), on_error="record")
    for text in table["error"]:
        assert text.startswith("KeyError: 'The identifier \"nowhere\" could not be resolved.'")
        assert "BrianObjectException: Error encountered with object named 'neurongroup" in text


@pytest.mark.parametrize(
    ("observed", "message"),
    [
        (lambda: sys.exit("enough"), r"observe has called sys\.exit\('enough'\)"),
        (lambda: np.ma.masked_array([1.0, 2.0], [False, True]), "which is masked: give numbers"),
        (lambda: np.uint64(2**64 - 1), "whole numbers have 63 bits here"),
    ],
)
def test_what_cannot_be_kept_is_an_error_of_its_point(observed: Any, message: str) -> None:
    def build() -> Experiment:
        experiment = clockwork()
        return Experiment(experiment.network, 1 * ms, experiment.vary, {"x": observed})

    with pytest.raises(SweepError, match=message):
        run(build, POINTS[:1])


def test_stored_observations_of_several_types_are_one_table_for_pandas(tmp_path: Path) -> None:
    # Each file has the types of its own rows: none, whole and other numbers, and arrays of each.
    def build() -> Experiment:
        experiment = clockwork()
        spikes = next(o for o in experiment.network.objects if isinstance(o, SpikeMonitor))
        observe = {
            "third": lambda: spikes.num_spikes / 7 if spikes.num_spikes else 0,
            "times": lambda: np.asarray(spikes.t),
            "who": lambda: np.asarray(spikes.i) if spikes.num_spikes else np.array([], dtype=int),
        }
        return Experiment(experiment.network, 40 * ms, experiment.vary, observe)

    fresh = run(build, POINTS)
    for some in (POINTS[:1], POINTS[1:2], POINTS[:3]):
        run(build, some, resume=tmp_path / "r")
    again = run(build, POINTS, resume=tmp_path / "r")
    assert (fresh["third"] == 0).any() and (fresh["third"] % 1 > 0).any()
    assert same(again, fresh)
    stored = pandas.read_parquet(tmp_path / "r").sort_values(["tau", "I"], ignore_index=True)
    np.testing.assert_array_equal(stored["third"], fresh["third"])
    assert [list(x) for x in stored["times"]] == [list(x) for x in fresh["times"]]


@pytest.mark.slow
def test_a_build_that_exits_says_with_what() -> None:
    def build() -> Experiment:
        raise SystemExit("no data today")

    with pytest.raises(RuntimeError, match=r"build\(\) has called sys\.exit\('no data today'\)"):
        run(build, POINTS, executor=1)


@needs_proc
@pytest.mark.slow
def test_a_worker_that_dies_is_missed_though_its_own_process_lives() -> None:
    def build() -> Experiment:
        get_context("fork").Process(target=time.sleep, args=(600,), daemon=True).start()
        return mishaps()

    with pytest.raises(SweepError, match=r"what = 3\. nA: WorkerDied: .* by SIGKILL"):
        run(build, [{"what": 3 * nA}], executor=1)


def test_a_build_that_fails_ends_the_sweep() -> None:
    def build() -> Experiment:
        raise LookupError("no network today")

    for executor in (None, 2):
        with pytest.raises(LookupError, match="no network today"):
            run(build, POINTS, executor=executor)


def test_what_cannot_travel_is_refused() -> None:
    lock = __import__("threading").Lock()
    with pytest.raises(TypeError, match=r"build cannot be sent to other processes .*lock"):
        run(lambda: lock and clockwork(), POINTS, executor=2)


def test_units_of_observations_have_to_agree() -> None:
    def build() -> Experiment:
        experiment = clockwork()
        rate = experiment.observe["rate"]
        return Experiment(experiment.network, 40 * ms, experiment.vary,
                          {"rate": lambda: rate() or 0})  # fmt: skip

    with pytest.raises(
        SweepError, match=r"observe\['rate'\] is in 1, but at other points in hertz"
    ):
        run(build, POINTS[1:] + POINTS[:1])


def test_results_of_another_sweep_are_refused(tmp_path: Path) -> None:
    run(clockwork, POINTS[:1], resume=tmp_path)
    with pytest.raises(ValueError, match="another sweep: its points have tau in second, I in amp"):
        run(clockwork, [{"tau": 1 * ms}], resume=tmp_path)
    with pytest.raises(ValueError, match=r"observed spikes in 1, rate in hertz, but .* in 1"):
        run(slow, POINTS[1:2], resume=tmp_path)
    part = next(tmp_path.glob("part-*"))
    part.write_bytes(part.read_bytes()[:-9])
    assert run(clockwork, POINTS[:1], resume=tmp_path)["spikes"].tolist() == [3 * EXPECTED[0]]


SCRIPT = """
import sys
from pathlib import Path
sys.path.insert(0, {tests!r})
from brian2 import prefs
prefs.codegen.target = 'numpy'
from conex_brian import sweep
from sweep_models import POINTS, slow, noisy
print('pid', __import__('os').getpid(), flush=True)
table = sweep({build}, POINTS*{times}, executor={executor}, resume={resume!r}, progress=True)
table.to_pickle({table!r})
"""


def start(path: Path, build: str = "slow", executor: Any = None, times: int = 2) -> Any:
    """Start a sweep in a process of its own; without a main guard, as users' scripts are."""
    script = path / "script.py"
    text = SCRIPT.format(
        tests=str(Path(__file__).parent), build=build, executor=executor, times=times,
        resume=str(path / "results"), table=str(path / "table"),
    )  # fmt: skip
    script.write_text(text)
    return subprocess.Popen(
        [sys.executable, str(script)], stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True
    )


def parts(path: Path) -> int:
    return len(list((path / "results").glob("part-*")))


def wait_for(what: Callable[[], bool], process: Any, seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not what():
        assert process.poll() is None, process.stderr.read()
        assert time.monotonic() < end
        time.sleep(0.01)


@pytest.mark.skipif(sys.platform == "win32", reason="signals are POSIX's")
@pytest.mark.slow
@pytest.mark.parametrize("executor", [None, 2])
def test_ctrl_c_ends_soon_and_keeps_what_is_done(executor: Any, tmp_path: Path) -> None:
    process = start(tmp_path, executor=executor)
    wait_for(lambda: parts(tmp_path) >= 3, process)
    process.send_signal(signal.SIGINT)
    said = process.communicate(timeout=10)[1]
    assert process.returncode not in (0, None)
    done = int(re.findall(r"SweepInterrupted: (\d+) of 12 points are finished", said)[0])
    assert "the same call goes on from there" in said
    assert 3 <= done < 12
    assert re.search(r"\d+/12 \[\d+:\d+<\d+:\d+, .*point", said)  # the bar: rate, remaining time
    assert len(pandas.read_parquet(tmp_path / "results")) == done
    process = start(tmp_path)
    said = process.communicate(timeout=60)[1]
    assert process.returncode == 0, said
    assert f"{done}/12" in said
    assert same(pandas.read_pickle(tmp_path / "table"), run(slow, POINTS * 2))


IMPATIENT = """
import os, signal, sys, threading, time
import cloudpickle, pandas, pyarrow, tqdm
sys.path.insert(0, {tests!r})
from conex_brian import Experiment, sweep
from sweep_models import POINTS, clockwork
def build():
    one = clockwork()
    observe = dict(x=lambda: time.sleep(600))
    return Experiment(one.network, one.duration, one.vary, observe)
def interrupt():
    time.sleep({after})
    os.kill(os.getpid(), signal.SIGINT)
    time.sleep(0.1)
    os.kill(os.getpid(), signal.SIGINT)
threading.Thread(target=interrupt, daemon=True).start()
sweep(build, POINTS, executor=2, progress=False)
"""


@needs_proc
@pytest.mark.slow
@pytest.mark.parametrize("after", [0.3, 4])
def test_a_second_ctrl_c_leaves_nothing_behind(after: float, tmp_path: Path) -> None:
    """While workers start, and when they are at work."""
    script = IMPATIENT.format(tests=str(Path(__file__).parent), after=after)
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    process = subprocess.Popen(
        [sys.executable, "-c", script], stderr=subprocess.PIPE, text=True, env=environment
    )
    assert "Interrupt" in process.communicate(timeout=60)[1]
    assert list(tmp_path.glob("conex_brian_sweep_*")) == []


def test_interruption_has_the_table() -> None:
    def build() -> Experiment:
        experiment = clockwork()

        def observe() -> int:
            if experiment.vary["tau"][:] > 10 * ms:
                raise KeyboardInterrupt
            return 7

        return Experiment(experiment.network, 1 * ms, experiment.vary, {"x": observe})

    with pytest.raises(SweepInterrupted, match="3 of 6 points are finished") as caught:
        run(build, POINTS)
    assert caught.value.table["x"].tolist() == [7, 7, 7]


def descendants(pid: int) -> list[int]:
    """Return the processes that ``pid`` has started, and those that these have, and so on."""
    parents = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            state, parent = stat.read_text().rpartition(")")[2].split()[:2]
            if state != "Z":
                parents[int(stat.parent.name)] = int(parent)
    found = [pid]
    for one in found:
        found += [child for child, parent in parents.items() if parent == one]
    return found[1:]


@needs_proc
@pytest.mark.slow
def test_killed_workers_lose_nothing(tmp_path: Path) -> None:
    process = start(tmp_path, executor=2, times=40)
    chance = random.Random(1)
    killed = 0
    workers: set[int] = set()  # Of these one that had started others may be killed first.
    while killed < 20 and process.poll() is None:
        time.sleep(chance.uniform(0, 0.5))
        workers |= set(descendants(process.pid))
        if workers and parts(tmp_path):
            one = chance.choice(sorted(workers))
            workers.remove(one)
            try:
                os.kill(one, signal.SIGKILL)
            except ProcessLookupError:  # It had ended already.
                continue
            killed += 1
            before = parts(tmp_path)
            if killed % 4 == 0:  # Let some points be finished in between.
                wait_for(lambda before=before: parts(tmp_path) != before, process)
    said = process.communicate(timeout=200)[1]
    assert killed == 20
    if process.returncode:  # A point has met three of them.
        assert "its process died 3 times" in said and "tau" in said, said
        again = start(tmp_path, executor=2, times=40)
        said = again.communicate(timeout=200)[1]
        assert again.returncode == 0, said
    table = pandas.read_pickle(tmp_path / "table")
    assert len(table) == 240
    assert table["spikes"].tolist() == [3 * count(tau, i, 10) for tau in (7, 13)
                                        for i in (1.1, 1.9, 2.4)] * 40  # fmt: skip


@needs_proc
@pytest.mark.slow
def test_a_killed_sweep_goes_on_and_leaves_no_process(tmp_path: Path) -> None:
    seen = 0
    for _ in range(3):
        process = start(tmp_path, executor=2, build="noisy", times=8)
        had = parts(tmp_path)
        wait_for(lambda had=had: parts(tmp_path) > had, process)
        workers = descendants(process.pid)
        process.kill()
        process.communicate()
        end = time.monotonic() + 10
        while any(Path(f"/proc/{pid}").exists() for pid in workers):
            assert time.monotonic() < end
            time.sleep(0.05)
        stored = len(pandas.read_parquet(tmp_path / "results"))
        assert stored > seen
        seen = stored
    assert same(run(noisy, POINTS * 8, resume=tmp_path / "results"), run(noisy, POINTS * 8))


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a module that `reading` imports."""
    monkeypatch.syspath_prepend(str(tmp_path))
    return tmp_path / "read_by_workers.py"


def reading() -> Experiment:
    import read_by_workers

    seen = float(read_by_workers.VALUE), float(os.environ.get("SEEN_BY_WORKERS", "0"))
    experiment = clockwork()
    observe = {"value": lambda: seen[0], "variable": lambda: seen[1], "process": os.getpid}
    return Experiment(experiment.network, 1 * ms, experiment.vary, observe)


@needs_proc
@pytest.mark.slow
@pytest.mark.parametrize("copies", [False, True])
def test_each_sweep_has_new_workers(
    copies: bool, module: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing that one has imported or been told is there in the next."""
    monkeypatch.setattr(worker_processes, "COPIES", copies)
    module.write_text("VALUE = 1")
    first = run(reading, POINTS, executor=2)
    module.write_text("VALUE = 2.5")
    second = run(reading, POINTS, executor=2)
    assert set(first["value"]) == {1} and set(second["value"]) == {2.5}
    started = descendants(os.getpid())
    assert not {*first["process"], *second["process"], os.getpid()} & set(started)
    monkeypatch.setenv("SEEN_BY_WORKERS", "3")
    third = run(reading, POINTS, executor=1)
    assert set(third["variable"]) == {3} != set(second["variable"])
    assert set(third["process"]).isdisjoint(second["process"])


@needs_proc
@pytest.mark.slow
def test_what_workers_are_copies_of_may_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """It does when nobody has needed it for a while."""
    before = descendants(os.getpid())
    monkeypatch.setenv("ANOTHER", "surroundings")
    monkeypatch.setattr(worker_processes, "PATIENCE", 0.2)
    table = run(noisy, POINTS, executor=2)
    (nursery,) = set(descendants(os.getpid())) - set(before) or {0}
    end = time.monotonic() + 10
    while nursery in descendants(os.getpid()):
        assert time.monotonic() < end
        time.sleep(0.05)
    assert same(run(noisy, POINTS, executor=2), table)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """Return a directory on a disk of 64 kB."""
    place = tmp_path / "disk"
    place.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(place)]
    if not shutil.which("mount") or subprocess.run(command, capture_output=True).returncode:
        pytest.skip("a disk of its own may not be mounted here")
    yield place
    subprocess.run(["umount", str(place)], check=True)


def test_a_full_disk_loses_nothing(small_disk: Path) -> None:
    ballast = small_disk / "ballast"
    ballast.write_bytes(bytes(52_000))
    with pytest.raises(
        SweepError, match=r"All 6 points are finished, but not all are .*No space"
    ) as e:
        run(clockwork, POINTS, resume=small_disk / "results")
    assert e.value.table["spikes"].tolist() == [3 * n for n in EXPECTED]
    assert not list((small_disk / "results").glob(".*"))
    stored = len(pandas.read_parquet(small_disk / "results"))
    assert 0 < stored < 6
    ballast.unlink()
    table = run(clockwork, POINTS, resume=small_disk / "results")
    assert same(table, e.value.table.drop(columns="error"))
    assert len(pandas.read_parquet(small_disk / "results")) == 6


# Exact times, and the vectorised way


@pytest.mark.slow
@pytest.mark.parametrize(
    "standalone", [False, pytest.param(True, marks=[pytest.mark.slow, needs_compiler])]
)
@pytest.mark.parametrize("several", [False, True])
def test_exact_spike_times_follow_what_is_varied(several: bool, standalone: bool) -> None:
    # What exact times derive from the parameters is stored where there is one value a neuron.
    model = make(AELIF)

    def at(tau: Any, theta_rh: Any) -> Any:
        one = model.replace(tau=tau, theta_rh=theta_rh)
        if several:
            one = one.replace(tau=[1, 1] * tau, theta_rh=[1, 1] * theta_rh)
        group = one.group(2, I=0.9 * nA, spike_timing="precise")
        return group, spike_monitor(group)

    def build() -> Experiment:
        if standalone:
            prefs.codegen.cpp.extra_compile_args_gcc = QUICK_FLAGS
            use_cpp()
        group, spikes = at(40 * ms, -49 * mV)
        return Experiment(
            Network(group, spikes), 60 * ms, {"tau": group.tau, "theta_rh": group.theta_rh},
            {"times": lambda: spikes.t_spike},
        )  # fmt: skip

    points = grid(tau=[11, 23] * ms, theta_rh=-52 * mV)
    table = run(build, points)
    for number, point in enumerate(points):
        group, spikes = at(**point)
        Network(group, spikes).run(60 * ms)
        assert len(spikes.t_spike) > 3
        np.testing.assert_allclose(table["times"][number] * second, spikes.t_spike, rtol=1e-12)


def test_a_grid_of_neurons_is_one_group() -> None:
    neurons, table = neuron_grid(LEAKY, tau=[7, 13] * ms, I=[1.1, 1.9, 2.4] * nA)
    group = neurons.group()
    spikes = SpikeMonitor(group)
    Network(group, spikes).run(40 * ms)
    assert spikes.count[:].tolist() == EXPECTED
    assert list(table.columns) == ["tau", "I"]
    assert table.attrs["units"] == {"tau": "second", "I": "amp"}
    np.testing.assert_array_equal(table["tau"].to_numpy() * second, group.tau[:])
    with pytest.raises(TypeError, match=r"LIF has no 'tua' \(did you mean 'tau'\?\)"):
        neuron_grid(LEAKY, tua=[1, 2] * ms)
    with pytest.raises(DimensionMismatchError, match="tau"):
        neuron_grid(LEAKY, tau=[1, 2] * mV)
    with pytest.raises(TypeError, match="I and init_I are the same input: give one of them"):
        neuron_grid(LEAKY, I=[1, 2] * nA, init_I=[3] * nA)
    with pytest.raises(TypeError, match="model = 5: it needs a LIF, ELIF or AELIF"):
        neuron_grid(5, tau=[1, 2] * ms)  # type: ignore[type-var]


def test_a_grid_may_say_who_has_just_spiked() -> None:
    neurons, table = neuron_grid(LEAKY, init_s=[True, False], I=[1.1, 1.9] * nA)
    assert table["init_s"].tolist() == [True, True, False, False]
    assert neurons.group(refractory=2 * ms).not_refractory[:].tolist() == [False, False, True, True]
    assert SI["tau"] != LEAKY.tau
