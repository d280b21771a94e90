"""Cross-check with NEST
=====================

The same LIF and AELIF neurons in NEST 3.10 (``iaf_psc_delta``, ``aeif_psc_exp``) and here: when do
they spike? Both simulators find spikes at the end of a time step. Precise spikes
(``spike_timing='precise'``) tell how late that is.

LIF spikes in the same steps in both. In AELIF, NEST takes smaller steps inside a step and resets
within it, so that lateness does not add up. With a smaller step NEST comes to the precise times.

With NEST installed (``pip install nest-simulator``, Python 3.12) it is run. Without it, its spike
times are read from ``nest_spikes.json``, which this script has written with ``--record``. Takes
some ten seconds. Prints the differences and writes ``nest_cross_check.png``::

    python examples/nest_cross_check.py [--output FOLDER] [--record]
"""

import argparse
import json
import sys
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from brian2 import Mohm, Network, SpikeMonitor, ms, mV, nS, pA, pF, prefs

from conex_brian import AELIF, LIF, presets, spike_monitor

RECORDED = "nest_spikes.json"
DURATION = 400.0  # ms
STEPS = (0.1, 0.01)  # ms
adapting = presets.load("brette2005_regular")
lif = LIF(R=40 * Mohm, threshold=-50 * mV, tau=12 * ms, v_reset=-62 * mV, v_rest=-70 * mV)
NEURONS: dict[str, tuple[LIF, Any]] = {
    "LIF": (lif, 640 * pA),
    "AELIF": (adapting.neuron, adapting.I),
}


def nest_parameters(neuron: LIF, current: Any) -> dict[str, float]:
    """Return NEST's names and numbers, in pF, nS, mV, ms and pA."""
    conductance = 1 / neuron.R
    found = {
        "C_m": neuron.tau * conductance / pF, "E_L": neuron.v_rest / mV,
        "V_reset": neuron.v_reset / mV, "V_m": neuron.v_rest / mV, "I_e": current / pA, "t_ref": 0,
    }  # fmt: skip
    if not isinstance(neuron, AELIF):
        return {**found, "tau_m": neuron.tau / ms, "V_th": neuron.threshold / mV}
    return {
        **found, "g_L": conductance / nS, "V_th": neuron.theta_rh / mV,
        "Delta_T": neuron.delta / mV, "a": neuron.alpha / nS, "b": neuron.beta / pA,
        "tau_w": neuron.w_tau / ms, "V_peak": neuron.threshold / mV, "w": 0,
    }  # fmt: skip


def run_nest(nest: Any) -> dict[str, dict[str, list[float]]]:
    """Return NEST's spike times in ms: neuron -> time step -> times."""
    found: dict[str, dict[str, list[float]]] = {}
    for name, (neuron, current) in NEURONS.items():
        for step in STEPS:
            nest.ResetKernel()
            nest.resolution = step
            model = "aeif_psc_exp" if isinstance(neuron, AELIF) else "iaf_psc_delta"
            parameters = {k: float(x) for k, x in nest_parameters(neuron, current).items()}
            cell, recorder = nest.Create(model, params=parameters), nest.Create("spike_recorder")
            nest.Connect(cell, recorder)
            nest.Simulate(DURATION)
            found.setdefault(name, {})[str(step)] = [float(t) for t in recorder.events["times"]]
    return found


def run_here(neuron: LIF, current: Any, timing: str, step: float) -> np.ndarray:
    """Return our spike times in ms; on the grid the ends of steps, as NEST gives them."""
    group = neuron.group(1, I=current, spike_timing=timing, dt=step * ms)
    spikes = SpikeMonitor(group) if timing == "grid" else spike_monitor(group)
    Network(group, spikes).run(DURATION * ms)
    return np.asarray(spikes.t / ms + step if timing == "grid" else spikes.t_spike / ms)


def main(output: Path, record: bool = False) -> None:
    """Compare spike times, print and draw the differences."""
    prefs.codegen.target = "numpy"  # compiling would take longer than single neurons
    file = Path(sys.argv[0]).with_name(RECORDED)
    try:
        import nest
    except ImportError:
        if record:
            sys.exit("--record needs NEST: pip install nest-simulator (Python 3.12).")
        print(f"NEST is not installed: its spike times are read from {RECORDED}.")
        theirs = json.loads(file.read_text())
    else:
        nest.verbosity = nest.VerbosityLevel.ERROR
        theirs = run_nest(nest)
        if record:
            file.write_text(json.dumps(theirs, indent=1))

    figure, axes = plt.subplots(2, sharex=True, figsize=(7, 5.4), layout="constrained")
    for ax, (name, (neuron, current)) in zip(axes, NEURONS.items(), strict=True):
        precise = run_here(neuron, current, "precise", 0.1)
        trains = {f"NEST, dt {step} ms": np.array(t) for step, t in theirs[name].items()}
        trains["here on the grid, dt 0.1 ms"] = run_here(neuron, current, "grid", 0.1)
        styles = (("#D55E00", "o", 7), ("#009E73", "^", 5), ("#0072B2", ".", 5))
        for (label, train), (color, marker, size) in zip(trains.items(), styles, strict=True):
            both = min(len(train), len(precise))
            late = train[:both] - precise[:both]
            ax.plot(precise[:both], late, marker=marker, color=color, ms=size, lw=1, label=label)
            print(
                f"{name}: {label}: {len(train)} spikes, precise {len(precise)}; "
                f"late by {late[0]:.3f} ms at first, {late[-1]:.3f} ms at last"
            )
        ax.set(ylabel="later than precise (ms)")
        ax.set_title(name, loc="left", fontsize=11)
        ax.axhline(0, color="black", lw=0.8)
        ax.spines[["top", "right"]].set_visible(False)
    axes[0].legend(frameon=False)
    axes[1].set(xlabel="time (ms)", xlim=(0, DURATION))
    output.mkdir(parents=True, exist_ok=True)
    figure.savefig(output / "nest_cross_check.png", dpi=120)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--output", type=Path, default=Path(sys.argv[0]).parent / "output")
    parser.add_argument("--record", action="store_true", help=f"write NEST's times to {RECORDED}")
    arguments = parser.parse_args()
    main(arguments.output, arguments.record)
