"""Models as text and back: exact; what is foreign or hostile gets one line, and is never run."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
from brian2 import (
    DimensionMismatchError,
    Gvolt,
    Mohm,
    Quantity,
    cm,
    metre,
    ms,
    mV,
    nA,
    nS,
    pA,
    uA,
    us,
    volt,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from conex_brian import AELIF, LIF, from_dict, presets
from conex_brian.quantities import LONGEST_TEXT, quantity
from conex_brian.serial import from_json
from neurons import DENSITY, MODELS, NUMBERS, SI, arguments, make, spread

REFUSED = (TypeError, ValueError, DimensionMismatchError)
PLAIN: dict[str, Any] = make(AELIF).to_dict()


def same_bits(one: Any, other: Any) -> bool:
    """Say whether two models hold the same values to the last bit, in the same form."""
    a, b = one.given(), other.given()
    return (
        type(one) is type(other) and list(a) == list(b) and all(map(same, a.values(), b.values()))
    )


def same(one: Any, other: Any) -> bool:
    if isinstance(one, str) or isinstance(other, str):
        return type(one) is type(other) and one == other
    dims = [getattr(value, "dim", None) for value in (one, other)]
    arrays = [np.asarray(value) for value in (one, other)]
    return (
        dims[0] is dims[1]
        and arrays[0].dtype == arrays[1].dtype
        and arrays[0].shape == arrays[1].shape
        and arrays[0].tobytes() == arrays[1].tobytes()
    )


def through_files(model: LIF, **options: Any) -> list[LIF]:
    """Return a model as it comes out of a dictionary and of a JSON file."""
    data = model.to_dict()
    return [from_dict(data, **options), from_json(json.dumps(data, allow_nan=False), **options)]


# ------------------------------------------------------------------ there and back


@pytest.mark.parametrize("values", [SI, NUMBERS, DENSITY], ids=["SI", "numbers", "density"])
@pytest.mark.parametrize("model", MODELS)
def test_there_and_back_is_exact(model: type[LIF], values: dict[str, Any]) -> None:
    neuron = make(model, values)
    for back in through_files(neuron):
        assert same_bits(back, neuron) and back == neuron


@pytest.mark.parametrize("name", presets.names())
def test_presets_there_and_back(name: str) -> None:
    neuron = presets.load(name).neuron
    assert all(same_bits(back, neuron) for back in through_files(neuron))


AWKWARD = [
    0.1 * mV, 1e-320 * volt, -0.0 * volt, 5e-324 * volt, 1 / 3 * mV, 1e29 * volt, -70.6 * mV,
    np.nextafter(-0.07, 0) * volt, 2.5e-17 * volt, 0.1 * volt + 0.2 * volt,
]  # fmt: skip


@pytest.mark.parametrize("value", AWKWARD, ids=str)
def test_awkward_values_keep_every_bit(value: Any) -> None:
    neuron = make(AELIF, threshold=1e30 * volt, v_reset=-1 * volt, init_v=value)
    assert all(same_bits(back, neuron) for back in through_files(neuron))


@settings(max_examples=150, deadline=None)
@given(
    st.lists(st.floats(-1e30, 1e30), min_size=1, max_size=4),
    st.sampled_from([volt, pA, None, Mohm, ms, uA / cm**2, pA / ms, metre**-3]),
)
def test_any_double_in_any_unit_keeps_every_bit(numbers: list[float], unit: Any) -> None:
    from conex_brian.serial import _read, _written

    array = np.array(numbers) if unit is None else Quantity(numbers, dim=unit.dim)
    assert same(_read("x", _written(array)), array)
    assert same(_read("x", json.loads(json.dumps(_written(array[0])))), array[0])


def test_arrays_initial_values_and_flags_there_and_back() -> None:
    neuron = make(
        AELIF,
        threshold=spread(SI["threshold"]),
        tau=[19, 0.7, 23.5] * ms,
        beta=spread(SI["beta"]),
        init_v=spread(-66 * mV),
        init_s=[True, False, True],
        init_I=0.3 * nA,
        omega=0 * pA,
    )
    data = neuron.to_dict()
    assert data["init_s"] == [True, False, True] and data["omega"] == "0 A"
    assert data["tau"] == ["19 ms", "700 us", "23.5 ms"]
    assert all(same_bits(back, neuron) for back in through_files(neuron))
    one = make(LIF, init_s=True)
    assert all(same_bits(back, one) for back in through_files(one))


def test_yaml_there_and_back() -> None:
    yaml = pytest.importorskip("yaml")
    array = make(AELIF, tau=[19, 0.7] * ms, init_s=[True, False], init_I=1e-320 * nA)
    for neuron in (array, *(presets.load(name).neuron for name in presets.names())):
        assert same_bits(from_dict(yaml.safe_load(yaml.safe_dump(neuron.to_dict()))), neuron)


def test_beta_per_time_stays_per_time() -> None:
    neuron = make(AELIF, beta=2.5 * pA / ms)
    assert neuron.to_dict()["beta"] == "2.4999999999999996 nA/s"
    assert all(back.jumps == {"omega": "beta*dt"} for back in through_files(neuron))


def test_text_is_what_a_person_would_write() -> None:
    assert PLAIN == {
        "model": "AELIF", "R": "480 Mohm", "threshold": "-31 mV", "tau": "19 ms",
        "v_reset": "-57 mV", "v_rest": "-69 mV", "delta": "2.1 mV", "theta_rh": "-51 mV",
        "alpha": "600 pS", "beta": "55 pA", "w_tau": "33 ms",
    }  # fmt: skip


def test_what_a_person_writes_is_read() -> None:
    written = {
        **PLAIN, "R": "480*Mohm", "tau": "0.019 s", "v_rest": " -6.9e1mV ", "alpha": ".6 nS",
        "beta": "+55.pamp",
    }  # fmt: skip
    with pytest.raises(ValueError, match=r"beta: there is no unit 'pamp'"):
        from_dict(written)
    assert from_dict({**written, "beta": "+55.pA"}) == make(AELIF)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("65pA", 65e-12), ("-0.4/ms", -400.0), ("0.2 uA/cm**2", 2e-3), ("3 uA / cm^2", 3e-2),
        ("17000 ohm*cm**2", 1.7), ("2 kilogram", 2.0), ("1e-3 V*s**-1", 1e-3), ("12", 12.0),
    ],
)  # fmt: skip
def test_units_are_read(text: str, value: float) -> None:
    assert float(np.asarray(quantity("x", text))) == pytest.approx(value, rel=4e-16, abs=0)


@pytest.mark.parametrize("number", [65, -70.6, 0.1, 1e-3, 480, 80.5, -51])
def test_a_text_is_what_python_computes(number: float) -> None:
    units = {"mV": mV, "pA": pA, "nA": nA, "Mohm": Mohm, "ms": ms, "nS": nS, "us": us, "GV": Gvolt}
    for name, unit in units.items():
        assert same(quantity("x", f"{number}{name}"), number * unit), name


def test_expressions_are_marked_and_read_only_on_demand() -> None:
    neuron = make(LIF, init_v="v_rest + rand()*5*mV")
    data = neuron.to_dict()
    assert data["init_v"] == {"expression": "v_rest + rand()*5*mV"}
    with pytest.raises(ValueError, match=r"becomes code .* from_dict\(\.\.\., expressions=True\)"):
        from_dict(data)
    assert all(same_bits(back, neuron) for back in through_files(neuron, expressions=True))
    with pytest.raises(TypeError, match=r"LIF: R = a dict: it needs a text"):
        from_dict({**data, "R": {"expression": "5*Mohm"}}, expressions=True)


def test_classes_of_ones_own_are_read_where_they_are_named() -> None:
    class Mine(LIF):
        F: ClassVar[str] = "2*(v_rest - v)"

    neuron = make(Mine)
    with pytest.raises(ValueError, match="model = 'Mine': it needs one of LIF, ELIF, AELIF"):
        from_dict(neuron.to_dict())
    assert same_bits(from_dict(neuron.to_dict(), models=[Mine]), neuron)


# ------------------------------------------------------------------ what is refused

#: What would leave a mark if anything were evaluated.
MARK = "conex_brian_was_here"
CODE = [
    f"__import__('sys').__dict__.setdefault('{MARK}', 1)",
    f"exec('import sys; sys.{MARK} = 1')",
    f"open('{MARK}', 'w').close()",
    f"[setattr(__import__('sys'), '{MARK}', 1)][0]",
    f"().__class__.__base__.__subclasses__() or '{MARK}'",
    f"$(touch {MARK})",
    f"`touch {MARK}`",
    f"!!python/object/apply:os.system ['touch {MARK}']",
    f"{{{{ ''.__class__ }}}} {MARK}",
    f"lambda: open('{MARK}', 'w')",
]
NUMBERS_THAT_ARE_NONE = [
    "", " ", "mV", "-", "+", ".", "e5", "1e", "--5 mV", "5 5 mV", "0x10 mV", "1_000 mV", "1,5 mV",
    "\u0663 mV", "\uff15 mV", "\u00bd mV",
    "5 mV mV", "5 mV**", "5 mV**x", "5 mV***2", "5 mV*", "5 mV/", "5 */mV",
    "5 (mV)", "5 mV; 6", "5 mV\n", "\n5 mV", "5\tmV", "5 mV\0", "\x00", "5\u00a0mV",
    "5 \u00b5V", "5 mv",
    "5 Volt", "5 mvolt", "5 v_rest", "5 __class__", "5 mV.real", "5 mV[0]", "5 %", "# 5",
    "nan", "nan mV", "inf mV", "-Infinity mV", "1e400 mV", "-1e999 mV", "1e99999 mV", "1e123456 mV",
    "9" * 5000, "9" * 5000 + " mV", "5 " + "m" * 5000, "5 mV" + "*mV" * 2000, "5 mV" + " " * 500,
    "\ud800", "5 mV\u202e", "5 mV\r\n-6 mV", "True", "None", "null", "5j mV", "(5 mV)", "'5 mV'",
    "-31 mV -31 mV", "5e5e5 mV", "5 mV^", "5 mV**100", "5 m**99999", "1/0 mV",
]  # fmt: skip


class Rude:
    """Prints itself in many lines, which leaves a mark."""

    def __repr__(self) -> str:
        setattr(sys, MARK, 1)
        return "many\nlines"

    __str__ = __repr__
    __float__ = __repr__  # type: ignore[assignment]


OBJECTS: list[Any] = [
    None, True, False, [], [[]], [["-31 mV"]], [[[[[[1]]]]]], {}, {"expression": "-31*mV"},
    {"value": -31, "unit": "mV"}, set(), {"-31 mV"}, b"-31 mV", bytearray(b"5"), 1j, 5 + 0j,
    math.nan, math.inf, -math.inf, 10**400, -(10**5000), 7, -31.0, object(), Rude(), [Rude()],
    ["-31 mV", None], ["-31 mV", True], ["-31 mV", "-31 pA"], ["-31 mV", -31], ["-31 mV", ""],
    -31 * mV, np.array([1.0]), np.float64(3), np.array("-31 mV"), Path("x"), print, LIF, Ellipsis,
    [float("nan")], [10**400], range(3), ("-31 mV", "x"), iter([1]), (), memoryview(b"1"),
]  # fmt: skip


def hostile() -> list[Any]:
    """Return dictionaries that are no model."""
    whole: list[Any] = [
        None,
        5,
        "AELIF",
        [],
        [PLAIN],
        [("model", "LIF")],
        b"{}",
        set(),
        Rude(),
        LIF,
    ]
    whole += [{}, {"model": "AELIF"}, {k: v for k, v in PLAIN.items() if k != "model"}]
    for title in [
        *CODE,
        *OBJECTS,
        "aelif",
        "AELIF ",
        "AELIF\0",
        "object",
        "conex_brian.LIF",
        "A" * 10**6,
    ]:
        whole.append({**PLAIN, "model": title})
    for name in [*CODE, "", "r", "R ", "__class__", "__init__", "to_dict", "F", "states", "given",
                 "init_x", "R" * 10**6, "\0", None, 5, ("R",), True, b"R", 1.5]:  # fmt: skip
        whole.append({**PLAIN, name: "5 mV"})
    for name in ("R", "tau", "threshold", "beta"):
        whole.append({k: v for k, v in PLAIN.items() if k != name})
    for value in [*CODE, *NUMBERS_THAT_ARE_NONE, *OBJECTS]:
        whole.append({**PLAIN, "threshold": value})
        whole.append({**PLAIN, "w_tau": value})
    for value in [*CODE, *OBJECTS, "-57", "-57 pA", {"expression": CODE[0]}]:
        if value is not None:
            whole.append({**PLAIN, "init_v": value})
    for value in [*CODE, 1, 0, "True", [1, 0], [[True]], [True, None], [], {}, Rude()]:
        whole.append({**PLAIN, "init_s": value})
    impossible = {
        "tau": "-19 ms", "R": "0 ohm", "v_reset": "-31 mV", "delta": "1e-30 V", "alpha": "5 mV",
        "beta": "55 pV", "theta_rh": "1e31 V",
    }  # fmt: skip
    return whole + [{**PLAIN, name: value} for name, value in impossible.items()]


JSON = json.dumps(PLAIN)
HOSTILE_JSON = [
    "", " ", "{", "}", "null", "5", "[]", '"AELIF"', "NaN", JSON[:-1], JSON + JSON, JSON + "x",
    "\ufeff" + JSON, "'" + JSON + "'", "// a comment\n" + JSON, JSON.replace('"', "'"),
    JSON.replace("-31 mV", "-31 mV\n"), JSON.replace('"-31 mV"', "NaN"),
    JSON.replace('"-31 mV"', "Infinity"), JSON.replace('"-31 mV"', "-Infinity"),
    JSON.replace('"-31 mV"', "1e999"), JSON.replace('"-31 mV"', "1" * 5000),
    JSON.replace('"-31 mV"', "-" + "9" * 400), JSON.replace('"-31 mV"', "true"),
    JSON.replace('"-31 mV"', "null"), JSON.replace('"-31 mV"', '"\\u0000"'),
    JSON.replace('"-31 mV"', '"\\ud800"'), JSON.replace('"-31 mV"', '"-31 mV'),
    JSON.replace('"-31 mV"', "0x1F"), JSON.replace('"-31 mV"', "[" * 100_000 + "]" * 100_000),
    "[" * 1_000_000, '{"a":' * 100_000, JSON[:-1] + ', "R": "480 Mohm"}',
    JSON[:-1] + ', "model": "LIF"}', JSON.replace('"-31 mV"', '{"expression": "x"}'),
    JSON[:-1] + ', "init_v": {"expression": "v_rest", "expression": "v_rest"}}',
    JSON.replace('"R"', '"\\u0052\\n"'), JSON.replace("AELIF", "__main__"), "\0" + JSON,
    *(JSON.replace('"-31 mV"', code) for code in CODE),
    *(JSON.replace('"-31 mV"', json.dumps(code)) for code in CODE),
]  # fmt: skip


def refused(call: Any, data: Any) -> None:
    """Check that ``call(data)`` is refused in one line."""
    with pytest.raises(REFUSED) as caught:
        call(data)
    message = str(caught.value)
    assert message and message.isprintable() and len(message) < 1000, repr(message)


@pytest.fixture
def _no_mark(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Check that nothing left a mark."""
    monkeypatch.chdir(tmp_path)
    yield
    assert not hasattr(sys, MARK) and MARK not in sys.__dict__
    assert not list(tmp_path.iterdir())


@pytest.mark.usefixtures("_no_mark")
def test_hostile_dictionaries_are_refused_in_one_line() -> None:
    cases = hostile()
    assert len(cases) > 400
    for data in cases:
        refused(from_dict, data)


@pytest.mark.usefixtures("_no_mark")
@pytest.mark.parametrize("text", HOSTILE_JSON, ids=range(len(HOSTILE_JSON)))
def test_hostile_json_is_refused_in_one_line(text: str) -> None:
    refused(from_json, text)


def test_the_marks_would_show(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for code in CODE[:4]:
        eval(code)
    assert (tmp_path / MARK).exists() and hasattr(sys, MARK)
    delattr(sys, MARK)


@pytest.mark.usefixtures("_no_mark")
def test_code_is_no_expression_until_it_is_allowed_and_even_then_not_run() -> None:
    for code in CODE:
        data = {**PLAIN, "init_v": {"expression": code}}
        refused(from_dict, data)
        neuron = from_dict(data, expressions=True)
        assert neuron.init_v == code
        with pytest.raises(ValueError, match="init_v"):
            neuron.group(1)


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=30)
    | st.from_regex(r"-?[0-9.eE+]{1,8} ?[a-zA-Z*/^0-9-]{0,8}", fullmatch=True),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3)
    ),
    max_leaves=5,
)  # fmt: skip


def answers(call: Any, data: Any) -> None:
    """Check that ``call(data)`` gives a model or is refused in one line: nothing else."""
    try:
        model = call(data)
    except REFUSED:
        refused(call, data)
    else:
        assert same_bits(from_dict(model.to_dict()), model)


@pytest.mark.usefixtures("_no_mark")
@settings(max_examples=150, deadline=None)
@given(st.sampled_from([*PLAIN, "init_v", "init_s", "omega", "other"]), JSON_VALUES)
def test_any_value_of_a_parameter_is_read_or_refused(name: str, value: Any) -> None:
    answers(from_dict, {**PLAIN, name: value})


@pytest.mark.usefixtures("_no_mark")
@settings(max_examples=150, deadline=None)
@given(st.integers(0, len(JSON)), st.integers(0, 12), st.text(max_size=6))
def test_json_with_a_part_replaced_is_read_or_refused(start: int, cut: int, text: str) -> None:
    answers(from_json, JSON[:start] + text + JSON[start + cut :])


# ------------------------------------------------------------------ what messages say


@pytest.mark.parametrize(
    ("changes", "kind", "message"),
    [
        ({"R": "480 Mohms"}, ValueError, r"R: there is no unit 'Mohms' \(did you mean 'Mohm'"),
        ({"R": "many"}, ValueError, "AELIF: R = 'many': it needs a number with its unit"),
        ({"R": None}, TypeError, "AELIF: R = None: it needs a text such as '-70 mV'"),
        ({"R": "480 MV"}, DimensionMismatchError, "AELIF: R = .* does not fit v_rest"),
        ({"tua": "3 ms"}, TypeError, r"AELIF has no parameter 'tua' \(did you mean 'tau'"),
        ({"model": "ALIF"}, ValueError, r"model = 'ALIF' \(did you mean '(AE)?LIF'"),
        ({"tau": ["1 ms", "2 mV"]}, DimensionMismatchError, "its values are in second and volt"),
        ({"init_s": 1}, TypeError, "init_s = 1: it needs true or false"),
        ({"tau": "1e999 s"}, ValueError, "tau = '1e999 s' is too large for a number"),
        ({"tau": 10**999}, ValueError, "tau has a number that is too large"),
        ({"tau": "1" * (LONGEST_TEXT + 1)}, ValueError, r"tau = '1+ \.\.\.: it needs a number"),
    ],
)  # fmt: skip
def test_message_says_what_and_how_to_mend_it(
    changes: dict[str, Any], kind: type[Exception], message: str
) -> None:
    with pytest.raises(kind, match=message):
        from_dict({**PLAIN, **changes})


def test_json_that_has_a_name_twice_is_refused() -> None:
    with pytest.raises(ValueError, match="The JSON text has 'R' twice"):
        from_json(JSON[:-1] + ', "R": "480 Mohm"}')


def test_too_long_a_json_is_not_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("conex_brian.serial.LONGEST_JSON", 20)
    with pytest.raises(ValueError, match="more than 20 are not read"):
        from_json(JSON)


def test_any_mapping_is_read() -> None:
    from types import MappingProxyType

    data: Mapping[str, Any] = MappingProxyType(PLAIN)
    assert from_dict(data) == make(AELIF) and arguments(AELIF)
