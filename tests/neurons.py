"""Models that tests are written with: no two values alike, none a default."""

from __future__ import annotations

from typing import Any, TypeVar

import numpy as np
from brian2 import Mohm, Quantity, cm, ms, mV, nA, nS, ohm, pA, uA, uS, usiemens

from conex_brian import AELIF, ELIF, LIF

Model = TypeVar("Model", bound=LIF)

MODELS: tuple[type[LIF], ...] = (LIF, ELIF, AELIF)

SI: dict[str, Any] = {
    "R": 480 * Mohm,
    "threshold": -31 * mV,
    "tau": 19 * ms,
    "v_reset": -57 * mV,
    "v_rest": -69 * mV,
    "delta": 2.1 * mV,
    "theta_rh": -51 * mV,
    "alpha": 0.6 * nS,
    "beta": 55 * pA,
    "w_tau": 33 * ms,
}

#: What arrays of bare numbers in tests count.
UNITS: dict[str, Any] = {
    "R": Mohm, "threshold": mV, "tau": ms, "v_reset": mV, "v_rest": mV, "delta": mV,
    "theta_rh": mV, "alpha": nS, "beta": pA, "w_tau": ms,
}  # fmt: skip

NUMBERS: dict[str, Any] = {
    name: value if name in ("tau", "w_tau") else float(value / unit)
    for (name, value), unit in zip(
        SI.items(), (Mohm, mV, ms, mV, mV, mV, mV, 1000 * nS, 1000 * pA, ms), strict=True
    )
}

DENSITY: dict[str, Any] = {
    **SI,
    "R": 1.7e4 * ohm * cm**2,
    "alpha": 3.3 * usiemens / cm**2,
    "beta": 0.23 * uA / cm**2,
}


def arguments(model: type[LIF], values: dict[str, Any] = SI, **changes: Any) -> dict[str, Any]:
    """Return constructor arguments for ``model``, in CoNeX's order."""
    return {**{name: values[name] for name in model.parameter_names()}, **changes}


def make(model: type[Model], values: dict[str, Any] = SI, **changes: Any) -> Model:
    """Return a ``model`` with ``values``, some of them changed."""
    return model(**arguments(model, values, **changes))


def spread(value: Any, count: int = 3) -> Quantity:
    """Return ``count`` unequal values within 2 % of ``value``, rising for positive ones."""
    return value * [1 + 0.01 * k for k in range(count)]


def random_adaptive(n: int, seed: int) -> list[dict[str, float]]:
    """Return AELIF neurons in mV and ms (currents times R): both bifurcations, some bursting."""
    r, out = np.random.default_rng(seed), []
    for i in range(n):
        hopf, bursting = i % 2 == 0, i % 3 == 0
        tau, w_tau, delta = r.uniform(5, 25), r.uniform(30, 200), r.uniform(0.8, 3)
        ratio = tau / w_tau
        Ra = ratio * (r.uniform(1.2, 4) if hopf else r.uniform(-0.5, 0.8))
        theta_rh = r.uniform(-52, -48)
        v_rest = theta_rh - r.uniform(10, 20)
        above = min(5, 2.5 * delta) * r.uniform(0.3, 1)
        v_reset = theta_rh + (above if bursting else -r.uniform(3, 15))
        # Naud et al. 2008: where the resting state is lost.
        g = 1 + Ra
        rheobase = g * (theta_rh - v_rest - delta + delta * np.log(1 + ratio if hopf else g))
        rheobase += delta * (Ra - ratio) if hopf else 0
        out.append({
            "tau": tau, "v_rest": v_rest, "theta_rh": theta_rh, "delta": delta, "Ra": Ra,
            "threshold": max(theta_rh + delta * r.uniform(2, 25), v_reset + 2 * delta),
            "v_reset": v_reset, "RI": rheobase * r.uniform(1.1, 2) + 2, "w_tau": w_tau,
            "Rb": r.uniform(1, 10) * (2 if bursting else 1),
        })  # fmt: skip
    return out


def adaptive_model(sets: list[dict[str, float]]) -> tuple[AELIF, Any]:
    """Return the model and the current; R is 80 Mohm."""
    p = {name: np.array([one[name] for one in sets]) for name in sets[0]}
    model = AELIF(
        R=80 * Mohm, threshold=p["threshold"] * mV, tau=p["tau"] * ms, v_reset=p["v_reset"] * mV,
        v_rest=p["v_rest"] * mV, delta=p["delta"] * mV, theta_rh=p["theta_rh"] * mV,
        alpha=p["Ra"] / 80 * uS, beta=p["Rb"] / 80 * nA, w_tau=p["w_tau"] * ms,
    )  # fmt: skip
    return model, p["RI"] / 80 * nA
