"""What the README shows is true."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from brian2 import Mohm, Network, SpikeMonitor, Synapses, ms, mV, pA

from conex_brian import LIF
from conex_brian.inputs import CONDUCTANCE, CONSTANT, DECAYING, GENERAL
from conex_brian.integration import LINEAR, METHODS, NONLINEAR
from networks import CORRECTED, INPUT

README = (Path(__file__).parents[1] / "README.md").read_text()
BLOCKS = re.findall(r"```python\n(.*?)```", README, flags=re.S)


def run_block(code: str, **names: Any) -> dict[str, Any]:
    """Execute a block of the README as a script of its own."""
    scope: dict[str, Any] = {"__name__": "__main__", **names}
    exec(compile(code, "README.md", "exec"), scope)
    return scope


def test_the_first_example_fires() -> None:
    scope = run_block(BLOCKS[0])
    assert scope["group"].N == 100
    intervals = np.diff(scope["spikes"].spike_trains()[0] / ms)
    assert len(intervals) > 3 and intervals[-1] > intervals[0]  # it adapts


def test_every_form_of_input_works() -> None:
    first = run_block(BLOCKS[0])
    names = {**first, "current": np.linspace(0, 60, 40) * pA, "I0": 50 * pA, "f": 1 / (30 * ms)}
    lines = BLOCKS[1].replace("group(100, I=Eq", "group(9, I=Eq")
    assert lines.count("neuron.group(") == 8
    run_block(lines, **{k: v for k, v in names.items() if not k.startswith("__")})


def test_precise_spikes_are_between_the_steps() -> None:
    (code,) = [block for block in BLOCKS if "spike_monitor" in block]
    first = run_block(BLOCKS[0])
    scope = run_block(code, neuron=first["neuron"], pA=pA, ms=ms)
    Network(scope["group"], scope["spikes"]).run(40 * ms)
    late = (scope["spikes"].t_spike - scope["spikes"].t) / ms
    assert len(late) == 100
    assert np.all((late > 0) & (late < 0.1))


def test_the_correction_of_synapses_is_the_one_that_is_tested_and_runs() -> None:
    (code,) = [block for block in BLOCKS if "on_pre" in block]
    neuron = run_block(BLOCKS[0])["neuron"]
    group = neuron.group(
        2, I=INPUT, spike_timing="precise", refractory=2 * ms, namespace={"tau_syn": 5 * ms}
    )
    group.I_ext = [65, 0] * pA
    scope = run_block(code, group=group, Synapses=Synapses, ms=ms)
    assert scope["on_pre"].strip() == CORRECTED
    synapses = scope["synapses"]
    synapses.connect(i=0, j=1)
    synapses.weight = 1 * pA
    synapses.namespace["tau_syn"] = 5 * ms
    Network(group, synapses).run(40 * ms)
    since = 40 - group.t_spike[0] / ms - 1.5
    assert group.I_syn[1] / pA == pytest.approx(np.exp(-since / 5), rel=1e-6)


def test_what_theory_answers_is_what_it_says(capsys: pytest.CaptureFixture[str]) -> None:
    (code,) = [block for block in BLOCKS if "rheobase(neuron)" in block]
    run_block(code, neuron=run_block(BLOCKS[0])["neuron"], pA=pA, ms=ms)
    lines = capsys.readouterr().out.splitlines()
    assert lines[:2] == ["36. pA", "saddle-node"]
    rates = [float(one) for one in re.findall(r"[\d.]+", lines[2])]
    assert rates == pytest.approx([0, 12.7, 34.2], abs=0.05)
    assert len(lines) == 5  # a stable and an unstable fixed point


def test_presets_and_sweeps_are_as_shown() -> None:
    names = {k: v for k, v in run_block(BLOCKS[0]).items() if not k.startswith("__")}
    (code,) = [block for block in BLOCKS if "presets.load" in block]
    scope = run_block(code)
    assert "23" in code and len(scope["presets"].names()) == 23
    (code,) = [block for block in BLOCKS if "sweep(build" in block]
    table = run_block(code, **names)["table"]
    assert len(table) == 6 and (table["rate"] > 0).all()
    assert all(rates.is_monotonic_increasing for _, rates in table.groupby("tau")["rate"])


def test_a_model_of_your_own_fires() -> None:
    QIF = run_block(BLOCKS[-1])["QIF"]
    neuron = QIF(
        R=100 * Mohm, threshold=0 * mV, tau=12 * ms, v_reset=-66 * mV, v_rest=-65 * mV,
        v_crit=-50 * mV, delta_v=5 * mV,
    )  # fmt: skip
    assert isinstance(neuron, LIF)
    # The minimum of F is -(v_crit - v_rest)**2/(4*delta_v) = -11.25 mV: rheobase 112.5 pA.
    group = neuron.group(I=[112, 113] * pA)
    spikes = SpikeMonitor(group)
    Network(group, spikes).run(1500 * ms)
    assert spikes.count[0] == 0 and spikes.count[1] > 0
    with pytest.raises(TypeError, match="delta_v not given"):
        QIF(1 * Mohm, 2 * mV, 3 * ms, 1 * mV, 0 * mV, v_crit=1 * mV)


def test_the_table_of_methods_is_the_librarys() -> None:
    rows = re.findall(r"^\| (LIF|ELIF, AELIF|any) \| (.*?) \| (`.*`) \|$", README, flags=re.M)
    table = {(model, kind): tuple(re.findall(r"`(\w+)`", cell)) for model, kind, cell in rows}
    both = "constant within a step, or exponential currents"
    assert (
        table["LIF", both] == METHODS[LINEAR, CONSTANT, False] == METHODS[LINEAR, DECAYING, False]
    )
    assert table["LIF", "conductances"] == METHODS[LINEAR, CONDUCTANCE, False]
    assert table["LIF", "other"] == METHODS[LINEAR, GENERAL, False]
    for kind in (CONSTANT, DECAYING, CONDUCTANCE, GENERAL):
        assert table["ELIF, AELIF", "any"] == METHODS[NONLINEAR, kind, False]
        assert table["any", "with noise"] == METHODS[NONLINEAR, kind, True]
        assert table["any", "with noise"] == METHODS[LINEAR, kind, True]
