"""The oracle against recorded and live CoNeX, and the facts about CoNeX's step that it states."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from golden import Golden, golden_names, load_golden
from live_conex import needs_conex, run_conex
from oracle import PARAMETERS, Floats, Model, Steps, conex_steps

MODELS: tuple[Model, ...] = ("LIF", "ELIF", "AELIF")
EXACT = [name for name in golden_names() if "float64" in name]
SINGLE = [name for name in golden_names() if "float32" in name]


def run_oracle(golden: Golden, start: int = 0) -> Steps:
    """The oracle on a record's input, from its beginning or from a saved state."""
    init_v, omega = golden.init_v, golden.omega
    if start:
        (place,) = np.flatnonzero(golden.saved == start)
        init_v = golden.v[place]
        omega = None if golden.omega_saved is None else golden.omega_saved[place]
    return conex_steps(
        golden.model,
        golden.parameters,
        golden.current[start:],
        golden.dt,
        init_v=init_v,
        omega=omega,
    )


def assert_close(actual: Floats, expected: Floats, tolerance: float) -> None:
    """Relative to each value, or to the largest one: omega passes through zero."""
    scale = float(np.abs(expected).max())
    np.testing.assert_allclose(actual, expected, rtol=tolerance, atol=tolerance * scale)


def test_every_model_is_recorded_at_three_time_steps() -> None:
    recorded = {(g.model, g.dt) for g in map(load_golden, EXACT)}
    assert recorded >= {(model, dt) for model in MODELS for dt in (1.0, 0.5, 0.1)}


@pytest.mark.parametrize("name", [*EXACT, *SINGLE])
def test_records_tell_parameters_and_models_apart(name: str) -> None:
    golden = load_golden(name)
    assert tuple(golden.parameters) == PARAMETERS[golden.model]
    values = np.concatenate([value.ravel() for value in golden.parameters.values()])
    assert len(np.unique(values)) == len(values)
    assert golden.parameters["v_reset"].ndim == 0
    counts = golden.spikes.sum(axis=0)
    assert counts.min() >= 1 and len(np.unique(counts)) > 5


# Same operations in the same order: only exp may differ, by an ulp, and the reset forgets it.
@pytest.mark.parametrize("name", EXACT)
def test_oracle_is_conex(name: str) -> None:
    golden = load_golden(name)
    steps = run_oracle(golden)
    np.testing.assert_array_equal(steps.spikes, golden.spikes)
    assert_close(steps.v[golden.saved - 1], golden.v, 1e-12)
    assert (steps.omega is None) == (golden.omega_saved is None) == (golden.model != "AELIF")
    if steps.omega is not None and golden.omega_saved is not None:
        assert_close(steps.omega[golden.saved - 1], golden.omega_saved, 1e-12)


@pytest.mark.parametrize("model", MODELS)
def test_every_parameter_shows_in_the_record(model: Model) -> None:
    golden = load_golden(f"{model.lower()}_dt0.5_float64")
    for parameter, value in golden.parameters.items():
        changed = {**golden.parameters, parameter: value * 1.001}
        steps = run_oracle(replace(golden, parameters=changed))
        assert np.abs(steps.v[golden.saved - 1] - golden.v).max() > 1e-4, parameter


@pytest.mark.parametrize("name", EXACT)
def test_v_and_omega_are_the_whole_state(name: str) -> None:
    golden = load_golden(name)
    start = 137
    steps = run_oracle(golden, start)
    np.testing.assert_array_equal(steps.spikes, golden.spikes[start:])
    later = golden.saved > start
    assert_close(steps.v[golden.saved[later] - start - 1], golden.v[later], 1e-12)


# float32 rounds by 6e-8 in each step; the exponential steepens it until the reset forgets it.
@pytest.mark.parametrize("name", SINGLE)
def test_single_precision_conex_is_near(name: str) -> None:
    golden = load_golden(name)
    assert golden.v.dtype == np.float32
    steps = run_oracle(golden)
    np.testing.assert_array_equal(steps.spikes, golden.spikes)
    assert_close(steps.v[golden.saved - 1], golden.v, 2e-5)
    assert steps.omega is not None and golden.omega_saved is not None
    assert_close(steps.omega[golden.saved - 1], golden.omega_saved, 2e-6)


@needs_conex
@pytest.mark.parametrize("name", [*EXACT, *SINGLE])
def test_records_are_what_conex_gives(name: str) -> None:
    golden = load_golden(name)
    steps = run_conex(
        golden.model,
        golden.parameters,
        golden.current,
        golden.dt,
        init_v=golden.init_v,
        omega=golden.omega,
        precision=golden.about["precision"],
    )
    tolerance = 1e-12 if name in EXACT else 2e-5  # other machines may round exp otherwise
    np.testing.assert_array_equal(steps.spikes, golden.spikes)
    assert_close(steps.v[golden.saved - 1], golden.v, tolerance)
    if steps.omega is not None and golden.omega_saved is not None:
        assert_close(steps.omega[golden.saved - 1], golden.omega_saved, tolerance)


AELIF_VALUES = {
    "R": 2.0, "threshold": -50.0, "tau": 10.0, "v_reset": -70.0, "v_rest": -64.0, "delta": 2.0,
    "theta_rh": -55.0, "alpha": 0.3, "beta": 0.7, "w_tau": 40.0,
}  # fmt: skip


@pytest.mark.parametrize("model", MODELS)
def test_a_group_that_starts_at_the_default_fires_at_once(model: Model) -> None:
    steps = conex_steps(model, AELIF_VALUES, np.zeros((1, 3)), 0.5)
    assert steps.spikes.all()
    np.testing.assert_array_equal(steps.v, -70.0)


def test_equal_to_the_threshold_fires() -> None:
    values = {**AELIF_VALUES, "R": 1.0, "tau": 1.0, "v_rest": -60.0}
    steps = conex_steps("LIF", values, [[9.0, 10.0]], 1.0, init_v=-60.0)
    assert steps.spikes.tolist() == [[False, True]]
    assert steps.v.tolist() == [[-51.0, -70.0]]


def test_a_spike_adds_beta_times_dt_after_the_reset() -> None:
    p, dt, omega = AELIF_VALUES, 0.5, 0.4
    steps = conex_steps("AELIF", p, np.zeros((1, 1)), dt, init_v=-20.0, omega=omega)
    assert steps.spikes.all() and steps.omega is not None
    pull = p["alpha"] * (p["v_reset"] - p["v_rest"]) - omega
    assert steps.omega.item() == pytest.approx(
        omega + dt / p["w_tau"] * pull + p["beta"] * dt, rel=1e-14
    )
