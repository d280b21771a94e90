"""Real CoNeX, run live: what a CoNeX user would write, as two functions.

Needs the packages ``cnrl-conex`` 0.1.5, ``pymonntorch`` and ``torch``, which are imported only
when a function is called.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
from collections.abc import Callable, Mapping
from contextlib import redirect_stdout
from io import StringIO
from types import ModuleType
from typing import Any, Literal

import numpy as np
import pytest
from numpy.typing import ArrayLike

from oracle import PARAMETERS, Model, Steps

Precision = Literal["float64", "float32"]

#: Where the input stands among CoNeX's priorities: before the neuron dynamics (260).
INPUT_PRIORITY = 240

_ABSENT = ("torchvision", "torchvision.transforms", "torchvision.transforms.functional")


def missing_packages() -> tuple[str, ...]:
    """The packages that real CoNeX needs and that are not installed; imports none of them."""
    needed = ("torch", "pymonntorch", "conex")
    return tuple(name for name in needed if importlib.util.find_spec(name) is None)


def needs_conex(test: Callable[..., None]) -> Callable[..., None]:
    """Mark a test that runs real CoNeX: where that is not installed, it skips."""
    missing = missing_packages()
    reason = f"needs the packages {', '.join(missing)}"
    marked: Callable[..., None] = pytest.mark.skipif(bool(missing), reason=reason)(test)
    return pytest.mark.conex(marked)


def load_conex() -> ModuleType:
    """Import CoNeX.

    ``import conex`` asks for torchvision, which its metadata do not name and which only two image
    transforms use (``conex/helpers/transforms/masks.py``). Where torchvision is missing, empty
    modules stand for it while CoNeX is imported.

    Returns
    -------
    module
        The package ``conex``.
    """
    stand_ins: list[str] = []
    if "conex" not in sys.modules and importlib.util.find_spec("torchvision") is None:
        stand_ins = [name for name in _ABSENT if name not in sys.modules]
    for name in stand_ins:
        sys.modules[name] = ModuleType(name)
        parent, _, child = name.rpartition(".")
        if parent:
            setattr(sys.modules[parent], child, sys.modules[name])
    try:
        return importlib.import_module("conex")
    finally:
        for name in stand_ins:
            del sys.modules[name]


def build_conex(
    model: Model,
    parameters: Mapping[str, ArrayLike],
    current: ArrayLike,
    dt: float,
    *,
    init_v: ArrayLike | None = None,
    omega: ArrayLike | None = None,
    precision: Precision = "float64",
    extra: Mapping[int, Any] | None = None,
) -> Any:
    """Build and initialise a CoNeX network of one population.

    Arguments are those of `oracle.conex_steps`. Scalars are given to CoNeX as numbers, arrays as
    tensors of the network's precision. CoNeX changes an ``init_v`` in place; it gets a copy.

    Parameters
    ----------
    precision : {'float64', 'float32'}
        The network's floating point type.
    extra : mapping of int to Behavior, optional
        Further behaviors of the population, by priority.

    Returns
    -------
    Network
        Initialised; ``network.NeuronGroups[0]`` is the population, and each
        ``network.simulate_iteration()`` advances it by one step.
    """
    import torch
    from pymonntorch import Behavior, Network, NeuronGroup

    conex = load_conex()
    dtype = getattr(torch, precision)

    def to_conex(value: ArrayLike | None) -> Any:
        if value is None:
            return None
        array = np.asarray(value, dtype=float)
        return float(array) if array.ndim == 0 else torch.tensor(array, dtype=dtype)

    class Input(Behavior):  # type: ignore[misc]
        def __init__(self, rows: Any) -> None:
            super().__init__()
            self.rows = rows

        def forward(self, neurons: Any) -> None:
            neurons.I = self.rows[neurons.iteration - 1]

    arguments = {name: to_conex(parameters[name]) for name in PARAMETERS[model]}
    arguments["init_v"] = to_conex(init_v)
    if model == "AELIF":
        arguments["omega"] = to_conex(omega)
    rows = torch.tensor(np.asarray(current), dtype=dtype)
    behaviors = {INPUT_PRIORITY: Input(rows), **dict(extra or {})}
    neuron = getattr(conex, model)(**arguments)
    behaviors |= conex.prioritize_behaviors([neuron, conex.Fire()])
    resolution = conex.prioritize_behaviors([conex.TimeResolution(dt=dt)])
    network = Network(behavior=resolution, dtype=dtype)
    NeuronGroup(size=rows.shape[1], net=network, behavior=behaviors)
    printed = StringIO()
    with redirect_stdout(printed):
        network.initialize(info=False)
    if printed.getvalue():  # CoNeX only prints what it finds wrong
        raise ValueError(printed.getvalue())
    return network


def run_conex(
    model: Model,
    parameters: Mapping[str, ArrayLike],
    current: ArrayLike,
    dt: float,
    *,
    init_v: ArrayLike | None = None,
    omega: ArrayLike | None = None,
    precision: Precision = "float64",
) -> Steps:
    """Run real CoNeX; arguments and result as `oracle.conex_steps`.

    Parameters
    ----------
    precision : {'float64', 'float32'}
        The network's floating point type, also the type of the result.

    Returns
    -------
    Steps
        The state after every step.
    """
    network = build_conex(
        model, parameters, current, dt, init_v=init_v, omega=omega, precision=precision
    )
    population = network.NeuronGroups[0]
    names = ("v", "spikes", "omega")[: 3 if model == "AELIF" else 2]
    states: dict[str, list[Any]] = {name: [] for name in names}
    for _ in range(len(np.asarray(current))):
        network.simulate_iteration()
        for name in names:
            states[name].append(getattr(population, name).numpy().copy())
    stacked = {name: np.stack(values) for name, values in states.items()}
    return Steps(stacked["v"], stacked.get("omega"), stacked["spikes"])
