"""A network whose spike times do not depend on chance: tests and a benchmark run it.

60 leaky and 40 adaptive exponential neurons, each driven over its threshold, so that what they tell
each other moves their spikes but decides none. The first 20 get no synapses: they feed the others.
"""

from __future__ import annotations

import numpy as np
from brian2 import (
    Equations,
    Mohm,
    Network,
    NeuronGroup,
    SpikeMonitor,
    Synapses,
    defaultclock,
    ms,
    mV,
    nS,
    pA,
    second,
)

from conex_brian import AELIF, LIF, spike_monitor

#: The time constant of the synapses in ms, and the delay: a multiple of every step that is tried.
TAU_SYN, DELAY = 5.0, 1.5

#: Longer than the delay and a step of 0.5 ms, so that ``t_spike_pre`` is of the spike delivered.
T_REF = 2.0

PLAIN = "I_syn_post += weight"
CURRENT_ONLY = """\
late = t + dt - t_spike_pre - delay
I_syn_post += weight*exp(-late/tau_syn)"""
CORRECTED = f"""{CURRENT_ONLY}
v_post += R_post*weight*late/tau_post"""

#: What to compare: where a spike is within its step, and what it does when it arrives.
VARIANTS: dict[str, tuple[str, str]] = {
    "grid": ("grid", PLAIN),
    "precise": ("precise", PLAIN),
    "precise, current corrected": ("precise", CURRENT_ONLY),
    "precise, current and v corrected": ("precise", CORRECTED),
}
BEST = "precise, current and v corrected"

INPUT = Equations("""
I = I_ext + I_syn : amp
I_ext : amp
dI_syn/dt = -I_syn/tau_syn : amp
""")


def groups(r: np.random.Generator, spike_timing: str) -> list[NeuronGroup]:
    """Return the leaky and the adaptive neurons."""
    leaky = LIF(
        R=100 * Mohm, threshold=-50 * mV, tau=r.uniform(10, 25, 60) * ms, v_reset=-62 * mV,
        v_rest=-65 * mV, init_v=r.uniform(-65, -50, 60) * mV,
    )  # fmt: skip
    adaptive = AELIF(
        R=100 * Mohm, threshold=-30 * mV, tau=r.uniform(10, 25, 40) * ms, v_reset=-60 * mV,
        v_rest=-68 * mV, delta=2 * mV, theta_rh=-50 * mV, alpha=1 * nS, beta=20 * pA,
        w_tau=100 * ms, init_v=r.uniform(-68, -52, 40) * mV,
    )  # fmt: skip
    made = [
        neuron.group(
            I=INPUT,
            spike_timing=spike_timing,
            refractory=T_REF * ms,
            namespace={"tau_syn": TAU_SYN * ms},
        )
        for neuron in (leaky, adaptive)
    ]
    made[0].I_ext = r.uniform(170, 260, 60) * pA
    made[1].I_ext = r.uniform(190, 300, 40) * pA
    return made


def spike_times(variant: str, dt: float, duration: float, seed: int = 1) -> list[np.ndarray]:
    """Run the network; return each neuron's spike times in ms.

    Parameters
    ----------
    variant : str
        One of `VARIANTS`.
    dt, duration : float
        The time step, and for how long, in ms.
    seed : int, optional
        Of the parameters and the connections.
    """
    defaultclock.dt = dt * ms
    timing, on_pre = VARIANTS[variant]
    r = np.random.default_rng(seed)
    both = groups(r, timing)
    leaky = both[0]
    objects = []
    for pre in both:
        for post in both:
            connected = r.random((len(pre), len(post))) < 0.2
            if post is leaky:
                connected[:, :20] = False
            i, j = np.nonzero(connected)
            synapses = Synapses(
                pre,
                post,
                "weight : amp",
                on_pre=on_pre,
                delay=DELAY * ms,
                namespace={"tau_syn": TAU_SYN * ms},
            )
            synapses.connect(i=i, j=j)
            # The last 20 of the leaky neurons inhibit.
            size = np.where(i < 40, 8, -24) if pre is leaky else 8
            synapses.weight = size * r.uniform(0.5, 1.5, len(i)) * pA
            objects.append(synapses)
    precise = timing == "precise"
    monitors = [spike_monitor(group) if precise else SpikeMonitor(group) for group in both]
    Network(both, objects, monitors).run(duration * ms)
    found = []
    for group, monitor in zip(both, monitors, strict=True):
        times = np.asarray((monitor.t_spike if precise else monitor.t) / (1e-3 * second))
        found += [times[np.asarray(monitor.i) == k] for k in range(len(group))]
    return found


def largest_errors(got: list[np.ndarray], wanted: list[np.ndarray]) -> np.ndarray:
    """Return each neuron's largest spike-time error, spike by spike from the first one on.

    Those at the end that one of both has and the other has not are left out.
    """
    pairs = [(a, b, min(len(a), len(b))) for a, b in zip(got, wanted, strict=True)]
    return np.array([np.abs(a[:n] - b[:n]).max() if n else np.nan for a, b, n in pairs])
