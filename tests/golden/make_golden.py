"""Record real CoNeX: ``python tests/golden/make_golden.py`` writes every ``.npz`` beside it.

Needs ``cnrl-conex`` 0.1.5, ``pymonntorch`` and ``torch``. The same seed and versions give the same
numbers again. Parameters and currents are of the kind that CoNeX's users write: membrane
potentials near -65, time constants of 10 to 30, one random value a neuron for everything but
``v_reset``, which CoNeX can take as one number only. The threshold lies at most 18 ``delta``
above ``theta_rh``, so that CoNeX's unbounded exponential stays finite.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from datetime import date
from importlib.metadata import version
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import numpy as np

from golden import FOLDER, Golden, save_golden
from live_conex import Precision, run_conex
from oracle import PARAMETERS, Floats, Model

NEURONS = 20
STEPS = 2000
HOLD = 25  # no multiple of EVERY: the input also changes between saved states
EVERY = 20
MIDDLE = 137  # a state in mid-simulation, for models that start there
PACKAGES = ("cnrl-conex", "pymonntorch", "torch", "numpy")


@dataclass(frozen=True)
class Case:
    """One run to record; ``numbers``: bare numbers for all parameters and CoNeX's initial state."""

    model: Model
    dt: float
    seed: int
    precision: Precision = "float64"
    numbers: bool = False

    @property
    def name(self) -> str:
        kind = "_numbers" if self.numbers else ""
        return f"{self.model.lower()}_dt{self.dt:g}_{self.precision}{kind}"


CASES = (
    Case("LIF", 1.0, 11),
    Case("LIF", 0.5, 12),
    Case("LIF", 0.1, 13),
    Case("ELIF", 1.0, 21),
    Case("ELIF", 0.5, 22),
    Case("ELIF", 0.1, 23),
    Case("AELIF", 1.0, 31),
    Case("AELIF", 0.5, 32),
    Case("AELIF", 0.1, 33),
    Case("AELIF", 0.5, 41, precision="float32"),
    Case("LIF", 0.5, 51, numbers=True),
    Case("AELIF", 0.5, 52, numbers=True),
)


def draw_parameters(rng: np.random.Generator, size: int | None) -> dict[str, Floats]:
    """Random parameters of an AELIF neuron, which has all that the others have."""
    values = {
        "R": rng.uniform(1.0, 10.0, size),
        "threshold": rng.uniform(-52.0, -42.0, size),
        "tau": rng.uniform(10.0, 30.0, size),
        "v_reset": rng.uniform(-75.0, -68.0),
        "v_rest": rng.uniform(-72.0, -64.0, size),
        "delta": rng.uniform(1.0, 3.0, size),
        "theta_rh": rng.uniform(-60.0, -55.0, size),
        "alpha": rng.uniform(-0.1, 0.5, size),
        "beta": rng.uniform(0.1, 1.0, size),
        "w_tau": rng.uniform(40.0, 200.0, size),
    }
    return {name: np.asarray(value) for name, value in values.items()}


def draw_levels(rng: np.random.Generator, parameters: dict[str, Floats], model: Model) -> Floats:
    """Input levels around 1.4 to 5 times each neuron's rheobase, more with adaptation."""
    depth = parameters["threshold"] - parameters["v_rest"]
    strongest = 5.0
    if model != "LIF":
        depth = parameters["theta_rh"] - parameters["v_rest"] - parameters["delta"]
    if model == "AELIF":
        depth = depth * (1.0 + np.maximum(parameters["alpha"] * parameters["R"], 0.5))
        strongest = 6.0
    rheobase = np.maximum(depth, 4.0) / parameters["R"]
    strength = rng.permutation(np.geomspace(1.4, strongest, NEURONS))
    levels: Floats = rheobase * strength * rng.uniform(0.6, 1.4, (STEPS // HOLD, NEURONS))
    return levels


def record(case: Case) -> Golden:
    """Run one case on CoNeX."""
    rng = np.random.default_rng(case.seed)
    drawn = draw_parameters(rng, None if case.numbers else NEURONS)
    if case.numbers:
        # In PyTorch a bare number times the boolean spikes is float32, in a float64 network too:
        # CoNeX then rounds beta*w_tau. Here the product is one that float32 holds exactly.
        drawn["beta"] = np.asarray(np.round(drawn["beta"] * 64.0) / 64.0)
        drawn["w_tau"] = np.round(drawn["w_tau"])
    parameters = {name: drawn[name] for name in PARAMETERS[case.model]}
    levels = draw_levels(rng, drawn, case.model)
    init_v = omega = None
    if not case.numbers:
        init_v = (drawn["v_rest"] + rng.uniform(-3.0, 3.0, NEURONS)).astype(case.precision)
        if case.model == "AELIF":
            omega = rng.uniform(-0.5, 2.0, NEURONS).astype(case.precision)
    parameters = {name: value.astype(case.precision) for name, value in parameters.items()}
    levels = levels.astype(case.precision)
    current = np.repeat(levels, HOLD, axis=0)
    steps = run_conex(
        case.model,
        parameters,
        current,
        case.dt,
        init_v=init_v,
        omega=omega,
        precision=case.precision,
    )
    if not np.isfinite(steps.v).all():
        raise ArithmeticError(f"{case.name}: CoNeX overflowed")
    saved = np.array(sorted({*range(EVERY, STEPS + 1, EVERY), MIDDLE, STEPS}), dtype=np.int16)
    spike_steps, spike_neurons = np.nonzero(steps.spikes)
    about = {
        "versions": {package: version(package) for package in PACKAGES},
        "precision": case.precision,
        "seed": case.seed,
        "date": date.today().isoformat(),
    }
    return Golden(
        about=about,
        model=case.model,
        parameters=parameters,
        init_v=init_v,
        omega=omega,
        dt=case.dt,
        levels=levels,
        hold=HOLD,
        saved=saved,
        v=steps.v[saved - 1],
        omega_saved=None if steps.omega is None else steps.omega[saved - 1],
        spike_steps=spike_steps.astype(np.int16),
        spike_neurons=spike_neurons.astype(np.int8),
    )


def main() -> None:
    """Record every case and tell the range of firing rates."""
    for old in FOLDER.glob("*.npz"):
        old.unlink()
    for case in CASES:
        golden = record(case)
        save_golden(case.name, golden)
        rates = golden.spikes.mean(axis=0) / case.dt * 1000
        print(f"{case.name}: {rates.min():.0f} to {rates.max():.0f} spikes per 1000 time units")


if __name__ == "__main__":
    main()
