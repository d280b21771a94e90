"""The options of a template: spike timing, refractory period, noise, who starts refractory."""

from __future__ import annotations

from typing import Any

import numpy as np
from brian2 import prefs, second
from brian2.units.fundamentalunits import Dimension

from conex_brian.dimensions import as_quantity, check_dimension, first_where, short
from conex_brian.expressions import check_syntax

#: The time of a last spike that never was: Brian2's own mark.
NEVER = -1e4 * second
NEVER_TEXT = f"{float(NEVER)!r}*second"
_NEVER = f"({NEVER_TEXT})*int(not_refractory)"

#: Whether a refractory period is over before the step is. A thousandth of a step is no time, as in
#: Brian2's ``timestep``, which takes longer to compute.
OVER = "t_release - t < 0.999*dt"


def single_precision() -> bool:
    """Whether Brian2's variables are in single precision, times excepted."""
    return bool(np.dtype(prefs["core.default_float_dtype"]) == np.float32)


def check_spike_timing(spike_timing: str) -> None:
    """Raise ``ValueError`` unless it is one of the two, and exact times are in double precision."""
    if not isinstance(spike_timing, str) or spike_timing not in ("grid", "precise"):
        raise ValueError(f"spike_timing = {short(spike_timing)}: it needs 'grid' or 'precise'.")
    if spike_timing == "precise" and single_precision():
        raise ValueError(
            "spike_timing = 'precise' needs double precision, and Brian2's preference "
            "core.default_float_dtype is float32, which has seven digits for a time. Use 'grid', "
            "or set prefs.core.default_float_dtype = float64."
        )


def refractory_period(refractory: Any) -> tuple[bool | str, dict[str, Any]]:
    """Return NeuronGroup's ``refractory`` and the values that it needs."""
    if refractory is False:
        return False, {}
    needed = "False, a time, one time a neuron or an expression"
    if refractory is None or refractory is True:
        raise TypeError(f"refractory = {refractory}: it needs {needed}.")
    if isinstance(refractory, str):
        check_syntax("refractory", refractory)
        return refractory, {}
    period = as_quantity("refractory", refractory, needed)
    check_dimension("refractory", period, (second.dim,))
    bad = np.asarray(period) < 0
    if bad.any():
        raise ValueError(
            f"refractory = {short(period)} is negative{first_where(bad)}: it needs a time of at "
            "least 0 ms."
        )
    return "t_ref", {"t_ref": period}


def noise_level(noise: Any, voltage: Dimension) -> dict[str, Any]:
    """Return the value of the variable ``noise``, or nothing where there is none."""
    if noise is None:
        return {}
    value = as_quantity("noise", noise, "the standard deviation of v")
    check_dimension(
        "noise", value, (voltage,), ": the standard deviation of the free membrane's v."
    )
    bad = np.asarray(value) < 0
    if bad.any():
        raise ValueError(
            f"noise = {short(value)} is negative{first_where(bad)}: it needs 0 or more."
        )
    return {"noise": value}


def first_release(period: str) -> str:
    """Return when neurons that start refractory are released, as if they had spiked just now."""
    return f"int(not not_refractory)*({period}) + {_NEVER}"


def starts_refractory(init_s: Any) -> dict[str, Any]:
    """Return the values that make neurons start as if they had spiked one step ago."""
    last = f"-dt + {_NEVER}"
    if isinstance(init_s, str):
        return {"not_refractory": f"not ({init_s})", "lastspike": last}
    return {"not_refractory": np.logical_not(init_s), "lastspike": last}
