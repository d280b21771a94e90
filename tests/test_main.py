"""The command line: what it prints, its exit codes, and errors in one line."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from brian2 import ms, mV, nA, prefs

from conex_brian import AELIF, LIF, presets
from conex_brian.__main__ import main
from conex_brian.serial import from_json
from neurons import NUMBERS, make

COMMAND = [sys.executable, "-m", "conex_brian"]


def output(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    """Return what a command that does its work prints."""
    assert main(words) == 0
    printed = capsys.readouterr()
    assert printed.err == ""
    return printed.out


def numbers(line: str) -> np.ndarray:
    """Return the numbers of a line of spike times."""
    start, *times = line.split()
    assert start == "ms:"
    return np.array(times, dtype=float)


@pytest.fixture
def leaky(tmp_path: Path) -> Path:
    """Three neurons in a file: the first silent at 1 nA."""
    neuron = make(LIF, R=[20, 40, 60] * (mV / nA), tau=10 * ms, threshold=-40 * mV)
    path = tmp_path / "leaky.json"
    path.write_text(json.dumps(neuron.to_dict()))
    return path


def test_list_has_a_line_for_each_preset(capsys: pytest.CaptureFixture[str]) -> None:
    head, *lines = output(capsys, "list").splitlines()
    assert head.split() == ["name", "class", "pattern", "current", "source"]
    assert tuple(line.split()[0] for line in lines) == presets.names()
    (line,) = [one for one in lines if one.startswith("naud2008_delayed_accelerating")]
    assert re.search(r" AELIF +delayed accelerating +300 pA +Naud et al., .*\(2008\)", line)


def test_show_has_equations_template_theory_and_source(
    capsys: pytest.CaptureFixture[str],
) -> None:
    text = output(capsys, "show", "brette2005_regular")
    preset = presets.load("brette2005_regular")
    for part in (
        preset.source,
        preset.note,
        str(preset.neuron),
        str(preset.neuron.template(preset.I)),
    ):
        assert part in text
    # Touboul & Brette 2008, see test_analysis: 627.182 pA.
    theory = text[text.index("theory") :]
    assert re.search(r"rheobase +0.627182 nA\n", theory)
    assert re.search(r"bifurcation +Andronov-Hopf at 0.627182 nA, v = -50.27", theory)


def test_show_says_where_there_is_no_rheobase(capsys: pytest.CaptureFixture[str]) -> None:
    text = output(capsys, "show", "naud2008_delayed_regular_bursting")
    assert "no rheobase and no bifurcation" in text.splitlines()[-1]


def test_show_of_leaky_and_of_several_neurons(
    capsys: pytest.CaptureFixture[str], leaky: Path
) -> None:
    *_, rheobase, bifurcation = output(capsys, "show", str(leaky)).splitlines()
    # (-40 + 69) mV over 60, 40 and 20 Mohm.
    assert re.fullmatch(r"  rheobase +0.48333\d* nA to 1.45 nA \(3 values\)", rheobase)
    assert re.fullmatch(r"  bifurcation +none: the membrane equation is linear", bifurcation)


def test_json_of_a_preset_is_the_preset(capsys: pytest.CaptureFixture[str]) -> None:
    for name in presets.names():
        assert from_json(output(capsys, "show", name, "--json")) == presets.load(name).neuron


def test_run_of_a_preset_takes_its_current_and_duration(
    capsys: pytest.CaptureFixture[str],
) -> None:
    head, count, times = output(capsys, "run", "conex_readme").splitlines()
    assert head == "conex_readme: LIF, I = 4 for 200 ms, exact at dt 100 us, spike times grid"
    # u = -65 + 20, tau = 10 ms: 13.863 ms to the threshold, then 16.094 ms an interval, each
    # rounded up to the grid; Brian2 stamps a spike with the start of its step.
    expected = 13.8 + 16.1 * np.arange(12)
    assert count == "12 spikes, 60 Hz"
    np.testing.assert_allclose(numbers(times), expected, rtol=0, atol=1e-9)


def test_run_takes_current_duration_step_and_method(capsys: pytest.CaptureFixture[str]) -> None:
    words = ["--current", "4.5", "--duration", "50ms", "--dt", "0.5ms", "--method", "euler"]
    head, _, times = output(capsys, "run", "conex_readme", *words).splitlines()
    assert head == "conex_readme: LIF, I = 4.5 for 50 ms, euler at dt 0.5 ms, spike times grid"
    v, expected = -65.0, []
    for step in range(100):
        v += 0.05 * (-65 - v + 5 * 4.5)
        if v >= -50:
            v = -70.0
            expected.append(0.5 * step)
    np.testing.assert_allclose(numbers(times), expected, rtol=0, atol=1e-9)


def test_run_with_precise_spikes_prints_exact_times(capsys: pytest.CaptureFixture[str]) -> None:
    *_, times = output(capsys, "run", "conex_readme", "--spike-timing", "precise").splitlines()
    expected = 10 * np.log(20 / 5) + 10 * np.log(25 / 5) * np.arange(12)
    np.testing.assert_allclose(numbers(times), expected, rtol=0, atol=6e-6)  # five decimals


def test_run_of_a_file_prints_each_neuron(capsys: pytest.CaptureFixture[str], leaky: Path) -> None:
    words = ("run", str(leaky), "--current", "1nA", "--duration", "100ms")
    head, *lines = output(capsys, *words).splitlines()
    assert head.startswith("leaky.json: LIF, I = 1 nA for 100 ms")
    assert lines[0] == "neuron 0: 0 spikes, 0 Hz"
    # To -40 mV from -69 in 12.91 and 6.60 ms, from -57 in 9.34 and 4.37 ms; 0.1 ms is the grid.
    counts = [line.partition(",")[0] for line in lines[1::2]]
    assert counts == ["neuron 1: 10 spikes", "neuron 2: 22 spikes"]
    first = [10 * np.log(RI / (RI - 29)) for RI in (40, 60)]
    for line, time in zip(lines[2::2], first, strict=True):
        assert time - 0.1 <= numbers(line)[0] <= time


def test_a_negative_current_needs_no_equals_sign(capsys: pytest.CaptureFixture[str]) -> None:
    head, count = output(
        capsys, "run", "naud2008_tonic", "--current", "-65pA", "--duration", "5ms"
    ).splitlines()
    assert "I = -65 pA for" in head and count == "0 spikes, 0 Hz"


def test_run_leaves_preferences_as_they_are(capsys: pytest.CaptureFixture[str]) -> None:
    prefs.codegen.target = "cython"
    output(capsys, "run", "conex_readme")
    assert prefs.codegen.target == "cython" and prefs.core.stop_on_keyboard_interrupt
    assert main(["run", "conex_readme", "--method", "none"]) == 1
    assert prefs.codegen.target == "cython" and prefs.core.stop_on_keyboard_interrupt


@pytest.mark.parametrize("name", ["out.png", "out.svg"])
def test_plot_is_a_picture(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / name
    text = output(capsys, "run", "conex_readme", "--dt", "1ms", "--plot", str(path))
    assert text.splitlines()[-1] == f"picture: {path}"
    start = path.read_bytes()[:200]
    assert (
        start.startswith(b"\x89PNG")
        if name.endswith("png")
        else b"<svg" in start or b"<?xml" in start
    )
    assert path.stat().st_size > 5000


# ------------------------------------------------------------------ errors

WRONG = {
    "no command": ([], 2, "COMMAND"),
    "unknown command": (["lits"], 2, "invalid choice: 'lits'"),
    "nothing to show": (["show"], 2, "required: NAME"),
    "unknown option": (["list", "--x"], 2, "unrecognized arguments: --x"),
    "unit": (
        ["run", "naud2008_tonic", "--current", "65pa"], 2, r"I: .* unit 'pa' \(did you mean 'pA'"
    ),
    "no number": (["run", "naud2008_tonic", "--current", "much"], 2, "'much': it needs a number"),
    "negative time": (["run", "naud2008_tonic", "--duration", "-5ms"], 2, "needs a positive time"),
    "zero time": (["run", "naud2008_tonic", "--dt", "0ms"], 2, "needs a positive time"),
    "bare time": (["run", "naud2008_tonic", "--duration", "400"], 2, "needs a positive time"),
    "no time": (["run", "naud2008_tonic", "--duration", "4mV"], 2, "needs a positive time"),
    "code": (["run", "naud2008_tonic", "--current", "exit()"], 2, r"'exit\(\)': it needs a number"),
    "timing": (["run", "naud2008_tonic", "--spike-timing", "no"], 2, "invalid choice: 'no'"),
    "preset": (["show", "naud2008_tonik"], 1, r"no preset 'naud2008_tonik' \(did you mean 'naud20"),
    "dimension": (["run", "naud2008_tonic", "--current", "65mV"], 1, "in volt, but needs .* amp"),
    "method": (["run", "naud2008_tonic", "--method", "exact"], 1, "method = 'exact' does not work"),
    "precise": (
        ["run", "conex_readme", "--spike-timing", "precise", "--method", "conex"], 1, "precise"
    ),
    "missing file": (["show", "missing.json"], 1, r"missing\.json: No such file"),
    "missing folder": (["show", "missing/x"], 1, r"missing/x: No such file"),
    "directory": (["show", "."], 1, "Is a directory"),
    "bad JSON": (["show", "bad.json"], 1, r"bad\.json: This is no JSON: "),
    "no text": (["show", "bytes.json"], 1, r"bytes\.json: 'utf-8' codec"),
    "no model": (["show", "other.json"], 1, r"other\.json: model = None: it needs one of"),
    "code in a file": (["run", "code.json"], 1, r"code\.json: .* = 'exit\(\)' is an expression"),
    "file alone": (["run", "good.json"], 1, r"good\.json is no preset: give --current and"),
    "too many steps": (
        ["run", "conex_readme", "--dt", "1e-20s"], 1, r"10 zs are \de\+\d\d time steps: .* 1e\+09"
    ),
    "picture's kind": (["run", "conex_readme", "--plot", "x.doc"], 1, r"ends in one of .*\.png"),
    "picture's folder": (["run", "conex_readme", "--plot", "no/x.png"], 1, r"no directory no\."),
    "picture is a folder": (["run", "conex_readme", "--plot", "folder.png"], 1, r"\.png: Is a dir"),
}  # fmt: skip


def test_a_file_may_hold_the_current(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    neuron = make(LIF, R=20 * mV / nA, tau=10 * ms, threshold=-40 * mV)
    path = tmp_path / "mine.json"
    words = ["run", str(path), "--duration", "100ms"]
    path.write_text(json.dumps(neuron.to_dict()))
    given = output(capsys, *words, "--current", "3nA")
    path.write_text(json.dumps(neuron.replace(init_I=3 * nA).to_dict()))
    assert output(capsys, *words) == given and "I = 3 nA" in given
    assert "I = 4 nA" in output(capsys, *words, "--current", "4nA")


@pytest.mark.parametrize("case", WRONG)
def test_error_is_one_line_and_an_exit_code(
    case: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    plain = make(AELIF, NUMBERS).to_dict()
    Path("bad.json").write_text('{"model": ')
    Path("bytes.json").write_bytes(b"\xff\xfe{}")
    Path("other.json").write_text('{"name": "x"}')
    Path("good.json").write_text(json.dumps(plain))
    Path("code.json").write_text(json.dumps({**plain, "init_v": {"expression": "exit()"}}))
    Path("folder.png").mkdir()
    words, code, message = WRONG[case]
    try:
        got = main(words)
    except SystemExit as error:  # argparse's way
        got = error.code  # type: ignore[assignment]
    assert got == code
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1 and re.search(message, lines[0]), lines


def test_without_matplotlib_a_picture_is_refused_and_the_rest_works(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("matplotlib", "matplotlib.pyplot", "matplotlib.figure"):
        monkeypatch.setitem(sys.modules, name, None)
    assert main(["run", "conex_readme", "--plot", "x.png"]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert "pip install 'conex_brian[plotting]'" in line
    assert "12 spikes" in output(capsys, "run", "conex_readme")


def test_without_scipy_the_theory_says_what_it_needs(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("scipy", "scipy.special", "scipy.optimize", "scipy.integrate"):
        monkeypatch.setitem(sys.modules, name, None)
    for name in [one for one in sys.modules if one.startswith("conex_brian.")]:
        if name.rpartition(".")[2] in ("analysis", "firing", "rest", "orbits", "field"):
            monkeypatch.delitem(sys.modules, name)
    monkeypatch.delattr("conex_brian.analysis", raising=False)
    assert "pip install 'conex_brian[analysis]'" in output(capsys, "show", "conex_readme")


@pytest.mark.parametrize("words", [["--help"], ["list", "-h"], ["show", "-h"], ["run", "--help"]])
def test_help(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(words)
    assert caught.value.code == 0
    assert "usage: python -m conex_brian" in capsys.readouterr().out


@pytest.mark.slow
def test_help_of_the_program_has_examples_that_run(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(SystemExit):
        main(["--help"])
    examples = re.findall(r"^  python -m conex_brian (.*)$", capsys.readouterr().out, re.M)
    assert len(examples) == 5
    monkeypatch.chdir(tmp_path)
    for example in examples:
        words, _, file = example.partition(" > ")
        text = output(capsys, *words.split())
        if file:
            Path(file).write_text(text)
    assert Path("burst.png").exists()


# ------------------------------------------------------------------ the real thing


@pytest.mark.slow
def test_listing_imports_nothing_heavy() -> None:
    script = """
import sys, brian2
before = set(sys.modules)
from conex_brian.__main__ import main
assert main(["list"]) == 0
new = {name.partition(".")[0] for name in set(sys.modules) - before}
print(*sorted(new & {"matplotlib", "scipy", "pandas", "torch"}), file=sys.stderr)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.returncode == 0 and done.stderr.split() == []
    assert "naud2008_tonic" in done.stdout


@pytest.mark.slow
def test_a_reader_that_has_seen_enough_is_no_error() -> None:
    with subprocess.Popen(
        [*COMMAND, "list"], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdout is not None and process.stderr is not None
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == 1


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="needs POSIX signals")
def test_ctrl_c_ends_a_run_with_130() -> None:
    words = [*COMMAND, "run", "conex_readme", "--duration", "10000s"]
    with subprocess.Popen(
        words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None and process.stderr is not None
        assert process.stdout.readline().startswith("conex_readme: LIF")
        process.send_signal(signal.SIGINT)
        assert process.stderr.read() == "interrupted\n"
    assert process.returncode == 130
