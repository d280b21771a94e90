"""A group is a plain NeuronGroup with every value set; all of Brian2 goes on working."""

from __future__ import annotations

import gc
from typing import Any

import numpy as np
import pytest
from brian2 import (
    Clock,
    DimensionMismatchError,
    Equations,
    EventMonitor,
    Network,
    NeuronGroup,
    PoissonGroup,
    Quantity,
    SpikeGeneratorGroup,
    SpikeMonitor,
    StateMonitor,
    Synapses,
    TimedArray,
    collect,
    defaultclock,
    inf,
    ms,
    mV,
    nA,
    nan,
    pA,
    restore,
    run,
    second,
    store,
)

from conex_brian import AELIF, ELIF, LIF
from neurons import NUMBERS, SI, make, spread

# What holds for LIF and AELIF holds for ELIF between them, too.
every_model = pytest.mark.parametrize(
    "model", [LIF, pytest.param(ELIF, marks=pytest.mark.slow), AELIF]
)

# LIF fires at constant current: in mV, ms, with u = -69 mV + 0.48*200 = 27 mV.
DRIVE = 200 * pA


# ---------------------------------------------------------------- N


@pytest.mark.parametrize("N", [1, 7, np.int64(3), np.uint8(5)], ids=repr)
def test_N_is_a_whole_number(N: Any) -> None:
    assert int(N) == make(LIF).group(N).N
    assert int(N) == make(LIF).template().group(N).N


@pytest.mark.parametrize(
    "arrays",
    [
        {"tau": spread(SI["tau"])}, {"init_v": [-60, -61, -62] * mV}, {"omega": [1, 2, 3] * pA},
        {"init_s": [True, False, True]}, {"tau": spread(SI["tau"]), "alpha": spread(SI["alpha"])},
    ],
    ids=lambda arrays: ", ".join(arrays),
)  # fmt: skip
def test_N_is_inferred_from_arrays(arrays: dict[str, Any]) -> None:
    neuron = make(AELIF, **arrays)
    assert neuron.group().N == 3
    assert neuron.group(3).N == 3
    with pytest.raises(ValueError, match=rf"^N = 4, but {next(iter(arrays))} has values for 3 ne"):
        neuron.group(4)


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("I", {"I": [1, 2, 3] * nA}),
        ("I", {"I": TimedArray([[1, 2, 3]] * nA, dt=1 * ms)}),
        ("t_ref|refractory", {"refractory": [1, 2, 3] * ms}),
        ("noise", {"noise": [1, 2, 3] * mV}),
    ],
    ids=["I", "TimedArray", "refractory", "noise"],
)
def test_N_is_inferred_from_options(name: str, options: dict[str, Any]) -> None:
    assert make(LIF).group(**options).N == 3
    with pytest.raises(
        ValueError, match=rf"^N = 2, but ({name}) has values for 3 neurons\. Give a"
    ):
        make(LIF).group(2, **options)


def test_an_array_of_one_value_is_for_one_neuron() -> None:
    assert make(LIF, tau=[19] * ms).group().N == 1
    with pytest.raises(ValueError, match=r"^N = 2, but tau has values for 1 neurons"):
        make(LIF, tau=[19] * ms).group(2)


def test_a_missing_N_is_asked_for() -> None:
    with pytest.raises(
        ValueError, match=r"^N is not given, and no value holds one number a neuron"
    ):
        make(LIF).group(I=1 * nA)


@pytest.mark.parametrize("N", [0, -1, np.int64(-4)])
def test_a_group_has_neurons(N: Any) -> None:
    with pytest.raises(ValueError, match=rf"^N = {N}: a group needs at least one neuron"):
        make(LIF).group(N)


@pytest.mark.parametrize("N", [3.0, True, "3", 3 * second, [3], np.float64(3), 3 * nA], ids=repr)
def test_N_of_another_kind_is_refused(N: Any) -> None:
    with pytest.raises(TypeError, match=r"^N = .*: it needs a whole number of neurons"):
        make(LIF).group(N)


# ---------------------------------------------------------------- values


@every_model
@pytest.mark.parametrize("values", [SI, NUMBERS], ids=["SI", "numbers"])
def test_every_parameter_is_a_shared_variable(model: type[LIF], values: dict[str, Any]) -> None:
    neuron = make(model, values)
    group = neuron.group(3)
    assert type(group) is NeuronGroup
    for name in model.parameter_names():
        variable, value = group.variables[name], getattr(neuron, name)
        assert variable.scalar and variable.constant, name
        assert variable.dim is Quantity(value).dim, name
        assert np.asarray(getattr(group, name)).item() == np.asarray(value).item(), name


@every_model
def test_every_parameter_may_be_one_value_a_neuron(model: type[LIF]) -> None:
    arrays = {name: spread(SI[name], 4) for name in model.parameter_names()}
    group = model(**arrays).group()
    for name, given in arrays.items():
        variable = group.variables[name]
        assert not variable.scalar and variable.constant and variable.size == 4, name
        assert np.array_equal(np.asarray(getattr(group, name)[:]), np.asarray(given)), name


def test_only_arrays_are_stored_for_each_neuron() -> None:
    group = make(AELIF, w_tau=spread(SI["w_tau"])).group()
    each = [n for n in AELIF.parameter_names() if not group.variables[n].scalar]
    assert each == ["w_tau"]


def test_parameters_can_be_set_later() -> None:
    group = make(LIF, tau=[19, 21] * ms).group(I=[0, 0] * nA)
    group.v_rest, group.tau = -50 * mV, [5, 8] * ms
    run(4 * ms)
    expected = -50 - 19 * np.exp([-4 / 5, -4 / 8])
    np.testing.assert_allclose(group.v / mV, expected, rtol=1e-12)


# ---------------------------------------------------------------- template


@every_model
@pytest.mark.parametrize(
    "options",
    [
        {"I": 90 * pA},
        {"I": [90, 95, 99] * pA, "refractory": [1, 2, 3] * ms, "method": "rk2"},
        {"I": TimedArray([90, 99, 95] * pA, dt=1 * ms), "refractory": 2 * ms},
        {"I": "99*pA*cos(t/(50*ms))", "refractory": "i*1*ms"},
    ],
    ids=["scalar", "arrays", "timed array", "expressions"],
)
def test_a_users_own_group_equals_ours(model: type[LIF], options: dict[str, Any]) -> None:
    neuron = make(model, tau=[9, 11, 13] * ms, init_v="v_rest + i*mV", init_s=[True, False, True])
    template = neuron.template(**options)
    ours = neuron.group(3, **options)
    theirs = NeuronGroup(3, **template.arguments())
    template.initialise(theirs)
    third = template.group()
    monitors = [SpikeMonitor(group) for group in (ours, theirs, third)]
    Network(ours, theirs, third, *monitors).run(40 * ms)
    assert monitors[0].num_spikes >= 2
    for group, monitor in zip((theirs, third), monitors[1:], strict=True):
        assert np.array_equal(ours.v, group.v)
        assert np.array_equal(monitors[0].t, monitor.t)


def test_initialise_checks_the_group() -> None:
    template = make(LIF, tau=[9, 11, 13] * ms).template(method="euler")
    with pytest.raises(ValueError, match=r"^N = 2, but tau has values for 3 neurons"):
        template.initialise(NeuronGroup(2, **template.arguments()))
    with pytest.raises(ValueError, match=r"^tau = .* is too short for neuron 0 for dt = 20 ms"):
        template.initialise(NeuronGroup(3, dt=20 * ms, **template.arguments()))


# ---------------------------------------------------------------- options


def test_neuron_group_options_are_passed_on() -> None:
    group = make(LIF).group(
        2, name="neurons", dt=0.25 * ms, order=3, namespace={"level": -65 * mV},
        events={"low": "v < level"},
    )  # fmt: skip
    assert (group.name, group.order, group.dt) == ("neurons", 3, 0.25 * ms)
    assert group.namespace["level"] == -65 * mV and set(group.events) == {"spike", "low"}
    low = EventMonitor(group, "low")
    run(1 * ms)
    assert low.num_events == 8  # two neurons at -69 mV in four steps


def test_a_clock_is_passed_on() -> None:
    clock = Clock(0.5 * ms)
    group = make(LIF).group(2, clock=clock)
    assert group.clock is clock
    with pytest.raises(ValueError, match=r"tau = 19\. ms is too short for dt = 40 ms"):
        make(LIF).group(2, clock=Clock(40 * ms), method="euler")


class Endless:
    """A sequence without end, as Synapses are to NumPy."""

    def __len__(self) -> int:
        return 3

    def __getitem__(self, index: Any) -> Any:
        pytest.fail("asked for an item")


@pytest.mark.parametrize("s", [np.inf, [1, 2], Endless()])
def test_what_the_equations_define_hides_what_the_caller_calls_so(s: Any) -> None:
    drive = Equations("I = I_ext + s : amp\nds/dt = -s/(5*ms) : amp\nI_ext : amp")
    assert make(LIF).group(2, I=drive).N == 2


def test_a_group_or_a_sequence_is_no_number() -> None:
    group = make(LIF).group(2, I=60 * pA)
    k = Endless()
    with pytest.raises(
        ValueError, match=r"I = 'I_ext \+ k' uses 'k', which is .*: it needs a number"
    ):
        make(LIF).group(2, I="I_ext + k", namespace={"k": k, "I_ext": 1 * pA})
    for one in (group, Synapses(group, group, on_pre="v += 0*volt"), SpikeMonitor(group)):
        with pytest.raises(
            TypeError, match=f"I = .*: it needs a current.*, not a {type(one).__name__}"
        ):
            make(LIF).group(2, I=one)
        with pytest.raises(TypeError, match=f"tau = .*, not a {type(one).__name__}"):
            make(LIF).replace(tau=one)


def test_the_callers_namespace_is_left_alone() -> None:
    mine = {"I_ext": 3 * pA}
    make(LIF).group(2, I="I_ext", namespace=mine)
    make(LIF).group(2, I=TimedArray([1] * pA, dt=1 * ms), namespace=mine)
    assert mine == {"I_ext": 3 * pA}


@pytest.mark.parametrize(
    ("option", "meant"),
    [
        ("nmae", "name"),
        ("clok", "clock"),
        ("oder", "order"),
        ("name_space", "namespace"),
        ("zzz", None),
    ],
)
def test_an_unknown_option_gets_the_nearest(option: str, meant: str | None) -> None:
    hint = rf" \(did you mean '{meant}'\?\)" if meant else ""
    with pytest.raises(
        TypeError, match=rf"^group\(\) and NeuronGroup have no option '{option}'{hint}\."
    ):
        make(LIF).group(2, **{option: 1})


@pytest.mark.parametrize(("option", "meant"), [("refractry", "refractory"), ("metod", "method")])
def test_a_misspelt_option_of_the_template_gets_the_nearest(option: str, meant: str) -> None:
    with pytest.raises(TypeError, match=rf"no option '{option}' \(did you mean '{meant}'\?\)"):
        make(LIF).group(2, **{option: 1})


@pytest.mark.parametrize("option", ["model", "threshold", "reset"])
def test_what_the_template_says_is_no_option(option: str) -> None:
    with pytest.raises(TypeError, match=rf"^'{option}' is what the template says"):
        make(LIF).group(2, **{option: "v > 3*mV"})


@pytest.mark.parametrize("option", ["method", "refractory"])
def test_a_template_is_not_changed_by_its_group(option: str) -> None:
    with pytest.raises(TypeError, match=rf"^'{option}' is what the template says: it follows from"):
        make(LIF).template().group(2, **{option: "rk4"})


@pytest.mark.parametrize(
    ("dt", "error", "message"),
    [
        (0 * ms, ValueError, r"^dt = 0\. s is not positive"),
        (-1 * ms, ValueError, r"^dt = -1\. ms is not positive"),
        (nan * ms, ValueError, r"^dt = .* is not finite"),
        (
            0.1,
            DimensionMismatchError,
            r"^dt = 0\.1 is a number .* needs a time, for example 20\*ms",
        ),
        (1 * mV, DimensionMismatchError, r"^dt = 1\. mV is a value in volt, but needs a time"),
        ("1*ms", TypeError, r"^dt = '1\*ms': it needs a time, not a str"),
        ([1, 2] * ms, (ValueError, TypeError), r"^dt = "),
    ],
)
def test_a_time_step_is_one_positive_time(dt: Any, error: Any, message: str) -> None:
    with pytest.raises(error, match=message):
        make(LIF).group(2, dt=dt)


# ---------------------------------------------------------------- refractory


def first_spikes(group: NeuronGroup, duration: Any = 60 * ms) -> tuple[list[int], list[int]]:
    """Return each neuron's first spike, and its second after its first, in steps."""
    monitor = SpikeMonitor(group)
    Network(group, monitor).run(duration)
    trains = [
        np.rint(np.asarray(t / group.dt)).astype(int) for t in monitor.spike_trains().values()
    ]
    return [int(t[0]) for t in trains], [int(t[1] - t[0]) for t in trains]


@pytest.mark.parametrize(
    ("refractory", "periods"),
    [
        (False, [0, 0, 0]),
        (0 * ms, [0, 0, 0]),
        (2 * ms, [20, 20, 20]),
        ([0, 1.5, 3] * ms, [0, 15, 30]),
        ("2*ms", [20, 20, 20]),
        ("(1 + i)*0.5*ms", [5, 10, 15]),
        ("t - lastspike < 2*ms - dt/2", [20, 20, 20]),
        ("period", [7, 7, 7]),
        (np.array([0.002, 0.0, 0.001]) * second, [20, 0, 10]),
    ],
    ids=str,
)
@pytest.mark.parametrize("model", [LIF, pytest.param(AELIF, marks=pytest.mark.slow)])
def test_refractory_takes_what_neuron_group_takes(
    model: type[LIF], refractory: Any, periods: list[int]
) -> None:
    """An interval is longer by n - 1 steps, n = t_ref/dt (science.md, 3)."""
    beta = {"beta": 0 * pA, "alpha": 0 * SI["alpha"]} if model is AELIF else {}
    neuron = make(model, init_v=SI["v_reset"], **beta)
    group = neuron.group(3, I=DRIVE, refractory=refractory, namespace={"period": 0.7 * ms})
    first, intervals = first_spikes(group)
    assert [n - first[0] - 1 for n in intervals] == [max(n, 1) - 1 for n in periods]


@pytest.mark.parametrize(
    ("bad", "error", "message"),
    [
        (
            -1 * ms,
            ValueError,
            r"^refractory = -1\. ms is negative: it needs a time of at least 0 ms",
        ),
        ([1, -1] * ms, ValueError, r"^refractory = .* is negative for neuron 1"),
        (nan * ms, ValueError, r"^refractory = .* is not finite"),
        ([1, inf] * ms, ValueError, r"^refractory = .* is not finite for neuron 1"),
        (2, DimensionMismatchError, r"^refractory = 2.* but needs a time, for example 20\*ms"),
        (0, DimensionMismatchError, r"^refractory = 0.* but needs a time, for example 20\*ms"),
        (
            2 * mV,
            DimensionMismatchError,
            r"^refractory = 2\. mV is a value in volt, but needs a ti",
        ),
        (
            None,
            TypeError,
            r"^refractory = None: it needs False, a time, one time a neuron or an ex",
        ),
        (True, TypeError, r"^refractory = True: it needs False, a time"),
        (b"2*ms", TypeError, r"^refractory = b'2\*ms': it needs False, a time"),
        ({}, TypeError, r"^refractory = \{\}: it needs False, a time"),
        ([[1]] * ms, ValueError, r"^refractory = .* not 2 dimensions"),
        ([] * ms, ValueError, r"^refractory = .* the array is empty"),
        ("2*ms +", ValueError, r"^refractory = '2\*ms \+' is not an expression"),
        ("", ValueError, r"^refractory = '' is not an expression"),
    ],
    ids=str,
)
def test_a_refractory_period_of_another_kind_is_refused(
    bad: Any, error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        make(LIF).template(refractory=bad)


def test_refractory_periods_are_as_many_as_neurons() -> None:
    with pytest.raises(ValueError, match=r"LIF: (t_ref|refractory) has 2 values, but tau has 3"):
        make(LIF, tau=spread(SI["tau"])).template(refractory=[1, 2] * ms)


# ---------------------------------------------------------------- init_s


@pytest.mark.parametrize("model", [LIF, AELIF])
@pytest.mark.parametrize(
    "init_s",
    [[True, False, True], np.array([1, 0, 1]), "i != 1", "v_rest + i*mV != -68*mV"],
    ids=str,
)
def test_who_spiked_just_before_starts_refractory(model: type[LIF], init_s: Any) -> None:
    """Their first spike comes as after one stamped a step before t = 0."""
    beta = {"beta": 0 * pA, "alpha": 0 * SI["alpha"]} if model is AELIF else {}
    neuron = make(model, init_v=SI["v_reset"], init_s=init_s, **beta)
    group = neuron.group(3, I=DRIVE, refractory=[2, 2, 3] * ms)
    first, intervals = first_spikes(group)
    assert first[0] == intervals[0] - 1 and first[2] == intervals[2] - 1
    assert first[1] == intervals[1] - 1 - 19
    assert first[2] - first[0] == 10


@pytest.mark.parametrize(("init_s", "moves"), [(True, 1), (False, 0), (None, 0)])
def test_one_flag_is_for_all(init_s: Any, moves: int) -> None:
    neuron = make(LIF, init_v=SI["v_reset"], init_s=init_s)
    first, intervals = first_spikes(neuron.group(2, I=DRIVE, refractory=2 * ms))
    assert [n - 1 - f for f, n in zip(first, intervals, strict=True)] == [19 * (1 - moves)] * 2


def test_v_stays_while_refractory_from_the_start() -> None:
    group = make(LIF, init_v=-60 * mV, init_s=[True, False]).group(I=DRIVE, refractory=2 * ms)
    run(1.9 * ms)
    assert group.v[0] == -60 * mV and group.v[1] > -55 * mV
    run(0.1 * ms)
    assert group.v[0] > -60 * mV


@every_model
def test_without_a_refractory_period_nothing_follows(model: type[LIF]) -> None:
    plain = make(model).group(2, I=DRIVE)
    flagged = make(model, init_s=True).group(2, I=DRIVE)
    monitors = [SpikeMonitor(plain), SpikeMonitor(flagged)]
    Network(plain, flagged, monitors).run(30 * ms)
    assert monitors[0].num_spikes > 0 and np.array_equal(monitors[0].t, monitors[1].t)
    assert np.array_equal(plain.v, flagged.v)


@pytest.mark.parametrize(
    ("init_v", "expected"),
    [(None, -69), (-60 * mV, -60), ([-60, -60] * mV, -60), ("v_reset + 1*mV", -56)],
    ids=str,
)
@pytest.mark.parametrize("init_s", [[True, False], "i == 0"], ids=str)
@every_model
def test_v_starts_at_init_v_refractory_or_not(
    model: type[LIF], init_s: Any, init_v: Any, expected: float
) -> None:
    group = make(model, init_v=init_v, init_s=init_s).group(2, refractory=2 * ms)
    np.testing.assert_allclose(group.v / mV, [expected, expected], rtol=1e-13)
    assert list(group.not_refractory) == [False, True]


def test_what_ran_before_does_not_lengthen_the_first_refractory_period() -> None:
    """The clock still shows the end of the last run when the next group is made."""
    earlier = make(LIF).group(1)
    Network(earlier).run(50 * ms)
    neuron = make(LIF, init_v=-60 * mV, init_s=True)
    group = neuron.group(1, I=DRIVE, refractory=2 * ms)
    Network(group).run(3 * ms)
    assert group.v[0] > -60 * mV


def test_a_period_of_no_length_does_nothing() -> None:
    neuron = make(LIF, init_v=SI["v_reset"], init_s=True)
    first, intervals = first_spikes(neuron.group(2, I=DRIVE, refractory=0 * ms))
    assert [n - 1 for n in intervals] == first


# ---------------------------------------------------------------- noise


@pytest.mark.parametrize("noise", [0 * mV, 1.5 * mV, [1.5, 2.5] * mV], ids=str)
@every_model
def test_noise_is_a_variable_of_the_group(model: type[LIF], noise: Any) -> None:
    group = make(model).group(2, noise=noise)
    assert group.variables["noise"].scalar == (np.ndim(noise) == 0)
    assert np.array_equal(np.asarray(group.noise[:]), np.asarray(noise))
    group.noise = 0.5 * mV
    run(2 * defaultclock.dt)
    assert np.isfinite(group.v / mV).all()


def test_no_noise_is_noise_of_size_zero() -> None:
    group = make(LIF, init_v=-60 * mV).group(1, noise=0 * mV)
    plain = make(LIF, init_v=-60 * mV).group(1, method="euler")
    run(3 * ms)
    assert group.v[0] == plain.v[0] != -60 * mV


@pytest.mark.parametrize(
    ("bad", "error", "message"),
    [
        (-1 * mV, ValueError, r"^noise = -1\. mV is negative: it needs 0 or more"),
        ([1, -2] * mV, ValueError, r"^noise = .* is negative for neuron 1"),
        (nan * mV, ValueError, r"^noise = .* is not finite"),
        (
            2.5,
            DimensionMismatchError,
            r"^noise = 2\.5 is .* needs a value in volt: the standard dev",
        ),
        (
            2 * pA,
            DimensionMismatchError,
            r"^noise = 2\. pA is a value in amp, but needs a value in v",
        ),
        (2 * mV * ms**0.5, DimensionMismatchError, r"^noise = .* but needs a value in volt"),
        ("2*mV", TypeError, r"^noise = '2\*mV': it needs the standard deviation of v, not a str"),
        (True, TypeError, r"^noise = True: it needs the standard deviation"),
        (False, TypeError, r"^noise = False: it needs the standard deviation"),
        ([[1]] * mV, ValueError, r"^noise = .* not 2 dimensions"),
    ],
    ids=str,
)
def test_noise_of_another_kind_is_refused(bad: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        make(LIF).template(noise=bad)


# ---------------------------------------------------------------- nothing left behind


@pytest.mark.parametrize(
    "call",
    [
        lambda: make(LIF).group(),
        lambda: make(LIF).group(0),
        lambda: make(LIF).group(2, I=3 * mV),
        lambda: make(LIF).group(2, I="3*mV"),
        lambda: make(LIF).group(2, I="I_unknown + 3*nA"),
        lambda: make(LIF).group(2, I=Equations("I = x : amp")),
        lambda: make(LIF, init_v="v_unknown").group(2),
        lambda: make(LIF, init_v="3*nA").group(2),
        lambda: make(AELIF, omega="3*mV").group(2),
        lambda: make(LIF, init_s="v", tau=[3, 4] * ms).group(2, refractory=1 * ms),
        lambda: make(LIF).group(2, refractory="3*mV"),
        lambda: make(LIF).group(2, refractory="unknown"),
        lambda: make(LIF).group(2, method="euler", dt=1 * second),
        lambda: make(LIF).group(2, unknown=3),
        lambda: make(LIF).group(2, dt=-1 * ms),
        lambda: make(LIF, tau=[3, 4] * ms).group(3),
        lambda: make(LIF).group(2, I=TimedArray([1] * pA, dt=0.15 * ms)),
    ],
)  # fmt: skip
def test_a_call_that_fails_leaves_nothing_behind(call: Any) -> None:
    before = {id(one) for one in collect()}
    with pytest.raises((ValueError, TypeError, DimensionMismatchError), match=r"\w+"):
        call()
    assert {id(one) for one in collect()} == before
    run(defaultclock.dt)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"name": "3 neurons"}, "name"),
        ({"dt": 0.1 * ms, "clock": defaultclock}, "clock"),
    ],
    ids=["name", "clock"],
)
def test_what_neuron_group_refuses_leaves_nothing_to_run(
    options: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        make(LIF).group(2, **options)
    gc.collect()
    assert not [one for one in collect() if isinstance(one, NeuronGroup)]


# ---------------------------------------------------------------- all of Brian2 works


@pytest.mark.parametrize("model", [AELIF, pytest.param(LIF, marks=pytest.mark.slow)])
def test_store_and_restore(model: type[LIF]) -> None:
    group = make(model, tau=spread(SI["tau"])).group(I=DRIVE, refractory=1 * ms)
    monitor = SpikeMonitor(group)
    run(12 * ms)
    store()
    group.v_rest = -71 * mV
    run(12 * ms)
    changed = np.array(monitor.t)
    restore()
    assert group.v_rest == -69 * mV
    run(12 * ms)
    straight, spikes = np.array(group.v), np.array(monitor.t)
    restore()
    run(12 * ms)
    assert np.array_equal(straight, np.array(group.v))
    assert np.array_equal(spikes, np.array(monitor.t)) and len(spikes) > 0
    assert not np.array_equal(spikes, changed)


@every_model
def test_several_runs_are_one(model: type[LIF]) -> None:
    one, two = (make(model, tau=spread(SI["tau"])).group(I=DRIVE, refractory=1 * ms) for _ in "ab")
    first, second_ = SpikeMonitor(one), SpikeMonitor(two)
    Network(one, first).run(30 * ms)
    network = Network(two, second_)
    for duration in (0.1, 13.2, 16.7):
        network.run(duration * ms)
    assert np.array_equal(one.v, two.v) and first.num_spikes > 2
    assert np.array_equal(first.t, second_.t) and np.array_equal(first.i, second_.i)


def test_subgroups_are_views() -> None:
    group = make(AELIF, tau=spread(SI["tau"], 5)).group(I=DRIVE)
    part = group[1:4]
    part.v = -40 * mV
    monitor = SpikeMonitor(part)
    np.testing.assert_allclose(group.v / mV, [-69, -40, -40, -40, -69], rtol=1e-13)
    np.testing.assert_allclose(part.tau / ms, [19.19, 19.38, 19.57], rtol=1e-13)
    run(20 * ms)
    assert set(monitor.i) == {0, 1, 2}


@every_model
def test_a_delta_synapse_lifts_v(model: type[LIF]) -> None:
    source = SpikeGeneratorGroup(2, [0, 1], [0, 0] * ms)
    group = make(model).group(2)
    synapses = Synapses(source, group, "w : volt", on_pre="v_post += w")
    synapses.connect(j="i")
    synapses.w = [3, 60] * mV
    monitor = SpikeMonitor(group)
    run(0.1 * ms)
    np.testing.assert_allclose(group.v / mV, [-66, -9], rtol=1e-4)
    run(0.1 * ms)
    assert list(monitor.i) == [1] and monitor.t[0] == 0.1 * ms
    assert group.v[1] == group.v_reset


def test_an_exponential_synapse_drives_a_group_in_a_network() -> None:
    """J rises by w at t = 1.1 ms (the end of the step with the spike)."""
    source = SpikeGeneratorGroup(1, [0], [1] * ms)
    synapse = Equations("I = I_ext + J : amp\nI_ext : amp\ndJ/dt = -J/(4*ms) : amp")
    group = make(LIF).group(3, I=synapse)
    group.I_ext = [0, 10, 20] * pA
    synapses = Synapses(source, group, "w : amp", on_pre="J_post += w")
    synapses.connect()
    synapses.w = [50, 60, 70] * pA
    monitor = StateMonitor(group, ["v", "J", "I"], record=True)
    Network(source, group, synapses, monitor).run(9 * ms)
    t = 9 - 1.1
    J, steady = np.array([50, 60, 70]), -69 + 0.48 * np.array([0, 10, 20])
    expected = steady + (-69 - steady) * np.exp(-9 / 19)
    expected += 0.48 * J * 4 / (19 - 4) * (np.exp(-t / 19) - np.exp(-t / 4))
    np.testing.assert_allclose(group.v / mV, expected, rtol=1e-11)
    np.testing.assert_allclose(monitor.I[:, 0] / pA, [0, 10, 20], rtol=1e-12)
    np.testing.assert_allclose(monitor.J[:, 12] / pA, J * np.exp(-0.1 / 4), rtol=1e-12)


@pytest.mark.parametrize("model", [ELIF, AELIF])
def test_groups_are_sources_of_synapses(model: type[LIF]) -> None:
    drivers = make(model).group(2, I=DRIVE, name="drivers")
    target = make(LIF).group(1)
    synapses = Synapses(drivers, target, on_pre="v_post += 0.5*mV")
    synapses.connect()
    inputs = PoissonGroup(3, 0 / second)
    spikes = SpikeMonitor(drivers)
    run(20 * ms)
    assert spikes.num_spikes >= 2 and target.v[0] > -69 * mV and inputs.N == 3


def test_monitors_record_what_a_group_does() -> None:
    group = make(AELIF).group(2, I=DRIVE)
    states = StateMonitor(group, ["v", "omega", "I"], record=[1])
    spikes = SpikeMonitor(group, variables=["v", "omega"])
    run(15 * ms)
    assert states.v.shape == states.omega.shape == (1, 150)
    assert spikes.num_spikes > 0 and np.all(spikes.v >= group.threshold[:])
    # A spike is stamped with the step's start; the next state recorded is the reset one.
    step = int(np.rint(spikes.t[0] / defaultclock.dt)) + 1
    assert states.v[0, step] == -57 * mV
    jump = (states.omega[0, step] - spikes.omega[0]) / pA
    assert jump == pytest.approx(55, rel=1e-12)
