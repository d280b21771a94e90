"""CoNeX's integrate-and-fire neurons for Brian2.

>>> from brian2 import *
>>> from conex_brian import LIF
>>> neuron = LIF(R=10*Mohm, threshold=-50*mV, tau=10*ms, v_reset=-65*mV, v_rest=-65*mV)
>>> group = neuron.group(100, I=2*nA)
"""

from importlib.metadata import version as _version
from typing import TYPE_CHECKING, Any

from conex_brian.conex import from_conex
from conex_brian.experiment import Experiment
from conex_brian.models import AELIF, ELIF, LIF
from conex_brian.points import grid, neuron_grid
from conex_brian.precise_groups import spike_monitor
from conex_brian.serial import from_dict
from conex_brian.templates import Template

if TYPE_CHECKING:
    from conex_brian.sweeps import sweep

__all__ = [
    "AELIF",
    "ELIF",
    "LIF",
    "Experiment",
    "Template",
    "from_conex",
    "from_dict",
    "grid",
    "neuron_grid",
    "spike_monitor",
    "sweep",
]
__version__ = _version("conex_brian")


def __getattr__(name: str) -> Any:
    """Load what sweeps need when it is used: a third of the time of importing this package."""
    if name != "sweep":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from conex_brian.sweeps import sweep

    return sweep
