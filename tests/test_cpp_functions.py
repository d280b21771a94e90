"""The exponential and the logarithm of `use_cpp`, and programs in single precision."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from brian2 import NeuronGroup, SpikeMonitor, device, ms, mV, pA, prefs, run, second

from conex_brian import AELIF, LIF
from conex_brian.devices import use_cpp
from devices import FLAGS, QUICK_FLAGS
from neurons import make

pytestmark = [
    pytest.mark.usefixtures("own_cache"),
    pytest.mark.skipif(shutil.which("g++") is None, reason="needs g++"),
]


@pytest.fixture(autouse=True)
def double_again() -> Iterator[None]:
    """Make Brian2's variables double after each test."""
    before = prefs.core.default_float_dtype
    yield
    prefs.core.default_float_dtype = before


def evaluated(text: str, x: np.ndarray) -> np.ndarray:
    """Return what an expression of ``given`` is in C++."""
    use_cpp()
    group = NeuronGroup(len(x), "given : 1\ny : 1")
    group.given = x
    group.run_regularly(f"y = {text}", dt=1 * ms)
    run(1 * ms)
    return np.array(group.y)


@pytest.mark.slow
@pytest.mark.parametrize("precision", [np.float64, np.float32])
def test_the_exponential_is_right_to_two_units_in_the_last_place(
    precision: type[np.floating],
) -> None:
    prefs.core.default_float_dtype = precision
    kind = np.finfo(precision)
    lowest, highest = np.log(kind.smallest_normal), np.log(kind.max)
    edges = [0, -0.0, lowest * 0.999999, highest * 0.9999999, highest * 1.000001, lowest * 1.000001]
    edges += [np.inf, -np.inf, np.nan, 1e30, -1e30]
    random = np.random.default_rng(7)
    everywhere, usual = random.uniform(lowest, highest, 100_000), random.uniform(-1, 1, 100_000)
    x = np.concatenate([everywhere, usual, edges]).astype(precision)
    y = evaluated("exp(given)", x)
    assert y.dtype == precision
    with np.errstate(over="ignore"):
        right = np.exp(x.astype(np.longdouble))
    normal = (x > lowest) & (x < highest)
    np.testing.assert_array_equal(y[x >= highest], np.inf)
    np.testing.assert_array_equal(y[x < lowest * 1.0000001], 0)
    assert np.isnan(y[np.isnan(x)]).all() and y[x == 0].tolist() == [1, 1]
    assert np.max(np.abs(y[normal] / right[normal] - 1)) < 2 * kind.eps


@pytest.mark.slow
@pytest.mark.parametrize(("precision", "units"), [(np.float64, 2), (np.float32, 4)])
def test_the_logarithm_is_right_to_two_units_in_the_last_place_and_four_in_single_precision(
    precision: type[np.floating], units: int
) -> None:
    prefs.core.default_float_dtype = precision
    kind = np.finfo(precision)
    random = np.random.default_rng(8)
    lowest, highest = np.log(kind.smallest_normal), np.log(kind.max)
    everywhere = np.exp(random.uniform(lowest, highest, 100_000).astype(np.longdouble))
    usual = random.uniform(0.4, 3, 100_000)
    least = np.log10(kind.eps)
    by_one = 1 + random.choice([-1, 1], 10_000) * 10 ** random.uniform(least, -1, 10_000)
    powers = 2.0 ** np.arange(kind.minexp, kind.maxexp)
    roots = np.sqrt(2) ** np.arange(-9, 10)
    finite = np.concatenate([
        everywhere, usual, by_one, powers, roots, np.nextafter(roots, 0), [kind.max, 1]
    ]).astype(precision)  # fmt: skip
    finite = finite[(finite >= kind.smallest_normal) & np.isfinite(finite)]
    edges = np.array([0, -0.0, np.inf, -np.inf, np.nan, -1, -kind.max, -1e-30], precision)
    y = evaluated("log(given)", np.concatenate([finite, edges]))
    assert y.dtype == precision
    right = np.log(finite.astype(np.longdouble))
    np.testing.assert_array_equal(y[: len(finite)][finite == 1], 0)
    off = np.abs(y[: len(finite)] - right)
    assert np.all(off <= units * kind.eps * np.abs(right))
    np.testing.assert_array_equal(y[len(finite) :], [-np.inf, -np.inf, np.inf, *[np.nan] * 5])


@pytest.mark.slow
def test_whole_numbers_as_bounds_are_what_they_are() -> None:
    x = np.array([-np.inf, -7.25, -2, 0.5, 3, 3.75, np.inf, np.nan])
    for text, low, high in (
        ("clip(given, -2, 3)", -2, 3),
        ("clip(given, -inf, 3)", -np.inf, 3),
        ("clip(given, -2.5, inf)", -2.5, np.inf),
        ("clip(given, i - 4, N//3)", np.arange(8) - 4, 2),
    ):
        np.testing.assert_array_equal(evaluated(text, x), np.clip(x, low, high), err_msg=text)
        device.reinit()
        device.activate()


@pytest.mark.slow
def test_quotients_of_whole_numbers_are_taken_as_they_are() -> None:
    prefs[FLAGS] = QUICK_FLAGS
    use_cpp()
    group = NeuronGroup(3, "y : 1\nz : 1")
    # In Brian2's C++ the quotient is single, and its bounds may be double or whole numbers.
    group.run_regularly("y = exp((i + 1)/(i + 2)); z = clip((i + 1)/(i + 2), 0.7, i)")
    run(1 * ms)
    quotients = np.float32([1, 2, 3]) / np.float32([2, 3, 4])
    np.testing.assert_allclose(group.y, np.exp(quotients.astype(float)), rtol=1e-15)
    np.testing.assert_allclose(group.z, [0, 0.7, 0.75], rtol=1e-6)


def simulated(directory: Path) -> tuple[np.ndarray, np.ndarray]:
    """Return v in volts after a second, and the spike counts, of AELIF neurons of many kinds."""
    use_cpp(directory=directory)
    random = np.random.default_rng(3)
    neuron = make(AELIF, theta_rh=random.uniform(-53, -49, 60) * mV, omega=20 * pA)
    group = neuron.group(I=random.uniform(20, 110, 60) * pA, method="rk4")
    spikes = SpikeMonitor(group)
    run(1 * second)
    found = np.array(group.v_), np.array(spikes.count)
    device.reinit()
    return found


@pytest.mark.slow
def test_single_precision_gives_the_same_neurons_within_microvolts(tmp_path: Path) -> None:
    prefs[FLAGS] = QUICK_FLAGS
    prefs.core.default_float_dtype = np.float64
    v, counts = simulated(tmp_path / "double")
    prefs.core.default_float_dtype = np.float32
    got, got_counts = simulated(tmp_path / "single")
    assert got.dtype == np.float32
    assert 10 < (counts == 0).sum() < 50 and counts.max() > 10
    assert np.abs(got_counts - counts).max() <= 1
    silent = counts == 0
    # Each of 10,000 steps rounds by up to 2 nV, and a neuron forgets it within its time constants.
    np.testing.assert_allclose(got[silent], v[silent], rtol=0, atol=2e-6)
    (path,) = (tmp_path / "single" / "code_objects").glob("*stateupdater_codeobject*.cpp")
    text = path.read_text()
    step = text[text.index("// vector code") :]
    assert "0.5f" in step and "_exp(" in step and "double" not in step


def test_exact_times_are_refused_in_single_precision() -> None:
    prefs.core.default_float_dtype = np.float32
    message = r"spike_timing = 'precise' needs double precision, and .* float32, .* Use 'grid'"
    with pytest.raises(ValueError, match=message):
        make(LIF).template(I=50 * pA, spike_timing="precise")
