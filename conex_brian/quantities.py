"""Values with units as text, such as ``'65 pA'``: read by a fixed table, never evaluated."""

from __future__ import annotations

import math
import re
from functools import lru_cache
from typing import Any

import numpy as np
from brian2 import (
    Quantity,
    amp,
    hertz,
    kelvin,
    kilogram,
    metre,
    mole,
    ohm,
    second,
    siemens,
    volt,
)
from brian2.units.allunits import candle
from brian2.units.fundamentalunits import DIMENSIONLESS, Dimension

from conex_brian.dimensions import nearest, short, unit_text

#: No number with its unit is longer; a longer text is not looked at.
LONGEST_TEXT = 200

_PREFIXES = {"f": -15, "p": -12, "n": -9, "u": -6, "m": -3, "": 0, "k": 3, "M": 6, "G": 9}
_SHORT = {"V": volt, "A": amp, "ohm": ohm, "S": siemens, "s": second, "Hz": hertz, "m": metre}
_LONG = {
    unit.name: unit
    for unit in (volt, amp, siemens, second, hertz, metre, kilogram, kelvin, mole, candle)
}
#: Every unit that is read: name -> (power of ten, dimension).
_UNITS: dict[str, tuple[int, Dimension]] = {
    **{p + n: (power, u.dim) for p, power in _PREFIXES.items() for n, u in _SHORT.items()},
    **{name: (0, unit.dim) for name, unit in _LONG.items()},
    "cm": (-2, metre.dim),
}
#: What is written, where the dimension is one of these. The first unit gets the prefix.
_WRITTEN = (
    "V", "A", "ohm", "S", "s", "Hz", "V/s", "A/s", "ohm*m**2", "A/m**2", "S/m**2", "A/m**2/s",
)  # fmt: skip

_NUMBER = re.compile(r"([+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+))(?:[eE]([+-]?[0-9]{1,5}))?")
_FACTOR = re.compile(r" *([*/]?) *([A-Za-z]+)(?: *(?:\*\*|\^) *([+-]?[0-9]{1,2}))?")


def quantity(where: str, text: str) -> Any:
    """Return the value of a text such as ``'65 pA'``.

    Parameters
    ----------
    where : str
        What messages call it.
    text : str
        A decimal number and a unit: ``'65pA'``, ``'65*pA'``, ``'0.2 uA/cm**2'``, ``'-3/ms'``;
        without a unit, a number.

    Returns
    -------
    Quantity or float
        The same as ``65*pA`` in Python, to the last bit.

    Raises
    ------
    ValueError
        Where it is no number with a unit.
    """
    number, dim = read(where, text)
    return number if dim is DIMENSIONLESS else Quantity(number, dim=dim)


def shown(value: Any) -> str:
    """Return a value for a message; foreign objects get no chance to print themselves."""
    if isinstance(value, str):
        return short(value[:LONGEST_TEXT])
    if value is None or isinstance(value, (bool, int, float)):
        return short(value)
    return f"a {type(value).__name__}"


def read(where: str, text: str) -> tuple[float, Dimension]:
    """Return a text's number in SI base units, and its dimension."""
    stripped = text[: LONGEST_TEXT + 1].strip(" ")
    found = _NUMBER.match(stripped)
    if found is None or len(text) > LONGEST_TEXT:
        raise ValueError(
            f"{where} = {shown(text)}: it needs a number with its unit, for example '-70 mV'."
        )
    power, dim = _unit(where, stripped[found.end() :])
    mantissa, exponent = found.groups()
    # As Brian2 computes 5*mV: the nearest double to the number, times that to the unit.
    number = float(f"{mantissa}e{exponent or 0}") * float(f"1e{power}")
    if not np.isfinite(number):
        raise ValueError(f"{where} = {shown(text)} is too large for a number.")
    return number, dim


@lru_cache(maxsize=256)
def _unit(where: str, text: str) -> tuple[int, Dimension]:
    """Return the power of ten and the dimension of a unit such as ``'uA/cm**2'``."""
    power, dim, position = 0, DIMENSIONLESS, 0
    while position < len(text):
        found = _FACTOR.match(text, position)
        if found is None or (position > 0 and not found[1]):
            raise ValueError(
                f"{where}: {short(text)} is no unit. Write for example mV, Mohm, pA/ms or uA/cm**2."
            )
        sign, name, exponent = found.groups()
        if name not in _UNITS:
            alike = [one for one in _UNITS if one.lower() == name.lower()]
            raise ValueError(
                f"{where}: there is no unit {short(name)}{nearest(name, alike or _UNITS)}. Write "
                "for example mV, Mohm, pA or ms."
            )
        times = int(exponent or 1) * (-1 if sign == "/" else 1)
        power += _UNITS[name][0] * times
        dim = dim * _UNITS[name][1] ** times
        position = found.end()
    return power, dim


def written(number: float, dim: Dimension) -> str:
    """Return a value in a unit that suits it, so that `read` gives it back to the last bit."""
    unit = _written_units().get(dim)
    thousands = 3 * math.floor(math.log10(abs(number)) / 3) if number else 0
    if unit is not None and thousands in _PREFIXES.values():
        scale = float(f"1e{thousands}")
        moved = number / scale
        rounded = (float(f"{moved:.{digits}g}") for digits in (15, 16, 17))
        for one in (*rounded, math.nextafter(moved, math.inf), math.nextafter(moved, -math.inf)):
            if one * scale == number:
                prefix = next(p for p, power in _PREFIXES.items() if power == thousands)
                return f"{_plain(one)} {prefix}{unit}"
    if dim is DIMENSIONLESS:
        return _plain(number)
    return f"{_plain(number)} {unit or unit_text(dim)}"


def _plain(number: float) -> str:
    return repr(number).removesuffix(".0")


@lru_cache(maxsize=1)
def _written_units() -> dict[Dimension, str]:
    return {_unit("", text)[1]: text for text in _WRITTEN}
