"""What all pictures share: colours, axes, and units on their labels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from brian2 import DimensionMismatchError, Hz, Quantity, cm, get_dimensions, ms, second, uA
from brian2.units.fundamentalunits import DIMENSIONLESS

from conex_brian.dimensions import short, unit_text

if TYPE_CHECKING:
    from matplotlib.axes import Axes

#: Told apart by the colour-blind and by their lightness: Okabe & Ito, Color Universal Design
#: (2008), https://jfly.uni-koeln.de/color/.
BLACK, BLUE, ORANGE, GREEN = "#000000", "#0072B2", "#D55E00", "#009E73"
PURPLE, SKY, GRAY = "#CC79A7", "#56B4E9", "#808080"

#: Units that are usual whatever the values are.
_USUAL = ((ms, "ms"), (Hz, "Hz"), (uA / cm**2, "µA/cm²"))


def pyplot() -> Any:
    """Return `matplotlib.pyplot`, or say how to install it."""
    try:
        import matplotlib.pyplot as plt
    except ImportError as error:
        raise ImportError(
            "conex_brian.plotting needs matplotlib, which is not installed: "
            "pip install 'conex_brian[plotting]'"
        ) from error
    return plt


def axes_or_new(ax: Axes | None, **figure: Any) -> Axes:
    """Return ``ax``, or the axes of a new figure without a frame at the top and right."""
    if ax is None:
        _, ax = pyplot().subplots(layout="constrained", **figure)
        bare(ax)
    elif not hasattr(ax, "plot"):
        raise TypeError(
            f"ax = {short(ax)}: it needs the Axes of a figure, such as plt.gca(), not a "
            f"{type(ax).__name__}."
        )
    return ax


def bare(ax: Axes) -> None:
    """Take the frame's top and right away."""
    ax.spines[["top", "right"]].set_visible(False)


@dataclass(frozen=True)
class Shown:
    """The unit that an axis shows its values in; matplotlib keeps it with the axis.

    Attributes
    ----------
    unit : Quantity or float
        What values are divided by.
    text : str
        How it is written; empty where values have no unit.
    """

    unit: Any
    text: str

    @classmethod
    def of(cls, values: Any) -> Shown:
        """Choose a unit in which the largest of ``values`` is easy to read."""
        dim = get_dimensions(values)
        if dim is DIMENSIONLESS:
            return cls(1.0, "")
        array = np.abs(np.asarray(values, dtype=float))
        largest = float(np.max(array, initial=0.0, where=np.isfinite(array)))
        if dim is second.dim and largest >= 10:
            return cls(second, "s")
        for unit, text in _USUAL:
            if get_dimensions(unit) is dim:
                return cls(unit, text)
        # Brian2 goes to the next unit from 0.32 of it on; 500 pA are more usual than 0.5 nA.
        unit = Quantity(0.32 * largest or 1.0, dim=dim).get_best_unit()
        return cls(unit, str(unit))

    def per_ms(self) -> Shown:
        """Return the unit of rates of change."""
        return Shown(self.unit / ms, f"{self.text or 1}/ms")

    def label(self, name: str) -> str:
        """Return the axis label of ``name`` in this unit."""
        return f"{name} ({self.text})" if self.text else name


def unit_of(axis: Any) -> Any:
    """Return the `Shown` that `numbers` has set for an axis; None where it has not."""
    unit = axis.get_units()
    return unit if isinstance(unit, Shown) else None


def numbers(axis: Any, name: str, values: Any, shown: Shown | None = None) -> np.ndarray:
    """Return ``values`` as an axis shows them, which is labelled with ``name`` and a unit.

    The first values that an axis shows fix its unit, so that what is drawn later fits.

    Parameters
    ----------
    axis : matplotlib.axis.Axis
        ``ax.xaxis`` or ``ax.yaxis``.
    name : str
        What the values are.
    values : Quantity or array_like
    shown : Shown, optional
        The unit of an axis that has none yet. Default: one in which the values are easy to read.

    Raises
    ------
    brian2.DimensionMismatchError
        Where the axis shows values of another dimension.
    """
    if unit_of(axis) is None:
        shown = Shown.of(values) if shown is None else shown
        axis.set_units(shown)
        axis.set_label_text(shown.label(name))
    shown = unit_of(axis)
    if get_dimensions(values) is not get_dimensions(shown.unit):
        raise DimensionMismatchError(
            f"{name} = {short(values)} is in {unit_text(get_dimensions(values))}, but this axis "
            f"shows {axis.get_label_text()}. Draw it on axes of its own."
        )
    return np.asarray(values / shown.unit, dtype=float)
