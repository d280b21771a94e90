"""The examples run as a user runs them, and what they print is true."""

from __future__ import annotations

import importlib.util
import re
import shutil
import subprocess
import sys
from math import ceil, log
from pathlib import Path

import pytest

from live_conex import missing_packages

EXAMPLES = Path(__file__).parents[1] / "examples"

pytest.importorskip("matplotlib", reason="the examples draw with matplotlib")


def run_example(name: str, output: Path) -> str:
    """Run an example in a process of its own, check its picture, and return what it printed."""
    done = subprocess.run(
        [sys.executable, str(EXAMPLES / f"{name}.py"), "--output", str(output)],
        capture_output=True,
        text=True,
        timeout=600,
        cwd=output,  # not the repository: an example must not depend on where it is started
    )
    assert done.returncode == 0, done.stderr
    assert "WARNING" not in done.stderr, done.stderr
    picture = (output / f"{name}.png").read_bytes()
    assert picture.startswith(b"\x89PNG\r\n\x1a\n")
    assert len(picture) > 20_000  # an empty frame is smaller
    return done.stdout


def numbers(pattern: str, text: str) -> list[float]:
    """Return the numbers in the groups of ``pattern``, which must occur in ``text`` once."""
    (found,) = re.findall(pattern, text)
    return [float(number) for number in ([found] if isinstance(found, str) else found)]


@pytest.mark.slow
def test_quickstart(tmp_path: Path) -> None:
    printed = run_example("quickstart", tmp_path)
    line = r"(?m)^{} +([\d.]+) Hz, intervals: first ([\d.]+) ms, last ([\d.]+) ms$"
    rates = {name: numbers(line.format(name), printed) for name in ("LIF", "ELIF", "AELIF")}

    # tau 20 ms, steady state -70 + 0.5*65 = -37.5 mV, from -65 to -50 mV.
    interval = 20 * log((-37.5 + 65) / (-37.5 + 50))
    assert numbers(r"closed form, interval ([\d.]+) ms", printed) == [round(interval, 3)]
    # On the grid of 0.1 ms each interval is rounded up.
    on_grid = ceil(interval / 0.1) * 0.1
    rate, first, last = rates["LIF"]
    assert (first, last) == (round(on_grid, 1), round(on_grid, 1))
    assert rate == pytest.approx(1e3 / on_grid, abs=0.006)

    # Without adaptation intervals stay equal to a step; with it they grow.
    assert rates["ELIF"][2] == pytest.approx(rates["ELIF"][1], abs=0.11)
    assert rates["AELIF"][2] > 1.2 * rates["AELIF"][1]
    assert rates["AELIF"][0] < rates["ELIF"][0] < rates["LIF"][0]


@pytest.mark.slow
def test_grasshopper(tmp_path: Path) -> None:
    pytest.importorskip("nitime", reason="the recording ships with nitime")
    printed = run_example("grasshopper", tmp_path)
    first, last = printed.partition("last 5 s")[::2]

    # Counted in the file itself: 514 and 415 spikes.
    recorded = r"recorded ([\d.]+) Hz, simulated ([\d.]+) Hz"
    rate, simulated = numbers(recorded, first)
    assert rate == 102.8
    assert simulated == pytest.approx(rate, rel=0.1)
    assert numbers(recorded, last)[0] == 83.0

    shifted = r"Gamma at \+-{} ms ([-\d.]+), shifted ([-\d.]+) \(sd ([\d.]+), max ([-\d.]+)\)"
    for text in (first, last):
        gamma, chance, deviation, highest = numbers(shifted.format(2), text)
        assert 0.4 < gamma < 1
        assert abs(chance) < 0.15  # where windows are narrow, the formula's chance level holds
        assert gamma > highest
        assert gamma > chance + 5 * deviation
        gamma, chance, deviation, highest = numbers(shifted.format(4), text)
        assert gamma < 1
        assert gamma > highest
        assert gamma > chance + 5 * deviation


@pytest.mark.skipif(
    sys.platform != "win32" and shutil.which("g++") is None, reason="needs a C++ compiler"
)
@pytest.mark.slow
def test_balanced_network(tmp_path: Path) -> None:
    printed = run_example("balanced_network", tmp_path)
    assert "membrane 10. ms, inhibition 10. ms, method 'exact'" in printed
    for name in ("excitatory", "inhibitory"):
        rate, cv = numbers(rf"{name} rate ([\d.]+) Hz, CV ([\d.]+)", printed)
        assert 5 < rate < 40
        assert 0.7 < cv < 1.3  # a Poisson process has 1, a clock 0


@pytest.mark.skipif(
    sys.platform != "win32" and shutil.which("g++") is None, reason="needs a C++ compiler"
)
@pytest.mark.slow
def test_sweep(tmp_path: Path) -> None:
    pytest.importorskip("pandas", reason="sweeps make tables with pandas")
    printed = run_example("sweep", tmp_path)
    assert "200 points" in printed
    found, theory = numbers(r"no synapses, 460 pA: ([\d.]+) Hz, closed form ([\d.]+) Hz", printed)
    # R*I = 46 mV, 10 mV to the threshold, 2 ms refractory; the grid of 0.1 ms adds or takes a step.
    assert theory == round(1e3 / (2 + 10 * log(46 / 36)), 1)
    assert found == pytest.approx(theory, rel=0.03)
    # Inhibition takes most of the drive away.
    assert 20 < numbers(r"weight 18 pA, 460 pA: ([\d.]+) Hz", printed)[0] < theory / 3
    assert list((tmp_path / "sweep.parquet").glob("part-*.parquet"))


@pytest.mark.skipif(
    bool(missing_packages()), reason=f"needs the packages {', '.join(missing_packages())}"
)
@pytest.mark.slow
def test_from_conex(tmp_path: Path) -> None:
    printed = run_example("from_conex", tmp_path)
    number = r"([\d.]+(?:e[+-]\d+)?)"
    for start in (0, 350):
        line = rf"difference from CoNeX from step {start} on: v {number}, omega {number}"
        assert max(numbers(line, printed)) < 1e-10

    counts = r"\[(\d+), (\d+), (\d+)\] spikes"
    reference = numbers(rf"reference \(rk4, dt 0.005 ms\): {counts}", printed)
    assert min(reference) > 5
    off: dict[str, list[float]] = {}  # the mean and the largest error in ms
    for name in ("CoNeX", "rk4, dt 0.5 ms", "rk4, dt 0.05 ms"):
        *found, mean, largest = numbers(
            rf"(?m)^{name}: {counts}, off by {number} ms, at most {number} ms$", printed
        )
        off[name] = [mean, largest]
        # CoNeX is late by as much as an interval, so it may lack a spike.
        assert found == pytest.approx(reference, abs=1 if name == "CoNeX" else 0)
    # A spike is found at the end of its step whatever the method: the error is of first order.
    for coarse, fine in zip(off["rk4, dt 0.5 ms"], off["rk4, dt 0.05 ms"], strict=True):
        assert coarse / fine == pytest.approx(10, rel=0.3)
    assert off["CoNeX"][0] > 2 * off["rk4, dt 0.5 ms"][0]
    assert 0.5 < off["CoNeX"][1] < 50


@pytest.mark.slow
def test_firing_patterns(tmp_path: Path) -> None:
    printed = run_example("firing_patterns", tmp_path)
    line = r"(?m)^(\w+) +(\w[\w ]*?) +(\d+) spikes, intervals (?:none|([\d.]+) to ([\d.]+) ms)$"
    rows = {name: rest for name, *rest in re.findall(line, printed)}
    assert len(rows) == 15
    for pattern, count, first, last in rows.values():
        spikes = int(count)
        ratio = float(last) / float(first) if first else 0
        if pattern == "transient":
            assert spikes <= 2
        elif pattern == "adapting":
            assert ratio > 1.5
        elif pattern == "delayed accelerating":
            assert ratio < 0.7
        elif pattern == "initial burst":
            assert ratio > 5
        else:
            assert spikes > 2


@pytest.mark.slow
def test_fi_curves(tmp_path: Path) -> None:
    printed = run_example("fi_curves", tmp_path)
    line = r"{} +rheobase ([\d.]+) pA, points within ([\d.e+-]+) Hz"
    # LIF: 20 mV/500 Mohm. ELIF, and AELIF without alpha: theta_rh - v_rest - delta = 18 mV.
    for name, rheobase, within in [
        ("LIF", 40, 1e-9), ("LIF, noise 3 mV", 40, 3), ("ELIF", 36, 0.01), ("AELIF", 36, 0.01)
    ]:  # fmt: skip
        found, off = numbers(line.format(f"(?m)^{name}"), printed)
        assert found == rheobase and off < within


@pytest.mark.slow
def test_phase_planes(tmp_path: Path) -> None:
    printed = run_example("phase_planes", tmp_path)
    node, hopf = printed.split("Andronov-Hopf: ")
    # alpha*R 0.05 and 2, tau/w_tau 0.2 (Touboul & Brette 2008).
    g = 1.05
    assert numbers(r"saddle-node: ([\d.]+) pA", node)[0] == pytest.approx(
        10 * g * (20 - 2 + 2 * log(g)), abs=0.006
    )
    current = 10 * (3 * (20 - 2 + 2 * log(1.2)) + 2 * (2 - 0.2))
    assert float(hopf.split()[0]) == pytest.approx(current, abs=0.006)
    # Both fixed points are gone beyond a saddle-node; beyond the Hopf point the focus is unstable.
    assert "below: stable node" in node and "above" not in node
    assert "below: stable focus" in hopf and "above: unstable focus" in hopf


@pytest.mark.slow
def test_fit_a_trace(tmp_path: Path) -> None:
    printed = run_example("fit_a_trace", tmp_path)
    # Noise in the membrane and in the measurement: not exact, but near.
    for name, within in [("R", 3), ("threshold", 0.3), ("tau", 1), ("v_reset", 0.5)]:
        found, true = numbers(rf"(?m)^{name} +found +(-?[\d.]+), true +(-?[\d.]+) ", printed)
        assert found == pytest.approx(true, abs=within)
    line = r"held out, {}: rms ([\d.]+) mV, (\d+) of (\d+) spikes within 2 ms, (\d+) extra"
    rms, hits, spikes, extra = numbers(line.format("fitted"), printed)
    best_rms, *_ = numbers(line.format("true parameters"), printed)
    assert spikes > 15 and hits > 0.8 * spikes and extra < 0.2 * spikes
    assert rms < best_rms + 0.7


@pytest.mark.slow
def test_nest_cross_check(tmp_path: Path) -> None:
    printed = run_example("nest_cross_check", tmp_path)
    late: dict[str, dict[str, list[float]]] = {}
    line = (
        r"(?m)^(L?A?E?L?IF): (.*): (\d+) spikes, precise (\d+); late by (-?[\d.]+) ms at first, "
        r"(-?[\d.]+) ms at last$"
    )
    for name, which, count, precise, *at in re.findall(line, printed):
        assert count == precise or name == "LIF"
        late.setdefault(name, {})[which] = [float(x) for x in at]
    here = "here on the grid, dt 0.1 ms"
    # The same steps, so the same lateness; a smaller step divides it.
    assert late["LIF"]["NEST, dt 0.1 ms"] == late["LIF"][here]
    assert late["AELIF"]["NEST, dt 0.1 ms"][1] < late["AELIF"][here][1]
    for both in late.values():
        assert 0 < both["NEST, dt 0.01 ms"][1] < both["NEST, dt 0.1 ms"][1] / 2


@pytest.mark.skipif(importlib.util.find_spec("nest") is not None, reason="NEST is installed")
@pytest.mark.slow
def test_without_nest_its_times_are_read_from_a_file_and_none_can_be_recorded(
    tmp_path: Path,
) -> None:
    done = subprocess.run(
        [sys.executable, str(EXAMPLES / "nest_cross_check.py"), "--record"],
        capture_output=True, text=True, cwd=tmp_path,
    )  # fmt: skip
    assert done.returncode == 1
    assert done.stderr.strip() == "--record needs NEST: pip install nest-simulator (Python 3.12)."


def test_every_example_is_tested() -> None:
    tested = {name.removeprefix("test_") for name in globals() if name.startswith("test_")}
    assert {path.stem for path in EXAMPLES.glob("*.py")} <= tested
