"""CoNeX itself on a benchmark's neurons; `speed.py` runs it, each measurement a process of its own.

    python conex_run.py MODEL NEURONS THREADS STEPS

In single precision, as its users run it. Prints the seconds of the timed steps, and the spikes of
all. (Not ``conex.py``: a script of that name would be what ``import conex`` finds.)
"""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Any

from speed import DT, SETS, VALUES, currents, tiled
from timing import WARM_UP

sys.path.append(str(Path(__file__).parents[1] / "tests"))
from live_conex import load_conex


def network(model: str, neurons: int) -> Any:
    """Return the population, in an initialised network."""
    import torch
    from pymonntorch import Behavior, Network, NeuronGroup

    from conex_brian import AELIF, ELIF, LIF

    conex = load_conex()
    names = {one.__name__: one for one in (LIF, ELIF, AELIF)}[model].parameter_names()
    # CoNeX's beta is multiplied by dt.
    values = {**VALUES, "beta": VALUES["beta"] / DT}
    init_v, current = (
        torch.tensor(tiled(a, neurons), dtype=torch.float32) for a in (SETS, currents(model))
    )

    class Input(Behavior):
        def initialize(self, neurons: Any) -> None:
            neurons.I = current

    net = Network(behavior=conex.prioritize_behaviors([conex.TimeResolution(dt=DT)]))
    neuron = getattr(conex, model)(**{name: values[name] for name in names}, init_v=init_v)
    behaviors = {240: Input(), **conex.prioritize_behaviors([neuron, conex.Fire()])}
    NeuronGroup(size=neurons, net=net, behavior=behaviors)
    net.initialize(info=False)
    return net


def main(model: str, neurons: int, threads: int, steps: int) -> None:
    """Simulate twice: once for the time, once for the spikes, which CoNeX does not count."""
    import torch

    torch.set_num_threads(threads)
    with torch.no_grad():
        net = network(model, neurons)
        net.simulate_iterations(WARM_UP, measure_block_time=False)
        started = time.perf_counter()
        net.simulate_iterations(steps, measure_block_time=False)
        elapsed = time.perf_counter() - started
        net = network(model, neurons)
        count = 0
        for _ in range(WARM_UP + steps):
            net.simulate_iteration()
            count += int(net.NeuronGroups[0].spikes.sum())
    print(elapsed, count)


if __name__ == "__main__":
    main(sys.argv[1], *map(int, sys.argv[2:5]))
