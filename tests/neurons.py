"""Models that tests are written with: no two values alike, none a default."""

from __future__ import annotations

from typing import Any, TypeVar

from brian2 import Mohm, Quantity, cm, ms, mV, nS, ohm, pA, uA, usiemens

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
