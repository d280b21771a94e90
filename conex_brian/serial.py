"""Models as plain text values, for JSON and YAML, and back.

>>> from brian2 import *
>>> from conex_brian import LIF, from_dict
>>> neuron = LIF(R=500*Mohm, threshold=-50*mV, tau=20*ms, v_reset=-65*mV, v_rest=-70*mV)
>>> neuron.to_dict()["threshold"]
'-50 mV'
>>> from_dict(neuron.to_dict()) == neuron
True

A value is a decimal number and a unit of a fixed table. Nothing that is read is ever evaluated.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, NoReturn

import numpy as np
from brian2 import (
    DimensionMismatchError,
    Quantity,
    amp,
    get_dimensions,
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
from conex_brian.models import AELIF, ELIF, LIF

#: No number with its unit is longer; a longer text is not looked at.
LONGEST_TEXT = 200
#: No file of parameters is longer, in characters; a longer one is not looked at.
LONGEST_JSON = 100_000_000

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
    "V",
    "A",
    "ohm",
    "S",
    "s",
    "Hz",
    "V/s",
    "A/s",
    "ohm*m**2",
    "A/m**2",
    "S/m**2",
    "A/m**2/s",
)

_NUMBER = re.compile(r"([+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+))(?:[eE]([+-]?[0-9]{1,5}))?")
_FACTOR = re.compile(r" *([*/]?) *([A-Za-z]+)(?: *(?:\*\*|\^) *([+-]?[0-9]{1,2}))?")


def to_dict(model: LIF) -> dict[str, Any]:
    """Return a model as plain text values; see `conex_brian.models.LIF.to_dict`."""
    return {
        "model": type(model).__name__,
        **{name: _written(value) for name, value in model.given().items()},
    }


def from_dict(
    data: Mapping[str, Any],
    *,
    models: Sequence[type[LIF]] = (LIF, ELIF, AELIF),
    expressions: bool = False,
) -> LIF:
    """Return the model that ``to_dict`` has written.

    Nothing in ``data`` is evaluated, so that it may come from anywhere.

    Parameters
    ----------
    data : mapping
        ``'model'``, the name of a class, and every parameter as ``'-70 mV'`` (or as a number, where
        it has no unit), or as a list of these, one a neuron.
    models : sequence of classes, optional
        The classes that the data may name. Default: LIF, ELIF and AELIF.
    expressions : bool, optional
        Whether initial values may be Brian2 expressions, written ``{'expression': '...'}``. These
        become code when a group is made: only for data that you trust. Default False.

    Returns
    -------
    LIF, ELIF, AELIF or another of ``models``
        Equal to the model that was written, to the last bit.

    Raises
    ------
    TypeError
        For missing and unknown names, and for values that are neither text nor number.
    ValueError
        For a text that is no number with a unit, and for values that no such neuron can have.
    brian2.DimensionMismatchError
        For a unit that does not fit.

    Examples
    --------
    >>> from conex_brian import from_dict
    >>> neuron = from_dict({"model": "LIF", "R": "500 Mohm", "threshold": "-50 mV",
    ...                     "tau": "20 ms", "v_reset": "-65 mV", "v_rest": "-70 mV"})
    >>> neuron.tau
    20. * msecond
    """
    if not isinstance(data, Mapping):
        raise TypeError(
            f"A model is written as a dictionary, not as a {type(data).__name__}, for example "
            "{'model': 'LIF', 'R': '500 Mohm', ...}."
        )
    known = {cls.__name__: cls for cls in models}
    title = data.get("model")
    if not isinstance(title, str) or title not in known:
        hint = nearest(title[:LONGEST_TEXT], known) if isinstance(title, str) else ""
        raise ValueError(f"model = {_shown(title)}{hint}: it needs one of {', '.join(known)}.")
    cls = known[title]
    names = cls.parameter_names() + cls.initial_names()
    given = {}
    for name, value in data.items():
        if name == "model":
            continue
        if not isinstance(name, str) or name not in names:
            hint = nearest(name[:LONGEST_TEXT], names) if isinstance(name, str) else ""
            raise TypeError(
                f"{title} has no parameter {_shown(name)}{hint}. It has {', '.join(names)}."
            )
        where = f"{title}: {name}"
        if cls.kind(name) == "spikes" and not isinstance(value, Mapping):
            given[name] = _read_flags(where, value)
        elif name in cls.initial_names() and isinstance(value, Mapping):
            given[name] = _read_expression(where, value, expressions)
        else:
            given[name] = _read(where, value)
    return cls(**given)


def from_json(text: str, **options: Any) -> LIF:
    """Return the model in a JSON text.

    Parameters
    ----------
    text : str
        What ``json.dumps(neuron.to_dict())`` returns.
    **options
        As for `from_dict`.

    Raises
    ------
    ValueError
        Where it is no JSON, has a name twice, or is longer than `LONGEST_JSON`.
    TypeError, ValueError, brian2.DimensionMismatchError
        As `from_dict` does.
    """
    if len(text) > LONGEST_JSON:
        raise ValueError(
            f"The JSON text has {len(text)} characters; more than {LONGEST_JSON} are not read."
        )
    try:
        data = json.loads(text, object_pairs_hook=_once, parse_constant=_refuse_constant)
    except RecursionError as error:
        raise ValueError("The JSON text is nested too deeply.") from error
    except json.JSONDecodeError as error:
        raise ValueError(f"This is no JSON: {error}.") from error
    return from_dict(data, **options)


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
    number, dim = _number(where, text)
    return number if dim is DIMENSIONLESS else Quantity(number, dim=dim)


def _shown(value: Any) -> str:
    """Return a value for a message; foreign objects get no chance to print themselves."""
    if isinstance(value, str):
        return short(value[:LONGEST_TEXT])
    if value is None or isinstance(value, (bool, int, float)):
        return short(value)
    return f"a {type(value).__name__}"


def _number(where: str, text: str) -> tuple[float, Dimension]:
    """Return a text's number in SI base units, and its dimension."""
    stripped = text[: LONGEST_TEXT + 1].strip(" ")
    found = _NUMBER.match(stripped)
    if found is None or len(text) > LONGEST_TEXT:
        raise ValueError(
            f"{where} = {_shown(text)}: it needs a number with its unit, for example '-70 mV'."
        )
    power, dim = _unit(where, stripped[found.end() :])
    mantissa, exponent = found.groups()
    # As Brian2 computes 5*mV: the nearest double to the number, times that to the unit.
    number = float(f"{mantissa}e{exponent or 0}") * float(f"1e{power}")
    if not np.isfinite(number):
        raise ValueError(f"{where} = {_shown(text)} is too large for a number.")
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


def _read(where: str, value: Any) -> Any:
    """Return a parameter's value: a scalar or one value a neuron."""
    if not isinstance(value, (list, tuple)):
        number, dim = _read_one(where, value)
        return number if dim is DIMENSIONLESS else Quantity(number, dim=dim)
    pairs = [_read_one(where, one) for one in value]
    dims = {dim for _, dim in pairs}
    if len(dims) > 1:
        units = " and ".join(sorted(unit_text(dim) for dim in dims))
        raise DimensionMismatchError(f"{where}: its values are in {units}. They need one unit.")
    numbers = np.array([number for number, _ in pairs], dtype=float)
    return numbers if dims <= {DIMENSIONLESS} else Quantity(numbers, dim=dims.pop())


def _read_one(where: str, value: Any) -> tuple[float, Dimension]:
    if isinstance(value, str):
        return _number(where, value)
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise TypeError(
            f"{where} = {_shown(value)}: it needs a text such as '-70 mV', or a number where it "
            "has no unit."
        )
    try:
        return float(value), get_dimensions(value)
    except OverflowError as error:
        raise ValueError(f"{where} has a number that is too large.") from error


def _read_flags(where: str, value: Any) -> Any:
    flags = value if isinstance(value, (list, tuple)) else [value]
    for flag in flags:
        if not isinstance(flag, bool):
            raise TypeError(f"{where} = {_shown(flag)}: it needs true or false.")
    return np.array(flags, dtype=bool) if isinstance(value, (list, tuple)) else value


def _read_expression(where: str, value: Mapping[str, Any], allowed: bool) -> str:
    text = value.get("expression")
    if len(value) != 1 or not isinstance(text, str):
        raise TypeError(f"{where}: it needs a text such as '-70 mV', or {{'expression': '...'}}.")
    if not allowed:
        raise ValueError(
            f"{where} = {_shown(text)} is an expression, which becomes code when a group is made. "
            "If you trust where it comes from, allow it with from_dict(..., expressions=True)."
        )
    return text


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"The JSON text has {_shown(twice)} twice.")
    return found


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"The JSON text has {name}, which is no number.")


def _written(value: Any) -> Any:
    """Return a model's value as text; several as a list; an expression so that it shows."""
    if isinstance(value, str):
        return {"expression": value}
    array = np.asarray(value)
    if array.dtype == bool:
        return array.tolist()
    dim = get_dimensions(value)
    if array.ndim:
        return [_text(float(one), dim) for one in array]
    return _text(float(array), dim)


def _text(number: float, dim: Dimension) -> str:
    """Return a value in a unit that suits it, so that `_number` gives it back to the last bit."""
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
