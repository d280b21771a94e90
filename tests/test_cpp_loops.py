"""The loops of `use_cpp` over several neurons at once do what Brian2's do one by one."""

from __future__ import annotations

import shutil
from typing import Any

import numpy as np
import pytest
from brian2 import (
    EventMonitor,
    Network,
    NeuronGroup,
    SpikeMonitor,
    device,
    linked_var,
    ms,
    nA,
    prefs,
    seed,
)

import conex_brian
from conex_brian.cpp_loops import independent, touched
from conex_brian.devices import use_cpp
from devices import FLAGS, QUICK_FLAGS
from neurons import adaptive_model, random_adaptive
from reference import exponential_spike_times, leaky_spike_times
from test_precise import CLOSED_FORM, assert_same_spikes, leaky_model, random_leaky

pytestmark = [
    pytest.mark.usefixtures("own_cache"),
    pytest.mark.skipif(shutil.which("g++") is None, reason="needs g++"),
]


def events_of_every_kind() -> list[np.ndarray]:
    """Run groups of sizes around a block's and return who had which event when."""
    network, monitors, groups = Network(), [], []
    for size in (3, 256, 1029):
        group = NeuronGroup(
            size,
            """phase : 1
            level = sin(phase + 0.9*t/ms) : 1
            lows : integer""",
            threshold="level > 0.8",
            reset="phase += 0.1",
            refractory=0.3 * ms,
            events={"low": "level < -0.93", "any": "lows >= 0"},
        )
        group.run_on_event("low", "lows = lows + 1 + i")
        group.phase = "2.3*i"
        groups.append(group)
        monitors += [SpikeMonitor(group), *(EventMonitor(group, e) for e in ("low", "any"))]
    network.add(groups, monitors)
    network.run(9 * ms)
    found = [np.array([monitor.i, monitor.t / ms]) for monitor in monitors]
    return [*found, *(np.array(group.lows) for group in groups)]


@pytest.mark.slow
@pytest.mark.parametrize("threads", [1, 3])
def test_events_are_brian2s_whatever_the_size_and_the_threads(threads: int) -> None:
    wanted = events_of_every_kind()
    assert all(part.size for part in wanted)
    # Some blocks have many events, some steps have none.
    assert max(wanted[6].shape[1], wanted[7].shape[1]) > 10_000
    prefs[FLAGS] = QUICK_FLAGS
    use_cpp(threads=threads)
    for got, expected in zip(events_of_every_kind(), wanted, strict=True):
        np.testing.assert_allclose(got, expected, rtol=1e-12)


@pytest.mark.slow
@pytest.mark.parametrize("size", [100, 100_000])
def test_arrays_begin_with_a_cache_line(size: int) -> None:
    prefs[FLAGS] = QUICK_FLAGS
    use_cpp()
    group = NeuronGroup(size, "v : 1\nw : 1")
    for name in "vw":
        place = f"reinterpret_cast<size_t>(brian::{device.get_array_name(group.variables[name])})"
        device.insert_code("before_end", f"if({place} % 64) return 3;")
    Network(group).run(0.1 * ms)  # A program that returns another number than 0 is an error.


@pytest.mark.slow
def test_a_reset_draws_once_a_spike() -> None:
    """Three neurons draw in a step what one draws in three."""
    last = []
    for neurons, steps in ((3, 7), (1, 21)):
        prefs[FLAGS] = QUICK_FLAGS
        use_cpp()
        seed(4)
        group = NeuronGroup(neurons, "drawn : 1", threshold="True", reset="drawn = rand()")
        Network(group).run(steps * 0.1 * ms)
        last.append(group.drawn[-1])
        device.reinit()
        device.activate()
    assert last[0] == last[1] != 0


def test_what_a_statement_touches() -> None:
    group = NeuronGroup(3, "a : 1\nb : integer\nc : boolean\nd : 1\nab : 1\nshared : 1 (shared)")

    def found(*code: str) -> dict[str, tuple[str, bool, bool]]:
        arrays = touched(list(code), group.variables, lambda variable: f"_{variable.name}")
        return {one.pointer: (one.type, one.read, one.written) for one in arrays}

    assert found("const double a = _a[_idx];", "_ab[_idx] = a;") == {
        "_a": ("double", True, False), "_ab": ("double", False, True)
    }  # fmt: skip
    assert found("int32_t b = _b[_idx];", "_b[_idx] = b;") == {"_b": ("int32_t", True, True)}
    assert found("if(x)", "    _c[_idx] = y;") == {"_c": ("char", True, True)}
    assert found("_d[_idx] += 1;") == {"_d": ("double", True, True)}
    assert found("const bool e = _d[_idx] == 1;") == {"_d": ("double", True, False)}
    assert found("const double s = _shared[0];") == {}


@pytest.mark.slow
def test_a_random_threshold_is_drawn_once_a_neuron_and_step() -> None:
    prefs[FLAGS] = QUICK_FLAGS
    use_cpp()
    seed(4)
    group = NeuronGroup(5000, "p : 1 (shared)", threshold="rand() < p")
    group.p = 0.013
    spikes = SpikeMonitor(group)
    Network(group, spikes).run(10 * ms)
    # 5000 neurons, 100 steps: the standard deviation of the rate is 1.2 % of it.
    assert spikes.num_spikes / 500_000 == pytest.approx(0.013, rel=0.06)
    assert np.bincount(spikes.i, minlength=5000).max() < 15


@pytest.mark.slow
@pytest.mark.parametrize("regularly", [False, True])
def test_neurons_that_read_each_other_are_taken_one_by_one(regularly: bool) -> None:
    use_cpp()
    statement = "v = 0.5*other + 0.1"
    event = {} if regularly else {"threshold": "True", "reset": statement}
    group = NeuronGroup(50, "v : 1\nother : 1 (linked)", **event)
    if regularly:
        group.run_regularly(statement)
    v = np.linspace(0, 1, 50) ** 2
    group.v = v
    group.other = linked_var(group, "v", index=(np.arange(50) + 49) % 50)
    Network(group).run(1 * ms)
    for _ in range(10):
        for k in range(50):
            v[k] = 0.5 * v[k - 1] + 0.1
    np.testing.assert_allclose(group.v[:], v, rtol=1e-12)


def test_only_a_variable_of_the_neuron_itself_is_independent() -> None:
    group = NeuronGroup(3, "v : 1\nx : 1 (shared)\nother : 1 (linked)")
    group.other = linked_var(group, "v", index=[2, 0, 1])
    names = {"v": "_idx", "x": "0"}
    variables = {name: group.variables[name] for name in (*names, "dt", "N", "other")}
    assert independent({name: variables[name] for name in names}, names)
    assert not independent(variables, {**group.variables.indices, "v": "_idx"})


@pytest.mark.slow
def test_clip_is_numpys() -> None:
    inf, nan = np.inf, np.nan
    values = np.array([-inf, -3, -0.5, 0, 0.5, 3, inf, nan])
    bounds = [(-1, 1), (-inf, 0.25), (0.25, inf), (1, -1), (-inf, inf)]
    prefs[FLAGS] = QUICK_FLAGS
    use_cpp()
    group = NeuronGroup(len(values), "".join(f"y{k} : 1\n" for k in range(len(bounds))) + "x : 1")
    group.x = values
    code = [f"y{k} = clip(x, {low}, {high})" for k, (low, high) in enumerate(bounds)]
    group.run_regularly("\n".join(code))
    Network(group).run(0.1 * ms)
    for k, (low, high) in enumerate(bounds):
        np.testing.assert_array_equal(getattr(group, f"y{k}")[:], np.clip(values, low, high))


@pytest.mark.slow
@pytest.mark.parametrize("threads", [1, 2])
def test_exact_times_of_many_neurons_at_once(threads: int) -> None:
    copies = 21  # Spike together: two eights of them at once, and some one by one.
    p = random_leaky(20, seed=18)
    sets = random_adaptive(6, seed=23)
    references = (
        leaky_spike_times(p, 100.0, t_ref=0.37) * copies,
        [exponential_spike_times(one, 100.0) for one in sets] * copies,
    )
    use_cpp(threads=threads)
    many: dict[str, Any] = {name: np.tile(values, copies) for name, values in p.items()}
    leaky = leaky_model(many).group(
        I=many["RI"] / many["R"] * nA, spike_timing="precise", refractory=0.37 * ms
    )
    model, current = adaptive_model(sets * copies)
    adaptive = model.group(I=current, spike_timing="precise")
    monitors = [conex_brian.spike_monitor(group) for group in (leaky, adaptive)]
    Network(leaky, adaptive, monitors).run(100 * ms)
    for monitor, wanted, atol in zip(monitors, references, (CLOSED_FORM, 1e-5), strict=True):
        times, i = np.asarray(monitor.t_spike / ms), np.asarray(monitor.i)
        got = [times[i == k] for k in range(len(wanted))]
        assert_same_spikes(got, wanted, 100.0, 0.2, atol)
