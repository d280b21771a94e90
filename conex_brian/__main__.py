"""The command line: ``python -m conex_brian``, see ``python -m conex_brian --help``.

Exit codes: 0 done; 1 what was asked for cannot be done; 2 the command line is wrong; 130 Ctrl+C.
Errors are one line on stderr.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
from brian2 import (
    BrianLogger,
    Network,
    Quantity,
    SpikeMonitor,
    StateMonitor,
    get_dimensions,
    ms,
    prefs,
    second,
)

from conex_brian import presets, spike_monitor
from conex_brian.models import LIF
from conex_brian.presets import Preset
from conex_brian.printing import value_text
from conex_brian.quantities import quantity
from conex_brian.serial import LONGEST_JSON, from_json

_EXAMPLES = """examples:
  python -m conex_brian list
  python -m conex_brian show naud2008_initial_burst
  python -m conex_brian run naud2008_initial_burst --plot burst.png
  python -m conex_brian show naud2008_tonic --json > mine.json
  python -m conex_brian run mine.json --current 65pA --duration 400ms

exit codes: 0 done; 1 it cannot be done; 2 the command line is wrong; 130 Ctrl+C"""

#: More take a day.
MOST_STEPS = 1e9

_WHAT = "a preset (see list), or a JSON file as show --json writes it"


class _Parser(argparse.ArgumentParser):
    """An ArgumentParser whose errors are one line."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: {message} (see --help)\n")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line, and return the exit code.

    Parameters
    ----------
    arguments : sequence of str, optional
        The words after ``python -m conex_brian``. Default: those of this process.

    Raises
    ------
    SystemExit
        With 2, where the command line is wrong; with 0 after ``--help``.
    """
    words = list(sys.argv[1:] if arguments is None else arguments)
    options = _parser().parse_args(_joined(words))
    try:
        options.command(options)
        sys.stdout.flush()
    except KeyboardInterrupt:
        BrianLogger.suppress_name("unused_brian_object")  # what was not to run is no mistake
        print("interrupted", file=sys.stderr)
        return 130
    except BrokenPipeError:  # the reader, such as head, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except Exception as error:  # whatever it is, a user of a command wants one line
        print(f"conex_brian: {_one_line(error)}", file=sys.stderr)
        return 1
    return 0


def _joined(words: list[str]) -> list[str]:
    """Join ``--current -65pA`` to ``--current=-65pA``, which argparse would take for an option."""
    joined: list[str] = []
    for word in words:
        if re.match(r"-[0-9.]", word) and joined and re.fullmatch(r"--[a-z-]+", joined[-1]):
            joined[-1] += f"={word}"
        else:
            joined.append(word)
    return joined


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="python -m conex_brian",
        description="CoNeX's integrate-and-fire neurons with parameters from the literature.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)

    one = commands.add_parser("list", help="list the presets", description="List the presets.")
    one.set_defaults(command=_list)

    about = "Show a neuron: values, equations, what Brian2 gets, and its theory."
    one = commands.add_parser("show", help="show a neuron and its theory", description=about)
    one.add_argument("what", metavar="NAME|FILE.json", help=_WHAT)
    one.add_argument("--json", action="store_true", help="print its values as JSON, nothing else")
    one.set_defaults(command=_show)

    about = "Simulate a neuron on a current step; print its spike times and rate."
    one = commands.add_parser("run", help="simulate a neuron", description=about)
    one.add_argument("what", metavar="NAME|FILE.json", help=_WHAT)
    one.add_argument(
        "--current", metavar="I", type=_value("I"),
        help="the current, on from t = 0: 65pA. Default: the preset's, or the file's init_I",
    )  # fmt: skip
    one.add_argument(
        "--duration", metavar="T", type=_time, help="how long: 400ms. Default: the preset's"
    )
    one.add_argument("--dt", metavar="T", type=_time, default=0.1 * ms, help="default: 0.1ms")
    one.add_argument("--method", help="the integrator. Default: the most accurate that fits")
    one.add_argument(
        "--spike-timing", choices=("grid", "precise"), default="grid",
        help="spikes at the end of their time step (default), or at their exact times: the first "
        "such run may compile for a minute, later ones take seconds",
    )  # fmt: skip
    one.add_argument(
        "--plot", metavar="FILE", type=Path, help="draw the trace: out.png, .pdf, .svg"
    )
    one.set_defaults(command=_run)
    return parser


def _value(name: str) -> Any:
    """Return a parser of a value with a unit, for argparse."""

    def parse(text: str) -> Any:
        try:
            return quantity(name, text)
        except ValueError as error:
            raise argparse.ArgumentTypeError(str(error)) from error

    return parse


def _time(text: str) -> Any:
    value = _value("T")(text)
    if get_dimensions(value) is not second.dim or not value > 0 * second:
        raise argparse.ArgumentTypeError(f"{text!r}: it needs a positive time, such as 400ms")
    return value


def _one_line(error: Exception) -> str:
    if isinstance(error, OSError) and error.strerror and error.filename:
        return f"{error.filename}: {error.strerror}"
    return " ".join(str(error).split()) or type(error).__name__


def _find(what: str) -> tuple[str, LIF, Preset | None]:
    """Return the title and the neuron of a preset or of a JSON file."""
    path = Path(what)
    if what in presets.names():
        preset = presets.load(what)
        return what, preset.neuron, preset
    if not (path.suffix == ".json" or path.name != what or path.exists()):
        presets.load(what)  # says which names there are
    with path.open("rb") as file:
        content = file.read(LONGEST_JSON + 1)
    try:
        return path.name, from_json(content.decode("utf-8-sig")), None
    except Exception as error:
        raise ValueError(f"{what}: {_one_line(error)}") from error


def _list(options: argparse.Namespace) -> None:
    rows = [("name", "class", "pattern", "current", "source")]
    for name in presets.names():
        preset = presets.load(name)
        source = preset.source.partition(";")[0]
        kind = type(preset.neuron).__name__
        rows.append((name, kind, preset.pattern, value_text(preset.I), source))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        print("  ".join(cells).rstrip())


def _show(options: argparse.Namespace) -> None:
    title, neuron, preset = _find(options.what)
    if options.json:
        print(json.dumps(neuron.to_dict(), indent=2))
        return
    print(title)
    if preset is not None:
        print(f"  pattern  {preset.pattern}, at {value_text(preset.I)} from t = 0")
        print(f"  source   {preset.source}")
        print(f"  note     {preset.note}")
    print()
    print(neuron, end="\n\n")
    print(neuron.template(I=None if preset is None else preset.I), end="\n\n")
    print("theory")
    for line in _theory(neuron):
        print(f"  {line}")


def _theory(neuron: LIF) -> list[str]:
    """Return what is known of a neuron without simulating it, or why it is not known."""
    from conex_brian import analysis

    lines = []
    try:
        lines.append(f"rheobase     {value_text(analysis.rheobase(neuron))}")
        found = analysis.bifurcation(neuron)
        if found is None:
            lines.append("bifurcation  none: the membrane equation is linear")
        else:
            kinds = " or ".join(sorted(set(np.atleast_1d(found.kind).tolist())))
            place = f"{value_text(found.I)}, v = {value_text(found.v)}"
            lines.append(f"bifurcation  {kinds} at {place}")
    except (ImportError, ValueError) as error:
        lines.append(_one_line(error))
    return lines


def _run(options: argparse.Namespace) -> None:
    title, neuron, preset = _find(options.what)
    current, duration = options.current, options.duration
    if preset is not None:
        current = preset.I if current is None else current
        duration = preset.duration if duration is None else duration
    if current is None and not isinstance(neuron.init_I, str):
        current = neuron.init_I
    if current is None or duration is None:
        raise ValueError(f"{title} is no preset: give --current and --duration.")
    if not float(duration / options.dt) <= MOST_STEPS:
        raise ValueError(
            f"--duration {value_text(duration)} at --dt {value_text(options.dt)} are "
            f"{float(duration / options.dt):.0e} time steps: this command does {MOST_STEPS:.0e}."
        )
    figure = None if options.plot is None else _figure(options.plot)

    precise = options.spike_timing == "precise"
    before = prefs.codegen.target, prefs.core.stop_on_keyboard_interrupt
    prefs.codegen.target = "numpy"  # Compiling takes longer than a few neurons do.
    prefs.core.stop_on_keyboard_interrupt = False  # else Ctrl+C ends the run, not the program
    try:
        template = neuron.template(
            I=current, method=options.method, spike_timing=options.spike_timing
        )
        group = template.group(template.length or 1, dt=options.dt)
        spikes = spike_monitor(group) if precise else SpikeMonitor(group)
        states = [] if figure is None else [StateMonitor(group, "v", record=[0])]
        network = Network(group, spikes, states)
        print(
            f"{title}: {type(neuron).__name__}, I = {value_text(current)} for "
            f"{value_text(duration)}, {template.method} at dt {value_text(options.dt)}, "
            f"spike times {options.spike_timing}",
            flush=True,
        )
        network.run(duration, namespace={})
    finally:
        prefs.codegen.target, prefs.core.stop_on_keyboard_interrupt = before

    times = spikes.t_spike[:] if precise else spikes.t[:]
    for index in range(len(group)):
        _print_spikes(index, np.sort(times[spikes.i == index]), duration, len(group) > 1)
    if figure is not None:
        _draw(figure, title, states[0], spikes, current, options.plot)


def _print_spikes(index: int, times: Any, duration: Quantity, several: bool) -> None:
    rate = len(times) / float(duration)
    label = f"neuron {index}: " if several else ""
    print(f"{label}{len(times)} spikes, {rate:g} Hz")
    if len(times):
        print("ms:", *(f"{1e3 * float(t):.5f}".rstrip("0").rstrip(".") for t in times))


def _figure(path: Path) -> Any:
    """Return an empty figure, or say why there can be none, before anything is simulated."""
    from conex_brian.figures import pyplot

    pyplot()
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 3), layout="constrained")
    formats = sorted(figure.canvas.get_supported_filetypes())
    if path.suffix.lstrip(".").lower() not in formats:
        raise ValueError(f"{path}: a picture's name ends in one of .{', .'.join(formats)}.")
    if not path.parent.is_dir():
        raise ValueError(f"{path}: there is no directory {path.parent}.")
    return figure


def _draw(figure: Any, title: str, states: Any, spikes: Any, current: Any, path: Path) -> None:
    from conex_brian import plotting
    from conex_brian.figures import bare

    ax = figure.subplots()
    bare(ax)
    plotting.trace(states, spikes=spikes, ax=ax)
    ax.set_title(f"{title}, {value_text(current)}", loc="left", fontsize="medium")
    figure.savefig(path, dpi=150)
    print(f"picture: {path}")


if __name__ == "__main__":
    sys.exit(main())
