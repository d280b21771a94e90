"""Recorded runs of real CoNeX: what a record holds, and how it is kept and read.

The ``.npz`` files beside this module are made by ``make_golden.py``; each tells in ``about`` with
which versions. All values are bare numbers, times in the unit of ``dt``.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from oracle import PARAMETERS, Floats, Model

FOLDER = Path(__file__).parent


@dataclass(frozen=True)
class Golden:
    """One run of CoNeX.

    Attributes
    ----------
    about : dict
        Versions, precision, seed, date.
    model : {'LIF', 'ELIF', 'AELIF'}
        CoNeX's class.
    parameters : dict of str to ndarray
        By CoNeX's names; no dimension where CoNeX was given a number, else one value a neuron.
    init_v, omega : ndarray or None
        What CoNeX was given; None where it was left to its default, 0.
    dt : float
        Length of a step.
    levels : ndarray, shape (levels, neurons)
        Input current, each level held for `hold` steps.
    hold : int
        Steps for which a level is held.
    saved : ndarray of int
        How many steps had been done at each saved state, rising; the last state is among them.
    v : ndarray, shape (saved, neurons)
        Membrane potential at the saved states.
    omega_saved : ndarray or None
        Adaptation current at the saved states; None where the model has none.
    spike_steps, spike_neurons : ndarray of int
        In which step (from 0) which neuron fired, in the order of steps, then neurons.
    """

    about: dict[str, Any]
    model: Model
    parameters: dict[str, Floats]
    init_v: Floats | None
    omega: Floats | None
    dt: float
    levels: Floats
    hold: int
    saved: NDArray[np.integer]
    v: Floats
    omega_saved: Floats | None
    spike_steps: NDArray[np.integer]
    spike_neurons: NDArray[np.integer]

    @property
    def current(self) -> Floats:
        """Input current in each step, shape (steps, neurons)."""
        return np.repeat(self.levels, self.hold, axis=0)

    @property
    def spikes(self) -> NDArray[np.bool_]:
        """Who fired in each step, shape (steps, neurons)."""
        raster = np.zeros(self.current.shape, dtype=bool)
        raster[self.spike_steps, self.spike_neurons] = True
        return raster


_PLAIN = ("about", "model", "dt", "hold")  # kept as JSON; the others are arrays


def golden_names() -> tuple[str, ...]:
    """The names of all recorded runs."""
    return tuple(sorted(path.stem for path in FOLDER.glob("*.npz")))


def load_golden(name: str) -> Golden:
    """Read the recorded run of that name."""
    with np.load(FOLDER / f"{name}.npz", allow_pickle=False) as file:
        arrays = {key: file[key] for key in file.files}
    plain = json.loads(str(arrays.pop("plain")))
    parameters = {key: arrays.pop(key) for key in PARAMETERS[plain["model"]]}
    absent = {f.name: None for f in fields(Golden) if f.name not in {*arrays, *plain}}
    return Golden(**{**absent, **arrays, **plain, "parameters": parameters})


def save_golden(name: str, golden: Golden) -> None:
    """Write a recorded run; `load_golden` reads it."""
    arrays: dict[str, Any] = dict(golden.parameters)
    plain = {key: getattr(golden, key) for key in _PLAIN}
    for field in fields(Golden):
        value = getattr(golden, field.name)
        if field.name not in (*_PLAIN, "parameters") and value is not None:
            arrays[field.name] = value
    np.savez_compressed(FOLDER / f"{name}.npz", plain=json.dumps(plain), **arrays)
