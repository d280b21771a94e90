"""AELIF neurons hear a recorded sound
===================================

A real recording: what a grasshopper's auditory receptor heard, and how it answered.

Ten seconds of a sound's amplitude modulation, and the spikes that a receptor neuron fired in
response, ship with the package nitime (``pip install nitime``; data of A. Rokem et al., J.
Neurophysiol. 95 (2006) 2541). A thousand candidate neurons, each with its own gain, rheobase
threshold, time constants and adaptation (drawn at random, seeded), hear the sound in one group
and one run. The candidate that fits the first five seconds best is judged on the last five, which
had no part in the choice.

The measure is the coincidence factor of Kistler, Gerstner & van Hemmen, Neural Comput. 9 (1997)
1015::

    Gamma = (N_coinc - <N_coinc>) / ((N_data + N_model)/2) / (1 - 2*nu*D)
    <N_coinc> = 2*nu*D*N_data

``N_coinc`` recorded spikes have a simulated one within D, and ``<N_coinc>`` would by chance if
the simulated rate ``nu`` were a Poisson process of rare spikes; 1 is perfect. At this receptor's
90 Hz, windows of +-4 ms cover most of the time and the formula's chance level is too high, so
+-2 ms (the paper's) decides; both are shown, with what the same spikes reach when they are shifted
in time against the recording (the true chance level).

Takes some ten seconds, half of them to compile, and needs a C++ compiler. Prints rates and
Gamma, and writes ``grasshopper.png``::

    python examples/grasshopper.py [--output FOLDER]
"""

import argparse
import sys
from importlib.resources import files
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from brian2 import Equations, Mohm, SpikeMonitor, TimedArray, ms, mV, nS, pA, run, second

from conex_brian import AELIF
from conex_brian.devices import use_cpp

CANDIDATES = 1000
SAMPLE = 50e-6  # s: of the recorded sound, and the time step
HALF = 5.0  # s: the candidates are chosen before, and judged after
PRECISIONS = (0.002, 0.004)  # s; the first one chooses
DELAYS = np.arange(0, 10e-3, 0.5e-3)  # s: from sound to spike, beside the membrane's own
SHIFTS = np.arange(0.5, HALF - 0.5, 0.05)  # s: far beyond any correlation


def load() -> tuple[np.ndarray, np.ndarray]:
    """Return the sound level in dB above its softest value, and the recorded spikes in s."""
    folder = files("nitime") / "data"
    amplitude = np.loadtxt(str(folder / "grasshopper_stimulus1.txt"))[:, 1]
    spikes = np.loadtxt(str(folder / "grasshopper_spike_times1.txt")) * 1e-6
    return 20 * np.log10(amplitude / amplitude.min()), spikes


def gamma(data: np.ndarray, model: np.ndarray, precision: float) -> float:
    """Return the coincidence factor of two sorted spike trains of length HALF, times in s."""
    edges = np.concatenate([[-np.inf], model, [np.inf]])
    after = np.searchsorted(model, data)
    nearest = np.minimum(data - edges[after], edges[after + 1] - data)
    covered = 2 * precision * len(model) / HALF
    by_chance = covered * len(data)
    coincident = np.sum(nearest <= precision)
    return float((coincident - by_chance) / ((len(data) + len(model)) / 2) / (1 - covered))


def halves(train: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the spikes of the first and of the last five seconds."""
    return train[train < HALF], train[train >= HALF]


def candidates() -> tuple[AELIF, np.ndarray]:
    """Return the candidate neurons as one model with a value each, and their gains in pA/dB."""
    rng = np.random.default_rng(1)

    def drawn(low: float, high: float) -> np.ndarray:
        return np.exp(rng.uniform(np.log(low), np.log(high), CANDIDATES))

    gains = drawn(10, 100)
    faintest = rng.uniform(10, 25, CANDIDATES)  # dB: the steady sound at the rheobase
    R, v_rest, delta = 20 * Mohm, -70 * mV, 1 * mV
    theta_rh = v_rest + delta + R * gains * pA * faintest
    neurons = AELIF(
        R=R,
        threshold=theta_rh + 10 * delta,
        tau=drawn(0.5, 5) * ms,
        v_reset=v_rest,
        v_rest=v_rest,
        delta=delta,
        theta_rh=theta_rh,
        alpha=0 * nS,
        beta=drawn(5, 200) * pA,
        w_tau=drawn(5, 200) * ms,
    )
    return neurons, gains


def simulate(level: np.ndarray) -> list[np.ndarray]:
    """Return the spike times in s of all candidates."""
    use_cpp()
    neurons, gains = candidates()
    # Equations rather than the TimedArray alone, since each neuron has its own gain.
    current = Equations("""
        I = gain*sound(t) : amp (constant over dt)
        gain : amp (constant)
    """)
    sound = TimedArray(level, dt=SAMPLE * second)
    group = neurons.group(I=current, dt=SAMPLE * second, namespace={"sound": sound})
    group.gain = gains * pA
    monitor = SpikeMonitor(group)
    run(2 * HALF * second)
    return [np.asarray(train) for train in monitor.spike_trains().values()]


def choose(recorded: np.ndarray, trains: list[np.ndarray]) -> list[np.ndarray]:
    """Return the candidates' spikes, delayed, the best on the first half first.

    Gamma means nothing where windows fill the time, so a candidate must fire within a tenth of
    the recorded rate in the first half.
    """
    data = halves(recorded)[0]
    close = [t for t in trains if abs(len(halves(t)[0]) / len(data) - 1) < 0.1]
    scored = []
    for train in close:
        delayed = [train + delay for delay in DELAYS]
        scores = [gamma(data, halves(t)[0], PRECISIONS[0]) for t in delayed]
        scored.append((max(scores), delayed[int(np.argmax(scores))]))
    return [train for _, train in sorted(scored, key=lambda pair: -pair[0])]


def report(recorded: np.ndarray, train: np.ndarray) -> None:
    """Print rates and coincidence factors of the chosen candidate on both halves."""
    names = ("first 5 s (chosen on)", "last 5 s (held out)")
    parts = zip(names, (0, HALF), halves(recorded), halves(train), strict=True)
    for name, start, data, model in parts:
        print(f"{name}: recorded {len(data) / HALF:.1f} Hz, simulated {len(model) / HALF:.1f} Hz")
        shifted = [np.sort((model + shift) % HALF + start) for shift in SHIFTS]
        for precision in PRECISIONS:
            chance = [gamma(data, other, precision) for other in shifted]
            print(
                f"  Gamma at +-{precision * 1e3:.0f} ms {gamma(data, model, precision):.2f}, "
                f"shifted {np.mean(chance):.2f} (sd {np.std(chance):.2f}, max {max(chance):.2f})"
            )


def draw(level: np.ndarray, recorded: np.ndarray, ranked: list[np.ndarray], path: Path) -> None:
    """Draw a second of the held-out half, and the rates of all ten seconds."""
    blue, orange = "#0072B2", "#D55E00"
    figure, (sound, raster, rate) = plt.subplots(
        3, figsize=(8, 6.5), height_ratios=[1, 1.7, 1], layout="constrained"
    )
    start, stop = 6.0, 7.0
    time = np.arange(len(level)) * SAMPLE
    shown = (time >= start) & (time < stop)
    sound.plot(time[shown], level[shown], color="black", lw=0.8)
    sound.set(xlim=(start, stop), ylabel="sound level (dB)")
    sound.set_title("one second of the held-out half", loc="left", fontsize=11)
    sound.tick_params(labelbottom=False)
    trains = [recorded, *ranked[:11]]
    raster.eventplot(
        [train[(train >= start) & (train < stop)] for train in trains],
        colors=["black", orange, *[blue] * 10],
        lineoffsets=[0, -2.2, *range(-4, -14, -1)],
        linelengths=[2, 2, *[0.8] * 10],
        linewidths=1.1,
    )
    raster.set_yticks([0, -2.2, -8.5], ["recorded", "best AELIF", "next ten"])
    raster.set(xlim=(start, stop), ylim=(-13.8, 1.4), xlabel="time (s)")
    bins = np.arange(0, 10.25, 0.25)
    for train, color, name in ((recorded, "black", "recorded"), (ranked[0], orange, "best AELIF")):
        rate.stairs(
            np.histogram(train, bins)[0] / 0.25, bins, baseline=None, color=color, label=name
        )
    rate.axvspan(0, HALF, color="0.92", zorder=0)
    rate.text(0.1, 5, "chosen on", color="0.35")
    rate.text(HALF + 0.1, 5, "held out", color="0.35")
    rate.set(xlim=(0, 10), ylim=(0, None), xlabel="time (s)", ylabel="rate (Hz)")
    rate.legend(frameon=False, ncols=2, loc="lower right")
    for axis in (sound, raster, rate):
        axis.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, dpi=150)


def main(output: Path) -> None:
    """Simulate the candidates, choose one, and set it against the recording."""
    level, recorded = load()
    ranked = choose(recorded, simulate(level))
    print(f"{CANDIDATES} candidates, {len(ranked)} of them within a tenth of the recorded rate")
    report(recorded, ranked[0])
    output.mkdir(parents=True, exist_ok=True)
    draw(level, recorded, ranked, output / "grasshopper.png")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--output", type=Path, default=Path(sys.argv[0]).parent / "output")
    main(parser.parse_args().output)
