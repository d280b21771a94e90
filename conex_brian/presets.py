"""Parameter sets of the literature, each with the current step that shows its firing pattern.

>>> from conex_brian import presets
>>> preset = presets.load("naud2008_initial_burst")
>>> group = preset.neuron.group(1, I=preset.I)

Values are as published. The threshold is no published parameter of an exponential model, only
where the upswing is cut off; a change of it moves spikes by less than the upswing lasts.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from brian2 import Mohm, Quantity, ms, mV, nS, pA

from conex_brian.dimensions import nearest, short
from conex_brian.models import AELIF, ELIF, LIF

__all__ = ["Preset", "load", "names"]


@dataclass(frozen=True, eq=False)
class Preset:
    """A published parameter set.

    Attributes
    ----------
    name : str
        What `load` takes.
    neuron : LIF, ELIF or AELIF
        The model, at rest at first.
    I : Quantity or float
        The current step, switched on at t = 0, that shows the pattern.
    duration : Quantity
        How long it takes to see it.
    pattern : str
        What the neuron then does.
    source : str
        The citation, and which version of a table it is.
    note : str
        What to know about single values: the threshold, corrections, the current.
    """

    name: str
    pattern: str
    neuron: LIF
    I: Any  # noqa: E741 - CoNeX's and Brian2's name of the input current
    duration: Quantity
    source: str
    note: str


def names() -> tuple[str, ...]:
    """Return the names of all presets, source by source.

    Examples
    --------
    >>> from conex_brian import presets
    >>> presets.names()[0]
    'brette2005_regular'
    """
    return tuple(_PRESETS)


def load(name: str) -> Preset:
    """Return the preset of this name.

    Parameters
    ----------
    name : str
        One of `names`.

    Returns
    -------
    Preset
        With ``neuron`` and ``I``; ``preset.neuron.group(1, I=preset.I)`` is ready to run for
        ``preset.duration``.

    Raises
    ------
    TypeError
        Where ``name`` is no text.
    ValueError
        Where no preset has this name; the message gives the nearest one.

    Examples
    --------
    >>> from conex_brian import presets
    >>> presets.load("gerstner2014_tonic").I
    65. * pamp
    """
    if not isinstance(name, str):
        raise TypeError(f"name = {short(name)}: it needs the name of a preset, a text.")
    if name not in _PRESETS:
        raise ValueError(
            f"There is no preset {short(name)}{nearest(name, _PRESETS)}. "
            "conex_brian.presets.names() lists them all."
        )
    return _PRESETS[name]


_BRETTE = (
    "Brette & Gerstner, J. Neurophysiol. 94 (2005) 3637; the values of Brian2's example "
    "Brette_Gerstner_2005"
)
_BRETTE_NOTE = "The threshold is that example's cutoff, theta_rh + 5 delta."

_NAUD = (
    "Naud et al., Biol. Cybern. 99 (2008) 335, table 1; the values of Brian2's example "
    "Naud_et_al_2008_adex_firing_patterns, adapted by P. Müller to match the paper's figures"
)
_NAUD_NOTE = "The threshold is that example's cutoff, 0 mV."
_NAUD_ROW_6 = (
    f"{_NAUD_NOTE} Other copies of the table have other values in this row; with C 200 pF, g_L "
    "12 nS, E_L -70 mV, a -6 nS, tau_w 300 ms, b 0 and V_r -58 mV it never fires."
)
_NAUD_ROW_7 = (
    f"{_NAUD_NOTE} Other copies of the table have other values in this row; with a -10 nS, b "
    "30 pA, V_r -50 mV and I 350 pA it fires on and on."
)

_GERSTNER = (
    "Gerstner et al., Neuronal Dynamics (2014), table 6.1; Cambridge University Press, "
    "https://neuronaldynamics.epfl.ch"
)
_GERSTNER_NOTE = "The threshold is the cutoff of the book's exercises (neurodynex3), -30 mV."
_GERSTNER_ADAPTING = (
    f"{_GERSTNER_NOTE} Some copies have tau 200 ms, with which intervals grow by 3 % only."
)
_GERSTNER_IRREGULAR = (
    f"{_GERSTNER_NOTE} At 65 pA, the current of the other rows, the exact solution is periodic "
    "(bursts of 5 spikes every 81 ms). It is irregular from 107 to 148 pA."
)
_GERSTNER_TRANSIENT = (
    f"{_GERSTNER_NOTE} At 65 pA, the current of the other rows, it fires on and on (every 83 ms), "
    "as it does from 56.2 pA on, the Andronov-Hopf point. The current is that of BrainPy's "
    "example Gerstner_2005_AdExIF_model."
)

_CONEX_README = "CoNeX, README.md, commit 823cfeb (2025)"
_CONEX_MNIST = "CoNeX, Example/mnist/mnist-classification.py, commit 3383cad (2023)"
_CONEX_CONFIGS = "CoNeX, Example/test/configs/{}.py, commit 712a425 (2023)"
_CONEX_NOTE = (
    "Dimensionless as there; times count ms. The current is ours: the source has synapses "
    "and no current step."
)
_CONEX_AELIF = (
    f"{_CONEX_NOTE} Use it with method='conex' and dt 1 ms: CoNeX's beta counts per time, so that "
    "a spike's jump is beta*dt."
)


def _aelif(*numbers: float) -> AELIF:
    """Return the neuron of a row of numbers, each in the unit of its column."""
    units = (Mohm, mV, ms, mV, mV, mV, mV, nS, pA, ms)
    names = AELIF.parameter_names()
    return AELIF(**{n: x * unit for n, x, unit in zip(names, numbers, units, strict=True)})


def _conex(model: type[LIF], **values: Any) -> LIF:
    """Return a neuron of CoNeX's numbers: only times have a unit."""
    return model(**{n: values[n] for n in model.parameter_names()})


#: The values that CoNeX's configurations of cortical layers share.
_LAYER: dict[str, Any] = {
    "R": 20, "threshold": -37, "tau": 25 * ms, "v_reset": -75, "v_rest": -65, "theta_rh": -42
}  # fmt: skip

#: The columns of the adaptive neurons are the parameters in CoNeX's order and in Mohm, mV, ms, mV,
#: mV, mV, mV, nS, pA and ms. Where the source has C and g_L, R is 1000/g_L and tau is C/g_L.
# fmt: off
_TABLE: tuple[tuple[str, str, LIF, Any, Any, str, str], ...] = (
    ("brette2005_regular", "adapting",
     _aelif(1000 / 30, -40.4, 281 / 30, -70.6, -70.6, 2, -50.4, 4, 80.5, 144),
     1000 * pA, 400 * ms, _BRETTE, _BRETTE_NOTE),
    ("brette2005_bursting", "bursting",
     _aelif(1000 / 30, -40.4, 281 / 30, -45.4, -70.6, 2, -50.4, 4, 500, 20),
     1000 * pA, 400 * ms, _BRETTE, _BRETTE_NOTE),
    ("naud2008_tonic", "tonic",
     _aelif(1000 / 10, 0, 200 / 10, -58, -70, 2, -50, 2, 0, 30),
     500 * pA, 600 * ms, _NAUD, _NAUD_NOTE),
    ("naud2008_adaptation", "adapting",
     _aelif(1000 / 12, 0, 200 / 12, -58, -70, 2, -50, 2, 60, 300),
     500 * pA, 600 * ms, _NAUD, _NAUD_NOTE),
    ("naud2008_initial_burst", "initial burst",
     _aelif(1000 / 18, 0, 130 / 18, -50, -58, 2, -50, 4, 120, 150),
     400 * pA, 600 * ms, _NAUD, _NAUD_NOTE),
    ("naud2008_regular_bursting", "bursting",
     _aelif(1000 / 10, 0, 200 / 10, -46, -58, 2, -50, 2, 100, 120),
     210 * pA, 600 * ms, _NAUD, _NAUD_NOTE),
    ("naud2008_delayed_accelerating", "delayed accelerating",
     _aelif(1000 / 12, 0, 200 / 12, -58, -70, 2, -50, -10, 0, 300),
     300 * pA, 600 * ms, _NAUD, _NAUD_NOTE),
    ("naud2008_delayed_regular_bursting", "delayed bursting",
     _aelif(1000 / 10, 0, 100 / 10, -47, -65, 2, -50, -10, 30, 90),
     110 * pA, 600 * ms, _NAUD, _NAUD_ROW_6),
    ("naud2008_transient", "transient",
     _aelif(1000 / 10, 0, 100 / 10, -47, -65, 2, -50, 10, 100, 90),
     180 * pA, 600 * ms, _NAUD, _NAUD_ROW_7),
    ("naud2008_irregular", "irregular",
     _aelif(1000 / 12, 0, 100 / 12, -48, -60, 2, -50, -11, 30, 130),
     160 * pA, 1000 * ms, _NAUD, _NAUD_NOTE),
    ("gerstner2014_tonic", "tonic",
     _aelif(500, -30, 20, -55, -70, 2, -50, 0, 60, 30),
     65 * pA, 400 * ms, _GERSTNER, _GERSTNER_NOTE),
    ("gerstner2014_adapting", "adapting",
     _aelif(500, -30, 20, -55, -70, 2, -50, 0, 5, 100),
     65 * pA, 400 * ms, _GERSTNER, _GERSTNER_ADAPTING),
    ("gerstner2014_initial_burst", "initial burst",
     _aelif(500, -30, 5, -51, -70, 2, -50, 0.5, 7, 100),
     65 * pA, 400 * ms, _GERSTNER, _GERSTNER_NOTE),
    ("gerstner2014_bursting", "bursting",
     _aelif(500, -30, 5, -46, -70, 2, -50, -0.5, 7, 100),
     65 * pA, 400 * ms, _GERSTNER, _GERSTNER_NOTE),
    ("gerstner2014_irregular", "irregular",
     _aelif(500, -30, 9.9, -46, -70, 2, -50, -0.5, 7, 100),
     120 * pA, 1000 * ms, _GERSTNER, _GERSTNER_IRREGULAR),
    ("gerstner2014_transient", "transient",
     _aelif(500, -30, 10, -60, -70, 2, -50, 1, 10, 100),
     55 * pA, 400 * ms, _GERSTNER, _GERSTNER_TRANSIENT),
    ("gerstner2014_delayed", "delayed",
     _aelif(500, -30, 5, -60, -70, 2, -50, -1, 10, 100),
     25 * pA, 1000 * ms, _GERSTNER, _GERSTNER_NOTE),
    ("conex_readme", "tonic",
     _conex(LIF, R=5, tau=10 * ms, threshold=-50, v_reset=-70, v_rest=-65),
     4, 200 * ms, _CONEX_README, _CONEX_NOTE),
    ("conex_mnist_l4", "tonic",
     _conex(LIF, R=1, tau=5 * ms, threshold=1, v_reset=0, v_rest=0),
     2, 100 * ms, _CONEX_MNIST, _CONEX_NOTE),
    ("conex_mnist_l23", "tonic",
     _conex(LIF, R=1, tau=10 * ms, threshold=1, v_reset=0, v_rest=0),
     2, 100 * ms, _CONEX_MNIST, _CONEX_NOTE),
    ("conex_lif", "tonic",
     _conex(LIF, **_LAYER),
     2, 400 * ms, _CONEX_CONFIGS.format("l4"), _CONEX_NOTE),
    ("conex_elif", "tonic",
     _conex(ELIF, **_LAYER, delta=0.8),
     1.5, 400 * ms, _CONEX_CONFIGS.format("l5"), _CONEX_NOTE),
    ("conex_aelif", "tonic",
     _conex(AELIF, **_LAYER, delta=0.9, alpha=0.3, beta=-0.4 / ms, w_tau=10 * ms),
     9, 400 * ms, _CONEX_CONFIGS.format("l2_3"), _CONEX_AELIF),
)
# fmt: on

_PRESETS = {row[0]: Preset(*row) for row in _TABLE}
