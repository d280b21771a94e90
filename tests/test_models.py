"""Models are checked, immutable values; their equations are extended, never typed twice."""

from __future__ import annotations

import copy
import dataclasses
import inspect
import pickle
import re
import sys
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, ClassVar

import numpy as np
import pytest
from brian2 import (
    DimensionMismatchError,
    Mohm,
    Quantity,
    amp,
    inf,
    kilogram,
    meter,
    ms,
    mV,
    nA,
    nan,
    nS,
    ohm,
    pA,
    run,
    second,
    volt,
)
from scipy.linalg import expm

from conex_brian import AELIF, ELIF, LIF
from conex_brian.dimensions import unit_text
from conex_brian.models import initial, parameter
from neurons import DENSITY, MODELS, NUMBERS, SI, arguments, make, spread

CONEX_ORDER = {
    LIF: ["R", "threshold", "tau", "v_reset", "v_rest"],
    ELIF: ["R", "threshold", "tau", "v_reset", "v_rest", "delta", "theta_rh"],
    AELIF: [
        "R",
        "threshold",
        "tau",
        "v_reset",
        "v_rest",
        "delta",
        "theta_rh",
        "alpha",
        "beta",
        "w_tau",
    ],
}
EVERY = [(model, name) for model in MODELS for name in CONEX_ORDER[model]]
POSITIVE = [(m, n) for m, n in EVERY if n in ("R", "tau", "delta", "w_tau")]
TIMES = [(m, n) for m, n in EVERY if n in ("tau", "w_tau")]
every_model = pytest.mark.parametrize("model", MODELS)
every_parameter = pytest.mark.parametrize(("model", "name"), EVERY)


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Quadratic(LIF):
    """Quadratic integrate-and-fire: LIF's leak and a parabola."""

    curvature: Any = parameter("number")
    v_scale: Any = parameter("voltage", positive=True)

    F: ClassVar[str] = LIF.F + " + curvature*(v - v_rest)**2/v_scale"


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Slow(LIF):
    """LIF with a further state: a slow current that ``v`` drives and that hyperpolarises."""

    g_slow: Any = parameter("conductance")
    tau_slow: Any = parameter("time", positive=True)
    slow: Any = initial("current")

    RI: ClassVar[str] = LIF.RI + " - R*slow"
    states: ClassVar[dict[str, tuple[str, str]]] = {
        "slow": ("(g_slow*(v - v_rest) - slow)/tau_slow", "current")
    }


# ---------------------------------------------------------------- signature


@every_model
def test_positional_arguments_come_in_conex_order(model: type[LIF]) -> None:
    values = [SI[name] for name in CONEX_ORDER[model]]
    neuron = model(*values)
    for name, value in zip(CONEX_ORDER[model], values, strict=True):
        assert getattr(neuron, name) == value
    assert neuron == make(model)


@every_model
def test_initial_values_are_none_unless_given(model: type[LIF]) -> None:
    names = model.initial_names()
    assert {"init_v", "init_s", *["omega"] * (model is AELIF)} <= set(names)
    assert [getattr(make(model), name) for name in names] == [None] * len(names)


@every_model
def test_initial_values_are_keyword_only(model: type[LIF]) -> None:
    values = [SI[name] for name in CONEX_ORDER[model]]
    message = f"{model.__name__} takes {len(values)} values by position, got {len(values) + 1}"
    with pytest.raises(TypeError, match=message):
        model(*values, -60 * mV)
    assert model(*values, init_v=-60 * mV).init_v == -60 * mV


@every_parameter
def test_a_missing_parameter_is_named(model: type[LIF], name: str) -> None:
    given = arguments(model)
    del given[name]
    with pytest.raises(TypeError, match=rf"{model.__name__}: {name} not given\. .* needs R, "):
        model(**given)


def test_all_missing_parameters_are_named_at_once() -> None:
    with pytest.raises(TypeError, match="AELIF: v_reset, v_rest, theta_rh, alpha, w_tau not given"):
        AELIF(480 * Mohm, -31 * mV, 19 * ms, delta=2 * mV, beta=5 * pA)


@pytest.mark.parametrize(
    ("model", "wrong", "meant"),
    [
        (LIF, "treshold", "threshold"),
        (LIF, "r", None),
        (LIF, "v_threshold", "threshold"),
        (LIF, "vrest", "v_rest"),
        (LIF, "v_init", "init_v"),
        (ELIF, "Delta", "delta"),
        (ELIF, "theta_rheobase", "theta_rh"),
        (AELIF, "tau_w", "tau"),
        (AELIF, "omega_0", "omega"),
        (AELIF, "qqq", None),
    ],
)
def test_an_unknown_name_gets_the_nearest_known_one(
    model: type[LIF], wrong: str, meant: str | None
) -> None:
    hint = rf" \(did you mean '{meant}'\?\)\." if meant else r"\. "
    with pytest.raises(TypeError, match=f"{model.__name__} has no parameter '{wrong}'{hint}"):
        make(model, **{wrong: 1 * mV})


def test_a_parameter_of_another_class_is_unknown() -> None:
    with pytest.raises(TypeError, match="LIF has no parameter 'delta'"):
        make(LIF, delta=2 * mV)
    with pytest.raises(TypeError, match="ELIF has no parameter 'omega'"):
        make(ELIF, omega=2 * pA)


def test_a_parameter_given_twice_is_refused() -> None:
    with pytest.raises(TypeError, match="LIF: R is given twice, by position and by name"):
        LIF(480 * Mohm, -31 * mV, 19 * ms, -57 * mV, -69 * mV, R=3 * Mohm)


# ---------------------------------------------------------------- values


@every_model
def test_no_attribute_can_be_set_or_deleted(model: type[LIF]) -> None:
    neuron = make(model)
    with pytest.raises(dataclasses.FrozenInstanceError, match="cannot assign to field 'tau'"):
        neuron.tau = 3 * ms  # type: ignore[misc]
    with pytest.raises(dataclasses.FrozenInstanceError, match="cannot delete field 'tau'"):
        del neuron.tau
    with pytest.raises(dataclasses.FrozenInstanceError, match="cannot assign to field 'new'"):
        neuron.new = 3  # type: ignore[attr-defined]
    assert neuron == make(model)


@every_parameter
def test_arrays_are_read_only_copies(model: type[LIF], name: str) -> None:
    mine = spread(SI[name])
    kept = mine.copy()
    neuron = make(model, **{name: mine})
    mine *= 1.5
    assert np.array_equal(getattr(neuron, name), kept)
    with pytest.raises(ValueError, match="read-only"):
        getattr(neuron, name)[0] = SI[name]


@every_parameter
def test_scalars_are_read_only_too(model: type[LIF], name: str) -> None:
    neuron = make(model)
    with pytest.raises(ValueError, match="read-only"):
        getattr(neuron, name)[...] = 3 * SI[name]
    assert neuron == make(model)


def test_arrays_of_numbers_and_flags_are_read_only_copies() -> None:
    rest, flags = np.array([-69.5, -70.5]), np.array([True, False])
    neuron = make(LIF, NUMBERS, v_rest=rest, init_s=flags)
    rest[0], flags[0] = 0.0, False
    assert neuron.v_rest.tolist() == [-69.5, -70.5]
    assert neuron.init_s.tolist() == [True, False]
    for array in (neuron.v_rest, neuron.init_s):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 1


@pytest.mark.parametrize(
    "given",
    [
        [19 * ms, 21 * ms, 18.5 * ms],
        (19 * ms, 21 * ms, 18.5 * ms),
        [19, 21, 18.5] * ms,
        np.array([0.019, 0.021, 0.0185]) * second,
    ],
    ids=["list", "tuple", "Quantity", "second"],
)
def test_lists_tuples_and_arrays_mean_one_value_a_neuron(given: Any) -> None:
    tau = make(LIF, tau=given).tau
    assert isinstance(tau, Quantity) and tau.dim is second.dim
    np.testing.assert_allclose(np.asarray(tau), [0.019, 0.021, 0.0185], rtol=1e-15)


def test_integers_and_single_precision_become_doubles() -> None:
    neuron = make(LIF, NUMBERS, R=np.float32(2.5), threshold=np.array([-40, -41], dtype=np.int8))
    assert neuron.R == 2.5 and type(neuron.R) is float
    assert neuron.threshold.dtype == np.float64 and neuron.threshold.tolist() == [-40.0, -41.0]


def test_a_groups_variables_are_values_too() -> None:
    group = make(LIF, tau=spread(SI["tau"])).group(I=1 * nA)
    neuron = make(LIF, tau=group.tau, v_rest=group.v_rest, init_v=group.v)
    group.tau = 50 * ms
    np.testing.assert_allclose(neuron.tau / ms, [19.0, 19.19, 19.38], rtol=1e-14)
    np.testing.assert_allclose(neuron.init_v / mV, [-69.0] * 3, rtol=1e-14)
    assert np.allclose(neuron.v_rest / mV, -69.0, rtol=1e-14)


# ---------------------------------------------------------------- copies


REPLACERS: list[Callable[..., Any]] = [LIF.replace, dataclasses.replace]
if sys.version_info >= (3, 13):
    REPLACERS.append(copy.replace)


@pytest.mark.parametrize("replace", REPLACERS, ids=lambda f: f"{f.__module__}.{f.__qualname__}")
@every_model
def test_copies_with_changes(model: type[LIF], replace: Callable[..., Any]) -> None:
    neuron = make(model, init_v=-60 * mV, init_s=[True, False], tau=[19, 21] * ms)
    changed = replace(neuron, v_rest=-71 * mV, init_s=None)
    assert type(changed) is model
    assert changed == make(model, init_v=-60 * mV, tau=[19, 21] * ms, v_rest=-71 * mV)
    assert neuron.v_rest == -69 * mV
    with pytest.raises(ValueError, match=f"{model.__name__}: tau = 0. s is not positive"):
        replace(neuron, tau=0 * ms)


def test_replace_names_what_it_does_not_know() -> None:
    with pytest.raises(TypeError, match=r"LIF has no parameter 'taw' \(did you mean 'tau'\?\)"):
        make(LIF).replace(taw=3 * ms)


# ---------------------------------------------------------------- equality


@pytest.mark.parametrize(
    "changes",
    [
        {"threshold": 500 * mV},
        {"tau": 19 * ms},
        {"v_rest": -0.0 * volt},
        {"v_rest": np.array([-69e-3, -70e-3]) * volt},
        {"init_v": "v_rest + 3*mV", "init_s": [1, 0]},
    ],
    ids=["volt", "second", "minus zero", "array", "initial"],
)
def test_models_of_equal_values_are_equal(changes: dict[str, Any]) -> None:
    same = {
        "threshold": 0.5 * volt,
        "tau": Quantity(0.019, dim=second.dim),
        "v_rest": 0 * mV if np.ndim(changes.get("v_rest")) == 0 else [-69, -70] * mV,
        "init_v": "v_rest + 3*mV",
        "init_s": np.array([True, False]),
    }
    one, two = make(LIF, **changes), make(LIF, **{name: same[name] for name in changes})
    assert one == two and hash(one) == hash(two)
    assert len({one, two}) == 1


@every_parameter
def test_models_that_differ_in_one_value_differ(model: type[LIF], name: str) -> None:
    other = make(model, **{name: SI[name] * 1.01})
    assert make(model) != other
    assert make(model, **{name: spread(SI[name])}) != make(model)
    assert make(model, **{name: spread(SI[name])}) == make(model, **{name: spread(SI[name])})


@pytest.mark.parametrize(
    "changes",
    [
        {"init_v": -69 * mV},
        {"init_v": "v_rest"},
        {"init_s": True},
        {"init_s": False},
        {"omega": 0 * pA},
        {"beta": 55 * pA / second},
    ],
    ids=str,
)
def test_models_that_differ_in_one_option_differ(changes: dict[str, Any]) -> None:
    assert make(AELIF) != make(AELIF, **changes)


def test_models_of_different_classes_and_dimensions_differ() -> None:
    assert make(ELIF) != make(AELIF)
    assert make(LIF) != "LIF"
    assert make(LIF, NUMBERS) != make(LIF)
    assert make(LIF) != LIF(480e6 * ohm * meter**2, *[SI[n] for n in CONEX_ORDER[LIF][1:]])


# ---------------------------------------------------------------- pickling


@pytest.mark.parametrize(
    "neuron",
    [
        make(LIF),
        make(ELIF, NUMBERS),
        make(AELIF, tau=spread(19 * ms), init_v="v_rest + rand()*5*mV", omega=[1, 2, 3] * pA),
        make(AELIF, DENSITY, init_s=[True, False], beta=[1, 2] * amp / meter**2 / second),
        Quadratic(*[SI[n] for n in CONEX_ORDER[LIF]], curvature=0.7, v_scale=[3, 4] * mV),
    ],
    ids=lambda neuron: type(neuron).__name__,
)
def test_models_survive_pickling_and_copying(neuron: LIF) -> None:
    for twin in (pickle.loads(pickle.dumps(neuron)), copy.copy(neuron), copy.deepcopy(neuron)):
        assert twin == neuron and type(twin) is type(neuron)
        assert hash(twin) == hash(neuron) and repr(twin) == repr(neuron)
        for value in twin.given().values():
            assert not (isinstance(value, np.ndarray) and value.ndim and value.flags.writeable)


# ---------------------------------------------------------------- fragments


def test_fragments_are_extended_by_inheritance() -> None:
    assert LIF.F == "v_rest - v" and LIF.RI == "R*I"
    assert ELIF.F == LIF.F + " + delta*exp((v - theta_rh)/delta)" and ELIF.RI == LIF.RI
    assert AELIF.F == ELIF.F and AELIF.RI == ELIF.RI + " - R*omega"
    assert "F" not in vars(AELIF) and "RI" not in vars(ELIF)


def test_no_fragment_is_typed_twice() -> None:
    code = "".join(inspect.getsource(model).replace(model.__doc__ or "", "") for model in MODELS)
    code = re.sub(r'"""(.|\n)*?"""', "", code)
    for fragment in ('"v_rest - v', '"R*I', "delta*exp(", "R*omega", "alpha*(v - v_rest)"):
        assert code.count(fragment) == 1, fragment


@every_model
def test_a_subclass_of_the_users_extends_what_is_simulated(model: type[LIF]) -> None:
    lines = str(make(model).template(I=1 * nA).model)
    for term in ("v_rest", "R*I", *["exp("] * (model is not LIF), *["R*omega"] * (model is AELIF)):
        assert term in lines


# ---------------------------------------------------------------- dimensions


@pytest.mark.parametrize(
    ("values", "current"),
    [(SI, amp), (NUMBERS, None), (DENSITY, amp / meter**2)],
    ids=["SI", "numbers", "density"],
)
@every_model
def test_dimensions_follow_from_v_rest_and_R(
    model: type[LIF], values: dict[str, Any], current: Any
) -> None:
    dim = Quantity(1.0).dim if current is None else current.dim
    neuron = make(model, values)
    assert neuron.dimensions["current"] == (dim,)
    assert neuron.dimensions["time"] == (second.dim,)
    group = neuron.group(2)
    assert group.variables["I"].dim is dim
    if model is AELIF:
        assert group.variables["omega"].dim is dim


def test_a_voltage_as_input_makes_R_a_number() -> None:
    neuron = make(LIF, R=1.5)
    assert neuron.dimensions["current"] == (volt.dim,)


@pytest.mark.parametrize("R", [3 * second, 4 * amp, 2 * volt, 5 * nS], ids=str)
def test_R_of_no_resistance_is_refused(R: Any) -> None:
    with pytest.raises(
        DimensionMismatchError,
        match=r"LIF: R = .* does not fit v_rest = -69. mV.*R needs ohm .*ohm\*meter\*\*2 .*number",
    ):
        make(LIF, R=R)


WRONG_UNIT = {
    "R": 3 * second, "threshold": 3 * amp, "tau": 3 * mV, "v_reset": 3 * ms, "v_rest": 3 * pA,
    "delta": 3 * ms, "theta_rh": 3 * nS, "alpha": 3 * Mohm, "beta": 3 * nS, "w_tau": 3 * nA,
}  # fmt: skip


@every_parameter
def test_a_value_of_a_wrong_dimension_is_refused(model: type[LIF], name: str) -> None:
    with pytest.raises(DimensionMismatchError, match=rf"{model.__name__}: .*\b{name} = "):
        make(model, **{name: WRONG_UNIT[name]})
    with pytest.raises(DimensionMismatchError, match=rf"{model.__name__}: .*\b{name} = "):
        make(model, **{name: [1, 2, 3] * kilogram})
    make(model)


@pytest.mark.parametrize(("model", "name"), TIMES)
@pytest.mark.parametrize("values", [SI, NUMBERS], ids=["SI", "numbers"])
def test_a_bare_number_for_a_time_is_refused(
    model: type[LIF], name: str, values: dict[str, Any]
) -> None:
    with pytest.raises(
        DimensionMismatchError,
        match=rf"{model.__name__}: {name} = 20.* without unit, but needs a time, for ex",
    ):
        make(model, values, **{name: 20})


@pytest.mark.parametrize(
    ("name", "needed"),
    [
        ("threshold", "volt"), ("v_reset", "volt"), ("delta", "volt"), ("theta_rh", "volt"),
        ("alpha", "siemens"), ("beta", "amp"), ("init_v", "volt"), ("omega", "amp"),
    ],
)  # fmt: skip
def test_a_bare_number_in_a_model_with_units_is_refused(name: str, needed: str) -> None:
    with pytest.raises(
        DimensionMismatchError,
        match=rf"AELIF: {name} = 0.125 is a number without unit, but needs a value in {needed}",
    ):
        make(AELIF, **{name: 0.125})
    with pytest.raises(
        DimensionMismatchError, match=rf"AELIF: {name} = .* but needs a number without unit"
    ):
        make(AELIF, NUMBERS, **{name: SI.get(name, {"omega": 3 * pA}.get(name, -60 * mV))})


# ---------------------------------------------------------------- beta


@pytest.mark.parametrize(
    ("values", "beta", "jump"),
    [
        (SI, 55 * pA, "beta"),
        (SI, [55, 56] * pA, "beta"),
        (SI, 55 * pA / ms, "beta*dt"),
        (NUMBERS, 0.055, "beta"),
        (NUMBERS, 0.055 / ms, "beta*dt"),
        (DENSITY, 3 * amp / meter**2, "beta"),
        (DENSITY, [3, 4] * amp / meter**2 / second, "beta*dt"),
    ],
    ids=["SI", "array", "CoNeX", "numbers", "numbers, CoNeX", "density", "density, CoNeX"],
)
def test_the_dimension_of_beta_says_what_a_spike_adds(
    values: dict[str, Any], beta: Any, jump: str
) -> None:
    neuron = make(AELIF, values, beta=beta)
    assert neuron.reset == f"v = v_reset\nomega = omega + {jump}"
    dt = 0.37 * ms
    group = neuron.group(2, dt=dt, method="euler")
    group.v = neuron.threshold * 0.5  # all fire in the first step
    group.I = 0
    run(dt)
    before = neuron.alpha * (neuron.threshold - neuron.v_rest)
    before *= dt / neuron.w_tau
    expected = before + (neuron.beta if jump == "beta" else neuron.beta * dt)
    np.testing.assert_allclose(
        np.asarray(group.omega), np.broadcast_to(np.asarray(expected), 2), rtol=1e-12
    )


@pytest.mark.parametrize("beta", [3 * nS, 3 * mV, 3 * second, 3 * amp * second, 3], ids=str)
def test_beta_of_another_dimension_gets_both_readings(beta: Any) -> None:
    with pytest.raises(
        DimensionMismatchError,
        match=r"AELIF: beta = .* but needs a value in amp or a value in .*amp.*, since .*"
        r"A current is what a spike adds to omega; a current per time is added times dt, as CoNeX",
    ):
        make(AELIF, beta=beta)


# ---------------------------------------------------------------- refused values


@every_parameter
@pytest.mark.parametrize("bad", [nan, inf, -inf])
def test_nan_and_infinity_are_refused(model: type[LIF], name: str, bad: float) -> None:
    unit = SI[name] / float(SI[name] / Quantity(1, dim=SI[name].dim))
    with pytest.raises(ValueError, match=rf"{model.__name__}: {name} = .* is not finite\. Give"):
        make(model, **{name: bad * unit})
    array = spread(SI[name])
    array[1] = bad * unit
    with pytest.raises(
        ValueError, match=rf"{model.__name__}: {name} = .* is not finite for neuron 1\."
    ):
        make(model, **{name: array})


@every_parameter
@pytest.mark.parametrize(
    "bad",
    [
        "20*ms", b"20", None, True, np.True_, 1j, 2j * mV, [1j, 2], ["a"], [None, 1], {}, {1: 2},
        {3}, SimpleNamespace(),
        np.array([1, 2], dtype=object), np.array([True, False]), np.array(["1"]),
        [[1], [2, 3]], lambda: 1, np.datetime64("2020"),
    ],
    ids=lambda bad: type(bad).__name__,
)  # fmt: skip
def test_what_is_no_real_number_is_refused(model: type[LIF], name: str, bad: Any) -> None:
    with pytest.raises(
        TypeError, match=rf"{model.__name__}: {name} = .*: it needs a number or a Quantity, not "
    ):
        make(model, **{name: bad})


@every_parameter
def test_empty_arrays_and_matrices_are_refused(model: type[LIF], name: str) -> None:
    needs = rf"{model.__name__}: {name} = .*: it needs a number or a Quantity"
    with pytest.raises(ValueError, match=rf"{needs}.* the array is empty\."):
        make(model, **{name: [] * SI[name]})
    with pytest.raises(ValueError, match=rf"{needs}: a scalar or one value a neuron, not 2 dim"):
        make(model, **{name: np.ones((2, 3)) * SI[name]})


@every_parameter
def test_quantities_of_mixed_dimensions_are_refused_by_name(model: type[LIF], name: str) -> None:
    with pytest.raises(DimensionMismatchError, match=rf"{model.__name__}: {name} = "):
        make(model, **{name: [SI[name], 3 * kilogram]})


@every_parameter
def test_arrays_of_different_lengths_are_refused(model: type[LIF], name: str) -> None:
    names = CONEX_ORDER[model]
    other = names[(names.index(name) + 2) % len(names)]
    message = rf"{model.__name__}: \w+ has [34] values, but \w+ has [34]\. Each array needs one"
    with pytest.raises(ValueError, match=message) as caught:
        make(model, **{name: spread(SI[name], 3), other: spread(SI[other], 4)})
    assert f"{name} has" in str(caught.value) and f"{other} has" in str(caught.value)
    make(model, **{name: spread(SI[name], 3), other: spread(SI[other], 3)})


@pytest.mark.parametrize(
    ("model", "name"), [(m, n) for m in MODELS for n in ("init_v", "init_s")] + [(AELIF, "omega")]
)
def test_initial_values_are_as_many_as_the_parameters(model: type[LIF], name: str) -> None:
    value = {"init_v": [-60, -61] * mV, "init_s": [True, False], "omega": [1, 2] * pA}[name]
    with pytest.raises(ValueError, match=rf"{name} has 2 values, but tau has 3"):
        make(model, tau=spread(19 * ms), **{name: value})
    assert make(model, tau=[19, 20] * ms, **{name: value}).group().N == 2


@pytest.mark.parametrize(("model", "name"), POSITIVE)
@pytest.mark.parametrize("factor", [0.0, -0.0, -1.0])
def test_values_that_must_be_positive(model: type[LIF], name: str, factor: float) -> None:
    with pytest.raises(
        ValueError, match=rf"{model.__name__}: {name} = .* is not positive: it need"
    ):
        make(model, **{name: SI[name] * factor})
    with pytest.raises(
        ValueError, match=rf"{model.__name__}: {name} = .* not positive for neuron 2"
    ):
        make(model, **{name: SI[name] * [1, 2, factor]})


@every_parameter
def test_magnitudes_beyond_double_precisions_reach_are_refused(model: type[LIF], name: str) -> None:
    unit = SI[name] / float(SI[name] / Quantity(1, dim=SI[name].dim))
    with pytest.raises(ValueError, match=rf"{model.__name__}: {name} = .* is too large: .* 1e\+30"):
        make(model, **{name: 1e301 * unit})


@every_model
@pytest.mark.parametrize("v_reset", [-31 * mV, -30.999 * mV, 5 * mV], ids=str)
def test_a_reset_at_or_above_the_threshold_is_refused(model: type[LIF], v_reset: Any) -> None:
    with pytest.raises(
        ValueError, match=rf"{model.__name__}: v_reset = .* is not below threshold = -31. mV: the"
    ):
        make(model, v_reset=v_reset)
    make(model, v_reset=-31.001 * mV)


@pytest.mark.parametrize(
    ("v_reset", "threshold", "which"),
    [
        ([-57, -58, -59] * mV, [-31, -58, -40] * mV, 1),
        (-57 * mV, [-31, -40, -57.5] * mV, 2),
        ([-31, -32, -33] * mV, -31 * mV, 0),
    ],
)
def test_the_message_says_which_neuron_would_fire_forever(
    v_reset: Any, threshold: Any, which: int
) -> None:
    with pytest.raises(ValueError, match=rf"is not below threshold = .* for neuron {which}: "):
        make(LIF, v_reset=v_reset, threshold=threshold)


@pytest.mark.parametrize("model", [ELIF, AELIF])
def test_an_upswing_too_sharp_for_double_precision_is_refused(model: type[LIF]) -> None:
    with pytest.raises(ValueError, match=rf"{model.__name__}: delta = .* is too small .*theta_rh"):
        make(model, delta=1e-15 * mV)
    make(model, delta=1e-9 * mV)


# ---------------------------------------------------------------- zero


@pytest.mark.parametrize(
    ("name", "zero"),
    [
        ("v_rest", 0 * mV), ("v_reset", 0 * mV), ("threshold", 0 * mV), ("theta_rh", 0 * mV),
        ("alpha", 0 * nS), ("beta", 0 * pA), ("init_v", 0 * mV), ("omega", 0 * pA),
    ],
)  # fmt: skip
def test_zero_is_a_value(name: str, zero: Any) -> None:
    shift = 40 * mV if name == "v_reset" else 0 * mV
    neuron = make(AELIF, **{"threshold": -31 * mV + shift, name: zero})
    assert getattr(neuron, name) == zero and getattr(neuron, name) is not None
    group = neuron.group(2)
    variable = "v" if name == "init_v" else name
    assert np.all(np.asarray(getattr(group, variable)) == 0)


@pytest.mark.parametrize("name", ["v_rest", "v_reset", "threshold", "theta_rh", "alpha", "beta"])
def test_zero_is_a_value_without_units(name: str) -> None:
    top = 31.0 if name == "v_reset" else -31.0
    neuron = make(AELIF, NUMBERS, **{"threshold": top, name: 0})
    assert getattr(neuron, name) == 0


# ---------------------------------------------------------------- initial values


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (None, [-69.0, -70.0]),
        (-61 * mV, [-61.0, -61.0]),
        ([-61, -62] * mV, [-61.0, -62.0]),
        ("v_rest + 3*mV", [-66.0, -67.0]),
        ("v_reset + i*2*mV", [-57.0, -55.0]),
    ],
)
def test_v_starts_where_init_v_says(given: Any, expected: list[float]) -> None:
    group = make(LIF, v_rest=[-69, -70] * mV, init_v=given).group(2)
    np.testing.assert_allclose(group.v / mV, expected, rtol=1e-13)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (None, [0.0, 0.0]),
        (3 * pA, [3.0, 3.0]),
        ([3, -4] * pA, [3.0, -4.0]),
        ("alpha*2*mV*(1 + i)", [1.2, 2.4]),
    ],
)
def test_omega_starts_where_it_is_said(given: Any, expected: list[float]) -> None:
    group = make(AELIF, omega=given).group(2)
    np.testing.assert_allclose(group.omega / pA, expected, rtol=1e-13)


@pytest.mark.parametrize("given", [True, False, 1, 0, np.bool_(True), 1.0], ids=repr)
def test_init_s_takes_a_flag(given: Any) -> None:
    assert make(LIF, init_s=given).init_s is bool(given)


@pytest.mark.parametrize("given", [[1, 0, 1], (True, False, True), np.array([1.0, 0.0, 1.0])])
def test_init_s_takes_flags(given: Any) -> None:
    assert make(LIF, init_s=given).init_s.tolist() == [True, False, True]


@pytest.mark.parametrize(
    "bad", [2, 0.5, nan, [0, 2], ["a"], 3 * mV, SimpleNamespace(), [[True]], [[1], [0, 1]]], ids=str
)
def test_init_s_of_another_kind_is_refused(bad: Any) -> None:
    with pytest.raises(TypeError, match=r"LIF: init_s = .*: it needs True or False"):
        make(LIF, init_s=bad)


def test_init_s_must_not_be_empty() -> None:
    with pytest.raises(ValueError, match="LIF: init_s is empty"):
        make(LIF, init_s=[])


@pytest.mark.parametrize("bad", [True, 1j, SimpleNamespace(), [None], b"v_rest"], ids=str)
@pytest.mark.parametrize("name", ["init_v", "omega"])
def test_initial_values_of_another_kind_are_refused(name: str, bad: Any) -> None:
    with pytest.raises(TypeError, match=rf"AELIF: {name} = .*: it needs a number or a Quantity"):
        make(AELIF, **{name: bad})


@pytest.mark.parametrize(("name", "unit"), [("init_v", mV), ("omega", pA)])
def test_initial_values_are_checked_like_parameters(name: str, unit: Any) -> None:
    with pytest.raises(ValueError, match=rf"AELIF: {name} = .* is not finite for neuron 1"):
        make(AELIF, **{name: [1, nan] * unit})
    with pytest.raises(DimensionMismatchError, match=rf"AELIF: {name} = 3. kg is a value in kilog"):
        make(AELIF, **{name: 3 * kilogram})


# ---------------------------------------------------------------- printing


@every_model
def test_print_shows_class_values_equations_threshold_and_reset(model: type[LIF]) -> None:
    neuron = make(model, init_s=[True, False], tau=[19, 23] * ms)
    text = str(neuron)
    lines = [line.strip() for line in text.splitlines()]
    assert lines[0] == model.__name__
    for name in CONEX_ORDER[model]:
        assert any(re.match(rf"{name} += ", line) for line in lines), name
    shown = {line.split(" = ")[0].strip(): line.split(" = ")[1] for line in lines if " = " in line}
    assert shown["v_rest"].replace(".", "") == "-69 mV" and "480" in text.replace("0.48 G", "480")
    assert shown["tau"].replace(".", "") == "19 ms to 23 ms (2 values)"
    assert shown["init_v"] == "v_rest"
    assert f"tau*dv/dt = {model.F} + {model.RI}" in lines
    assert lines.index("equations") < lines.index("threshold") < lines.index("reset")
    assert "v >= threshold" in lines and "v = v_reset" in lines
    assert ("omega = omega + beta" in lines) == (model is AELIF)
    assert any(line.startswith("domega/dt = ") for line in lines) == (model is AELIF)


def test_print_shows_expressions_and_zeros() -> None:
    text = str(make(AELIF, init_v="v_rest + rand()*5*mV", omega=0 * pA, alpha=0 * nS))
    assert "v_rest + rand()*5*mV" in text
    assert re.search(r"omega +=\s+0", text) and re.search(r"alpha +=\s+0", text)


def test_repr_makes_the_model_again() -> None:
    import brian2

    neuron = make(AELIF, tau=[19, 23] * ms, init_v="v_rest", omega=2 * pA)
    scope = {**vars(brian2), "AELIF": AELIF}
    twin = eval(repr(neuron), scope)
    np.testing.assert_allclose(np.asarray(twin.tau), [0.019, 0.023], rtol=1e-8)
    assert (twin.init_v, twin.init_s) == ("v_rest", None) and repr(twin) == repr(neuron)


@pytest.mark.parametrize("neuron", [make(m) for m in MODELS], ids=lambda n: type(n).__name__)
def test_latex_is_balanced_and_derives_from_the_fragments(neuron: LIF) -> None:
    text = neuron._repr_latex_()
    assert text.startswith("$$") and text.endswith("$$") and text.count("$") == 4
    assert text.count("{") == text.count("}") and text.count(r"\left") >= text.count(r"\right")
    assert text.count(r"\begin{aligned}") == text.count(r"\end{aligned}") == 1
    assert (r"\delta" in text) == (neuron.F != LIF.F)
    assert (r"\omega" in text) == ("omega" in neuron.RI)
    assert r"\leftarrow v_{reset}" in text


def test_latex_follows_a_subclass() -> None:
    neuron = Quadratic(*[SI[n] for n in CONEX_ORDER[LIF]], curvature=0.7, v_scale=3 * mV)
    assert "curvature" in neuron._repr_latex_() and "v_{scale}" in neuron._repr_latex_()


# ---------------------------------------------------------------- a user's own model


def test_a_users_quadratic_model_simulates() -> None:
    """tau*x' = x*(k*x/s - 1), x = v - v_rest, has x = x0/(q + (1 - q)*exp(t/tau)), q = k*x0/s."""
    values = [SI[n] for n in CONEX_ORDER[LIF]]
    k, s = 0.7, [33, 35] * mV
    start = [10, 20] * mV
    group = Quadratic(*values, curvature=k, v_scale=s, init_v=-69 * mV + start).group(2)
    run(12 * ms)
    q = k * start / s
    expected = start / (q + (1 - q) * np.exp(12 / 19))
    np.testing.assert_allclose((group.v + 69 * mV) / mV, expected / mV, rtol=1e-8)


def test_a_users_quadratic_model_spikes_and_is_bounded() -> None:
    values = [SI[n] for n in CONEX_ORDER[LIF]]
    neuron = Quadratic(*values, curvature=0.7, v_scale=3 * mV)
    assert neuron.template().method == "rk4"
    group = neuron.group(1, I=1 * nA)
    run(100 * ms)
    assert np.isfinite(group.v / mV).all() and group.v[0] < -31 * mV


def test_a_users_model_is_checked_as_ours() -> None:
    values = [SI[n] for n in CONEX_ORDER[LIF]]
    with pytest.raises(ValueError, match=r"Quadratic: v_scale = 0\. V is not positive"):
        Quadratic(*values, curvature=0.7, v_scale=0 * mV)
    with pytest.raises(DimensionMismatchError, match=r"Quadratic: curvature = .* without unit"):
        Quadratic(*values, curvature=0.7 * mV, v_scale=1 * mV)
    with pytest.raises(TypeError, match=r"Quadratic has no parameter 'curvatur' \(did you mean"):
        Quadratic(*values, curvatur=0.7, v_scale=1 * mV)


def test_a_users_further_state_simulates() -> None:
    """Both equations are linear: compare with the matrix exponential."""
    values = [SI[n] for n in CONEX_ORDER[LIF]]
    neuron = Slow(*values, g_slow=1.3 * nS, tau_slow=41 * ms, slow=2 * pA, init_v=-65 * mV)
    group = neuron.group(1, I=11 * pA, dt=0.05 * ms)
    assert str(neuron).count("dslow/dt = ") == 1
    run(30 * ms)
    # In mV, pA, ms: x = v - v_rest, R in mV/pA.
    R, tau, g, slow = 0.48, 19.0, 1.3, 41.0
    matrix = np.array([[-1 / tau, -R / tau], [g / slow, -1 / slow]])
    steady = -np.linalg.solve(matrix, [R * 11.0 / tau, 0.0])
    x, w = steady + expm(matrix * 30.0) @ (np.array([4.0, 2.0]) - steady)
    np.testing.assert_allclose(group.v / mV, [x - 69.0], rtol=1e-9)
    np.testing.assert_allclose(group.slow / pA, [w], rtol=1e-9)


def test_units_are_written_without_powers_of_one() -> None:
    # Which Brian2 takes for quantities, not units, before numpy 2.3.
    assert unit_text((amp / meter**2).dim) == "metre**-2*amp"
    assert unit_text((amp / second).dim) == "second**-1*amp"
    assert unit_text(volt.dim) == "volt"
