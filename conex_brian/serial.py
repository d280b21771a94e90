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
from collections.abc import Mapping, Sequence
from typing import Any, NoReturn

import numpy as np
from brian2 import DimensionMismatchError, Quantity, get_dimensions
from brian2.units.fundamentalunits import DIMENSIONLESS, Dimension

from conex_brian.dimensions import nearest, unit_text
from conex_brian.models import AELIF, ELIF, LIF
from conex_brian.quantities import LONGEST_TEXT, read, shown, written

#: No file of parameters is longer, in characters; a longer one is not looked at.
LONGEST_JSON = 100_000_000


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
        raise ValueError(f"model = {shown(title)}{hint}: it needs one of {', '.join(known)}.")
    cls = known[title]
    names = cls.parameter_names() + cls.initial_names()
    given = {}
    for name, value in data.items():
        if name == "model":
            continue
        if not isinstance(name, str) or name not in names:
            hint = nearest(name[:LONGEST_TEXT], names) if isinstance(name, str) else ""
            raise TypeError(
                f"{title} has no parameter {shown(name)}{hint}. It has {', '.join(names)}."
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
        return read(where, value)
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise TypeError(
            f"{where} = {shown(value)}: it needs a text such as '-70 mV', or a number where it "
            "has no unit."
        )
    try:
        return float(value), DIMENSIONLESS
    except OverflowError as error:
        raise ValueError(f"{where} has a number that is too large.") from error


def _read_flags(where: str, value: Any) -> Any:
    flags = value if isinstance(value, (list, tuple)) else [value]
    for flag in flags:
        if not isinstance(flag, bool):
            raise TypeError(f"{where} = {shown(flag)}: it needs true or false.")
    return np.array(flags, dtype=bool) if isinstance(value, (list, tuple)) else value


def _read_expression(where: str, value: Mapping[str, Any], allowed: bool) -> str:
    text = value.get("expression")
    if len(value) != 1 or not isinstance(text, str):
        raise TypeError(f"{where}: it needs a text such as '-70 mV', or {{'expression': '...'}}.")
    if not allowed:
        raise ValueError(
            f"{where} = {shown(text)} is an expression, which becomes code when a group is made. "
            "If you trust where it comes from, allow it with from_dict(..., expressions=True)."
        )
    return text


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"The JSON text has {shown(twice)} twice.")
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
        return [written(float(one), dim) for one in array]
    return written(float(array), dim)
