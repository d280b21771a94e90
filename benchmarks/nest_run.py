"""NEST on a benchmark's neurons; `work_precision.py` and `speed.py` run it with NEST's Python.

Reads what to simulate from a JSON file, and prints the seconds that the simulation took, the number
of spikes and, where asked for, their times, as JSON. Needs ``nest-simulator``, nothing of this
library.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

import nest
import numpy as np


def leaky(one: dict[str, float], R: float) -> dict[str, float]:
    """Return parameters of ``iaf_psc_delta`` in pF, mV, ms and pA, from mV and ms; R in Mohm."""
    return {
        "C_m": one["tau"] * 1000 / R,
        "tau_m": one["tau"],
        "E_L": one["v_rest"],
        "V_th": one["threshold"],
        "V_reset": one["v_reset"],
        "I_e": one["RI"] * 1000 / R,
        "t_ref": 0.0,
        "V_m": one.get("v0", one["v_rest"]),
    }


def adaptive(one: dict[str, float], R: float) -> dict[str, float]:
    """Return parameters of ``aeif_psc_exp`` in pF, nS, mV, ms and pA; as `leaky`."""
    g_L = 1000 / R
    return {
        "C_m": one["tau"] * g_L,
        "g_L": g_L,
        "E_L": one["v_rest"],
        "V_th": one["theta_rh"],
        "Delta_T": one["delta"],
        "a": one["Ra"] * g_L,
        "b": one["Rb"] * g_L,
        "tau_w": one["w_tau"],
        "V_peak": one["threshold"],
        "V_reset": one["v_reset"],
        "I_e": one["RI"] * g_L,
        "t_ref": 0.0,
        "V_m": one.get("v0", one["v_rest"]),
        "w": 0.0,
    }


PARAMETERS = {"iaf_psc_delta": leaky, "aeif_psc_exp": adaptive}


def main(task: dict[str, Any]) -> dict[str, Any]:
    """Simulate ``task``: neurons of a few sets, again and again; recorded are the first of each."""
    nest.verbosity = nest.VerbosityLevel.ERROR
    nest.ResetKernel()
    nest.resolution = task["dt"]
    nest.local_num_threads = 1
    sets = task["sets"]
    found = [PARAMETERS[task["model"]](one, task["R"]) for one in sets]
    each = {name: [one[name] for one in found] for name in found[0]}
    neurons = nest.Create(
        task["model"],
        task["neurons"],
        {name: np.resize(values, task["neurons"]).tolist() for name, values in each.items()},
    )
    if task["tolerance"] is not None:
        neurons.gsl_error_tol = task["tolerance"]
    recorder = nest.Create("spike_recorder")
    if task["record"]:
        nest.Connect(neurons[: len(sets)], recorder)
    nest.Prepare()
    nest.Run(task["warm_up"])
    started = time.perf_counter()
    nest.Run(task["duration"] - task["warm_up"])
    seconds = time.perf_counter() - started
    spikes = nest.local_spike_counter
    nest.Cleanup()
    times: list[list[float]] = [[] for _ in sets]
    for sender, at in zip(recorder.events["senders"], recorder.events["times"], strict=True):
        times[int(sender) - 1].append(float(at))
    return {"seconds": seconds, "spikes": spikes, "times": times, "version": nest.__version__}


if __name__ == "__main__":
    print("\n" + json.dumps(main(json.loads(Path(sys.argv[1]).read_text()))))
