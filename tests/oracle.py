"""CoNeX's time step in plain numpy: an oracle that shares no code with the library.

Source: ``conex/behaviors/neurons/neuron_types/lif_neurons.py`` (the step),
``conex/behaviors/neurons/specs.py`` (``Fire``) and ``conex/nn/priority.py`` (the order: neuron
dynamics 260, ``Fire`` 340) of the PyPI package ``cnrl-conex`` 0.1.5. ``test_oracle.py`` holds it
against data recorded from that package.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

Model = Literal["LIF", "ELIF", "AELIF"]
Floats = NDArray[np.floating]

#: The parameters of each model, in CoNeX's order.
PARAMETERS: dict[Model, tuple[str, ...]] = {}
PARAMETERS["LIF"] = ("R", "threshold", "tau", "v_reset", "v_rest")
PARAMETERS["ELIF"] = (*PARAMETERS["LIF"], "delta", "theta_rh")
PARAMETERS["AELIF"] = (*PARAMETERS["ELIF"], "alpha", "beta", "w_tau")


@dataclass(frozen=True)
class Steps:
    """The state after every step; each array has shape (steps, neurons).

    Attributes
    ----------
    v : ndarray
        Membrane potential, after the reset.
    omega : ndarray or None
        Adaptation current, after its update; None where the model has none.
    spikes : ndarray of bool
        Who fired in the step.
    """

    v: Floats
    omega: Floats | None
    spikes: NDArray[np.bool_]


def conex_steps(
    model: Model,
    parameters: Mapping[str, ArrayLike],
    current: ArrayLike,
    dt: float,
    *,
    init_v: ArrayLike | None = None,
    omega: ArrayLike | None = None,
) -> Steps:
    """Advance a population as CoNeX does, in float64.

    One step is: ``v += dt/tau*(F + RI)`` with the old omega; ``spikes = v >= threshold``;
    ``v = v_reset`` where spiking; then omega's Euler step with the reset v. There, ``spikes`` is
    0 or 1, so a spike adds ``beta*dt``. The exponential is unbounded, as in CoNeX.

    Parameters
    ----------
    model : {'LIF', 'ELIF', 'AELIF'}
        CoNeX's class.
    parameters : mapping of str to array_like
        CoNeX's parameters by name; scalars or one value a neuron. Bare numbers: times in the
        unit of ``dt``, the others in any units that agree with each other.
    current : array_like, shape (steps, neurons)
        Input current in each step.
    dt : float
        Length of a step (CoNeX's ``TimeResolution``).
    init_v : array_like, optional
        Membrane potential before the first step. Default: 0, as in CoNeX.
    omega : array_like, optional
        Adaptation current before the first step. Default: 0, as in CoNeX.

    Returns
    -------
    Steps
        The state after every step.
    """
    inputs = np.asarray(current, dtype=float)
    p = {name: np.asarray(parameters[name], dtype=float) for name in PARAMETERS[model]}
    v = np.broadcast_to(0.0 if init_v is None else init_v, inputs.shape[1:]).astype(float)
    w = np.broadcast_to(0.0 if omega is None else omega, inputs.shape[1:]).astype(float)
    states: list[tuple[Floats, Floats, NDArray[np.bool_]]] = []
    for current_now in inputs:
        drive = p["v_rest"] - v + p["R"] * current_now
        if model != "LIF":
            drive = drive + p["delta"] * np.exp((v - p["theta_rh"]) / p["delta"])
        if model == "AELIF":
            drive = drive - p["R"] * w
        v = v + drive * dt / p["tau"]
        spikes = v >= p["threshold"]
        v = np.where(spikes, p["v_reset"], v)
        if model == "AELIF":
            pull = p["alpha"] * (v - p["v_rest"]) - w + p["beta"] * p["w_tau"] * spikes
            w = w + pull * dt / p["w_tau"]
        states.append((v, w, spikes))
    v_all, w_all, spikes_all = (np.stack(column) for column in zip(*states, strict=True))
    return Steps(v_all, w_all if model == "AELIF" else None, spikes_all)
