"""NEST's ``aeif_psc_exp`` on a benchmark's neurons; `work_precision.py` runs it with NEST's Python.

Reads what to simulate from a JSON file, and prints the seconds that the simulation took and the
spike times, as JSON. Needs ``nest-simulator``, nothing of this library.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

import nest


def parameters(one: dict[str, float], R: float) -> dict[str, float]:
    """Return NEST's parameters in pF, nS, mV, ms and pA, from mV and ms; ``R`` is in Mohm."""
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
        "V_m": one["v_rest"],
        "w": 0.0,
    }


def main(task: dict[str, Any]) -> dict[str, Any]:
    """Simulate ``task`` and return the seconds and the spike times of the first neurons."""
    nest.verbosity = nest.VerbosityLevel.ERROR
    nest.ResetKernel()
    nest.resolution = task["dt"]
    nest.local_num_threads = 1
    sets = task["sets"]
    neurons = nest.Create("aeif_psc_exp", task["neurons"])
    for k, one in enumerate(sets):
        neurons[k :: len(sets)].set(**parameters(one, task["R"]))
    if task["tolerance"] is not None:
        neurons.gsl_error_tol = task["tolerance"]
    recorder = nest.Create("spike_recorder")
    nest.Connect(neurons[: len(sets)], recorder)
    nest.Prepare()
    started = time.perf_counter()
    nest.Run(task["duration"])
    seconds = time.perf_counter() - started
    nest.Cleanup()
    times: list[list[float]] = [[] for _ in sets]
    for sender, at in zip(recorder.events["senders"], recorder.events["times"], strict=True):
        times[int(sender) - 1].append(float(at))
    return {"seconds": seconds, "times": times, "version": nest.__version__}


if __name__ == "__main__":
    print("\n" + json.dumps(main(json.loads(Path(sys.argv[1]).read_text()))))
