"""Parameters of models: how they are declared, and the checks when a model is made."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any

import numpy as np
from brian2 import DimensionMismatchError, Quantity, amp, get_dimensions, meter

from conex_brian.dimensions import (
    as_quantity,
    check_dimension,
    check_positive,
    common_length,
    first_where,
    nearest,
    short,
)

if TYPE_CHECKING:
    from typing_extensions import Self


def parameter(kind: str, *, positive: bool = False) -> Any:
    """Declare a parameter of a model.

    Parameters
    ----------
    kind : str
        What it is, a key of `conex_brian.dimensions.dimensions_of`: ``'voltage'``, ``'time'``...
    positive : bool, optional
        Whether zero and negative values are refused. Default False.
    """
    return field(metadata={"kind": kind, "positive": positive})


def initial(kind: str) -> Any:
    """Declare a keyword-only initial value of a model; ``None`` where it is not given."""
    return field(default=None, kw_only=True, metadata={"kind": kind, "initial": True})


@dataclass(frozen=True, eq=False, repr=False)
class Parameters:
    """What a model is apart from its equations: named values, checked, immutable, comparable.

    Its subclasses are frozen dataclasses whose fields are declared by `parameter` and `initial`.
    """

    def __new__(cls, *args: Any, **kwargs: Any) -> Self:
        # The dataclass's own __init__ would complain about names without helping.
        _check_names(cls, args, kwargs)
        return super().__new__(cls)

    def __post_init__(self) -> None:
        _check_values(self)

    def given(self) -> dict[str, Any]:
        """Return every constructor argument that has a value, parameters first."""
        names = self.parameter_names() + self.initial_names()
        return {name: getattr(self, name) for name in names if getattr(self, name) is not None}

    @classmethod
    def parameter_names(cls) -> tuple[str, ...]:
        """Return the names of the parameters, without the initial values, in CoNeX's order."""
        return tuple(e.name for e in fields(cls) if not e.metadata.get("initial"))

    @classmethod
    def initial_names(cls) -> tuple[str, ...]:
        """Return the names of the keyword-only initial values."""
        return tuple(e.name for e in fields(cls) if e.metadata.get("initial"))

    @classmethod
    def kind(cls, name: str) -> str:
        """Return what kind of quantity the parameter or initial value ``name`` is."""
        return next(str(e.metadata["kind"]) for e in fields(cls) if e.name == name)

    def replace(self, **changes: Any) -> Self:
        """Return a copy with the given arguments changed, checked like a new model."""
        return type(self)(**{**self.given(), **changes})

    __replace__ = replace

    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuild, (type(self), self.given())

    def __eq__(self, other: object) -> bool:
        if type(other) is not type(self):
            return NotImplemented
        return _key(self) == _key(other)

    def __hash__(self) -> int:
        return hash(_key(self))

    def __repr__(self) -> str:
        given = ", ".join(f"{name}={value!r}" for name, value in self.given().items())
        return f"{type(self).__name__}({given})"


def _key(model: Any) -> tuple[Any, ...]:
    """Return what makes two models of a class equal, hashable."""

    def part(value: Any) -> Any:
        if value is None or isinstance(value, str):
            return value
        array = np.asarray(value)
        return repr(get_dimensions(value)), array.ndim, tuple((array + 0).ravel().tolist())

    return tuple((e.name, part(getattr(model, e.name))) for e in fields(model))


def _rebuild(cls: type[Parameters], given: dict[str, Any]) -> Parameters:
    return cls(**given)


def _check_names(cls: type[Parameters], args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
    """Say what is wrong with the names of a constructor call, as helpfully as can be."""
    needed, optional = cls.parameter_names(), cls.initial_names()
    takes = f"{cls.__name__} needs {', '.join(needed)}; it also takes {', '.join(optional)}."
    for name in kwargs:
        if name not in needed + optional:
            hint = nearest(name, needed + optional)
            raise TypeError(f"{cls.__name__} has no parameter {name!r}{hint}. {takes}")
    if len(args) > len(needed):
        raise TypeError(
            f"{cls.__name__} takes {len(needed)} values by position, got {len(args)}. {takes} "
            "Give initial values by name."
        )
    for name in needed[: len(args)]:
        if name in kwargs:
            raise TypeError(f"{cls.__name__}: {name} is given twice, by position and by name.")
    missing = [name for name in needed[len(args) :] if name not in kwargs]
    if missing:
        raise TypeError(f"{cls.__name__}: {', '.join(missing)} not given. {takes}")


def _check_values(model: Any) -> None:
    """Bring every argument of a new model to its final form, or say what is wrong with it.

    Raises
    ------
    TypeError, ValueError, brian2.DimensionMismatchError
        See `conex_brian.models.LIF`.
    """
    owner = type(model).__name__
    for name in model.parameter_names():
        _set(model, name, as_quantity(f"{owner}: {name}", getattr(model, name)))
    _check_resistance(owner, model.v_rest, model.R)
    for entry in fields(model):
        _check_field(model, owner, entry.name, entry.metadata)
    common_length(model.given(), owner)
    bad = np.asarray(model.v_reset) >= np.asarray(model.threshold)
    if bad.any():
        raise ValueError(
            f"{owner}: v_reset = {short(model.v_reset)} is not below threshold = "
            f"{short(model.threshold)}{first_where(bad)}: the neuron would fire in every step. "
            "Lower v_reset or raise threshold."
        )


def _set(model: Any, name: str, value: Any) -> None:
    object.__setattr__(model, name, value)  # the model is frozen once it is made


def _check_resistance(owner: str, v_rest: Any, R: Any) -> None:
    """Refuse an ``R`` that makes the input current something that no input is."""
    voltage, resistance = get_dimensions(v_rest), get_dimensions(R)
    usual = {
        "ohm (I is a current)": voltage / amp.dim,
        "ohm*meter**2 (I is a current density)": voltage / (amp.dim / meter.dim**2),
        "a number without unit (I is a voltage)": voltage / voltage,
    }
    if resistance not in usual.values():
        raise DimensionMismatchError(
            f"{owner}: R = {short(R)} does not fit v_rest = {short(v_rest)}: R*I must have the "
            f"dimension of v_rest. With v_rest in volt, R needs {' or '.join(usual)}; where v_rest "
            "is a number without unit, give R as a number too."
        )


def _check_field(model: Any, owner: str, name: str, metadata: Mapping[str, Any]) -> None:
    """Check one argument of a model against its declaration."""
    value, kind = getattr(model, name), metadata["kind"]
    if metadata.get("initial"):
        if value is None or isinstance(value, str):
            return
        if kind == "spikes":
            _set(model, name, _as_flags(f"{owner}: {name}", value))
            return
        value = as_quantity(f"{owner}: {name}", value)
        _set(model, name, value)
    admitted = model.dimensions[kind]
    if get_dimensions(value) not in admitted:  # else the reasons, slow to write, are not needed
        because = f", since v_rest = {short(model.v_rest)} and R = {short(model.R)}."
        if kind == "jump":
            because += (
                " A current is what a spike adds to omega; a current per time is added times dt, "
                "as CoNeX does."
            )
        check_dimension(f"{owner}: {name}", value, admitted, "." if kind == "time" else because)
    if metadata.get("positive"):
        check_positive(f"{owner}: {name}", value)


def _as_flags(name: str, value: Any) -> Any:
    """Return ``value`` as one or several truth values, read-only."""
    try:
        array = np.asarray(value)
    except ValueError:  # lists of unequal lengths
        array = np.asarray(None)
    if array.dtype.kind not in "biuf" or array.ndim > 1 or not np.isin(array, (0, 1)).all():
        raise TypeError(
            f"{name} = {short(value)}: it needs True or False, or one of them a neuron."
        )
    if array.size == 0:
        raise ValueError(f"{name} is empty: it needs True or False, or one of them a neuron.")
    if isinstance(value, Quantity) and get_dimensions(value) is not get_dimensions(1):
        raise DimensionMismatchError(f"{name} = {short(value)}: it needs True or False, no unit.")
    flags = array.astype(bool)
    if not flags.ndim:
        return bool(flags)
    flags.setflags(write=False)
    return flags
