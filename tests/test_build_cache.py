"""The build cache: a program is compiled once, and what comes from the cache is right."""

from __future__ import annotations

import errno
import gc
import math
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import brian2
import numpy as np
import pytest
from brian2 import BrianLogger, Network, NeuronGroup, ms, prefs
from brian2.devices.device import reset_device
from brian2.utils.logger import catch_logs

from conex_brian import build_cache, build_files, compilers, cpp_device
from conex_brian.devices import clear_build_cache, use_cpp

REPOSITORY = Path(__file__).parents[1]

needs_compiler = pytest.mark.skipif(shutil.which("g++") is None, reason="needs g++")

#: A compiler that writes down how it is called and makes empty objects: builds take no time.
FAKE = """#!/bin/sh
echo "$@" >> '{log}'
case "$*" in
    --version) echo 'fake compiler {version}'; exit;;
esac
while [ $# -gt 1 ]; do [ "$1" = -o ] && echo 'exit 0' > "$2" && chmod +x "$2"; shift; done
true
"""

#: Its first lines where it fails to compile unless {held} is true.
SHARING = """#!/bin/sh
case "$*" in
    -c*) {held} || exit 1;;
esac
"""

#: What some tests change.
PREFERENCES = ("codegen.cpp.extra_compile_args_gcc", "codegen.cpp.extra_link_args")

#: Prints the number of spikes of a neuron whose interval is exactly {tau} ms * log(4/3).
SCRIPT = """
import sys
from brian2 import *
from conex_brian import LIF
from conex_brian.devices import use_cpp
prefs.codegen.cpp.extra_compile_args_gcc = ['-w', '-O0', '-std=c++17']
BrianLogger.suppress_name('cpp_device')
tau, directory = float(sys.argv[1]), (sys.argv[2:] or [None])[0]
use_cpp(directory=directory)
neuron = LIF(R=100*Mohm, threshold=-50*mV, tau=tau*ms, v_reset=-60*mV, v_rest=-60*mV)
group = neuron.group(3, I=0.4*nA)
spikes = SpikeMonitor(group)
run(100*ms)
print('spikes', spikes.num_spikes)
"""


def spikes(tau: float) -> int:
    """Return what SCRIPT prints: an interval is whole steps of 0.1 ms, of three neurons each."""
    return 3 * int(1000 / math.ceil(tau * math.log(4 / 3) * 10))


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Return the directory of a build cache that nothing else uses."""
    place = tmp_path / "cache"
    monkeypatch.setenv(build_cache.DIRECTORY_VARIABLE, str(place))
    monkeypatch.delenv(build_cache.SIZE_VARIABLE, raising=False)
    monkeypatch.setattr(compilers, "_chosen", {})
    BrianLogger._log_messages.clear()
    before = {name: prefs[name] for name in PREFERENCES}
    yield place
    for name, value in before.items():
        prefs[name] = value


@pytest.fixture
def messages() -> Iterator[list[tuple[str, str, str]]]:
    """Return the warnings that appear during a test, as (level, name, text)."""
    with catch_logs(only_from=("conex_brian",)) as found:
        yield found


def only(messages: list[tuple[str, str, str]], *words: str) -> None:
    """Check that there is one message about the cache, with these words, and forget it."""
    found = [text for _, name, text in messages if "build_cache" in name]
    assert len(found) == 1, found
    for word in words:
        assert word in found[0]
    messages.clear()


def fake_compiler(path: Path, version: int = 1) -> Path:
    """Write a compiler and return the file in which its calls are counted."""
    log = path.with_suffix(".log")
    path.write_text(FAKE.format(log=log, version=version))
    path.chmod(0o755)
    return log


def compilations(log: Path) -> int:
    """Return how many objects were compiled since the last time."""
    calls = log.read_text().splitlines() if log.exists() else []
    log.unlink(missing_ok=True)
    return sum(" -o " in call and "-c " in call for call in calls)


@pytest.fixture
def build(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, messages: list[tuple[str, str, str]]
) -> Callable[..., int]:
    """Return a function that builds a model and returns how many objects were compiled."""
    log = fake_compiler(tmp_path / "c++")
    monkeypatch.setenv("CXX", str(tmp_path / "c++"))
    number = iter(range(1000))

    def one(
        threshold: str = "v > 1", x: float = 1.5, directory: Path | None = None,
        threads: int = 1, **options: Any,
    ) -> int:  # fmt: skip
        place = directory or tmp_path / f"build {next(number)}"
        brian2.start_scope()
        use_cpp(directory=place, build_on_run=False, threads=threads)
        group = NeuronGroup(
            3,
            "dv/dt = x/second : 1\nx : 1",
            threshold=threshold,
            reset="",
            name="group",
            method="euler",
        )
        group.x = [x, 2, 3]
        Network(group, name="net").run(1 * ms, namespace={})
        try:
            brian2.device.build(run=False, **options)
        finally:
            del group
            brian2.device.reinit()
            reset_device()
            gc.collect()  # Brian2 numbers its objects on as long as others bear their names.
        assert (place / "main").read_text() == "exit 0\n"
        assert os.access(place / "main", os.X_OK)
        return compilations(log)

    return one


def entries(cache: Path) -> list[Path]:
    """Return the programs in the cache, without what is known of the compiler."""
    return [path for path in cache.iterdir() if b"exit 0" in path.read_bytes()]


# What is stored


def test_what_is_stored_comes_back(cache: Path, messages: list[Any]) -> None:
    contents = {"a" * 64: b"one\n", "b" * 64: bytes(range(256)) * 999, "c" * 64: b""}
    assert [build_cache.load(key) for key in contents] == [None, None, None]
    for key, content in contents.items():
        build_cache.store(key, content)
    assert {key: build_cache.load(key) for key in contents} == contents
    assert len(list(cache.iterdir())) == 3
    assert messages == []


@pytest.mark.parametrize(
    "damage",
    [
        lambda whole: whole[:-1],
        lambda whole: whole[:40],
        lambda whole: b"",
        lambda whole: whole + b"x",
        lambda whole: whole[:-3] + b"?" + whole[-2:],
        lambda whole: whole.replace(b"cache 1", b"cache 2"),
        lambda whole: os.urandom(500),
    ],
    ids=["one byte short", "truncated", "empty", "too long", "changed", "another kind", "noise"],
)
def test_a_damaged_entry_is_never_used(
    cache: Path, messages: list[Any], damage: Callable[[bytes], bytes]
) -> None:
    build_cache.store("a" * 64, b"a program\n")
    (path,) = cache.iterdir()
    path.write_bytes(damage(path.read_bytes()))
    assert build_cache.load("a" * 64) is None
    only(messages, str(path), "damaged", "compiled anew")
    assert not path.exists()


def test_an_entry_under_another_ones_name_is_never_used(cache: Path, messages: list[Any]) -> None:
    build_cache.store("a" * 64, b"a program\n")
    (path,) = cache.iterdir()
    shutil.copy(path, cache / path.name.replace("a" * 64, "b" * 64))
    assert build_cache.load("b" * 64) is None
    only(messages, "damaged")
    assert build_cache.load("a" * 64) == b"a program\n"


def test_what_was_not_used_for_longest_goes_first(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(build_cache.SIZE_VARIABLE, "0.01")
    keys = [letter * 64 for letter in "abcd"]
    for age, key in enumerate(keys[:3]):
        build_cache.store(key, bytes(3000))
        (path,) = cache.glob(f"{key}*")
        os.utime(path, (age, age))
    assert build_cache.load(keys[0]) is not None  # Now b is the oldest.
    build_cache.store(keys[3], bytes(3000))
    assert [build_cache.load(key) is not None for key in keys] == [True, False, True, True]
    build_cache.store("e" * 64, bytes(10_000))  # More than all may take.
    assert build_cache.load("e" * 64) is None
    assert len(list(cache.iterdir())) == 3


def test_half_written_files_are_removed_once_they_are_old(cache: Path) -> None:
    cache.mkdir(mode=0o700)
    old, new, foreign = cache / "old.tmp", cache / "new.tmp", cache / "mine.txt"
    for path in (old, new, foreign):
        path.write_text("half")
    os.utime(old, (1, 1))
    os.utime(foreign, (1, 1))
    build_cache.store("a" * 64, b"a program")
    assert not old.exists() and new.exists() and foreign.exists()
    clear_build_cache()
    assert list(cache.iterdir()) == [foreign]
    clear_build_cache()
    cache.rename(cache.with_name("moved"))
    clear_build_cache()  # Nothing there: nothing to do.


@pytest.mark.parametrize("text", ["much", "-1", "1e3", "nan"])
def test_the_limit_is_a_number_of_megabytes(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setenv(build_cache.SIZE_VARIABLE, text)
    with pytest.raises(ValueError, match=f"CONEX_BRIAN_CACHE_MB = '{text}': it needs a number of"):
        build_cache.load("a" * 64)


def test_it_lies_in_the_users_cache_directory(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv(build_cache.DIRECTORY_VARIABLE)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "home"))
    if sys.platform == "linux":
        assert build_cache.directory() == tmp_path / "home" / "conex_brian"
    assert build_cache.directory().name == "conex_brian"


def test_nobody_else_can_put_a_program_there(cache: Path, messages: list[Any]) -> None:
    build_cache.store("a" * 64, b"a program")
    assert cache.stat().st_mode & 0o777 == 0o700
    cache.chmod(0o777)
    assert build_cache.load("a" * 64) is None
    only(messages, str(cache), "directory", "anybody may write", "CONEX_BRIAN_CACHE")
    cache.chmod(0o700)
    if os.geteuid() == 0:
        (path,) = cache.iterdir()
        os.chown(path, 12345, -1)
        assert build_cache.load("a" * 64) is None
        only(messages, str(cache), "file", "another user")


# What is compiled


def test_other_values_are_not_compiled_again(build: Callable[..., int], cache: Path) -> None:
    assert build(x=1.5) > 5
    assert build(x=17.25) == 0
    assert len(entries(cache)) == 1
    clear_build_cache()
    assert build(x=1.5) > 5


@pytest.mark.parametrize(
    "change", ["threshold", "flags", "link flags", "compiler", "headers", "threads", "processor"]
)
def test_whatever_decides_what_a_program_does_is_in_its_key(
    build: Callable[..., int], change: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert build() > 5
    options: dict[str, Any] = {}
    if change == "threshold":
        options["threshold"] = "v > 2"
    elif change == "threads":
        options["threads"] = 2
    elif change == "flags":
        prefs.codegen.cpp.extra_compile_args_gcc = ["-O2", "-ffast-math"]
    elif change == "link flags":
        prefs.codegen.cpp.extra_link_args = ["-static-libgcc"]
    elif change == "compiler":
        fake_compiler(tmp_path / "c++", version=2)
    elif change == "headers":
        monkeypatch.setenv("CPATH", str(tmp_path))
    else:
        monkeypatch.setattr(compilers, "processor", lambda: "another")
    assert build(**options) > 5
    assert build(**options) == 0


def test_clean_compiles_anew_and_debug_keeps_nothing(
    build: Callable[..., int], cache: Path
) -> None:
    assert build(debug=True) > 5
    assert entries(cache) == []
    assert build() > 5
    assert build(clean=True) > 5


def test_without_a_cache_every_program_is_compiled(
    build: Callable[..., int], cache: Path, monkeypatch: pytest.MonkeyPatch, messages: list[Any]
) -> None:
    monkeypatch.setenv(build_cache.SIZE_VARIABLE, "0")
    assert build() > 5
    assert build() > 5
    assert not cache.exists()
    assert [name for _, name, _ in messages if "build_cache" in name] == []


def test_a_damaged_program_is_compiled_anew(
    build: Callable[..., int], cache: Path, messages: list[Any]
) -> None:
    build()
    (path,) = entries(cache)
    path.write_bytes(path.read_bytes()[:-2])
    messages.clear()
    assert build() > 5
    only(messages, "damaged", "compiled anew")
    assert build() == 0


def test_the_cache_may_be_impossible(
    build: Callable[..., int], cache: Path, messages: list[Any]
) -> None:
    """A file where the directory should be: root may write to any directory."""
    cache.write_text("in the way")
    assert build() > 5
    assert build() > 5
    found = {text for _, name, text in messages if "build_cache" in name}
    assert any("cannot be written" in text and "compiled anew each time" in text for text in found)
    assert all(str(cache) in text for text in found)


@pytest.mark.parametrize("error", [errno.ENOSPC, errno.EROFS, errno.EDQUOT])
def test_the_disk_may_fail_at_the_last_moment(
    build: Callable[..., int], cache: Path, messages: list[Any], error: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    def fail(self: Path, content: bytes) -> int:
        with open(self, "wb") as file:
            file.write(content[: len(content) // 2])
        raise OSError(error, os.strerror(error))

    with monkeypatch.context() as context:
        context.setattr(Path, "write_bytes", fail)
        assert build() > 5
    only(messages, "cannot be written", os.strerror(error))
    assert list(cache.iterdir()) == []
    assert build() > 5


@pytest.fixture
def small_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Return a directory on a disk of 64 kB, the cache's."""
    place = tmp_path / "disk"
    place.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=64k,mode=700", "tmpfs", str(place)]
    if not shutil.which("mount") or subprocess.run(command, capture_output=True).returncode:
        pytest.skip("a disk of its own may not be mounted here")
    monkeypatch.setenv(build_cache.DIRECTORY_VARIABLE, str(place))
    yield place
    subprocess.run(["umount", str(place)], check=True)


def test_a_full_disk_costs_nothing_but_time(
    build: Callable[..., int], small_disk: Path, messages: list[Any]
) -> None:
    assert build() > 5
    (small_disk / "full").write_bytes(bytes(40_000))
    build_cache.store("a" * 64, bytes(60_000))
    only(messages, "cannot be written", "No space left")
    assert build() == 0
    assert [path.suffix for path in small_disk.iterdir() if path.suffix == ".tmp"] == []
    (small_disk / "full").write_bytes(bytes(50_000))
    messages.clear()
    BrianLogger._log_messages.clear()
    for number in range(9):  # Two of four kB fit in at most.
        assert build(threshold=f"v > {number + 3}") > 5
    only(messages, "cannot be written", "No space left")


def test_a_read_only_cache_still_serves(
    build: Callable[..., int], small_disk: Path, messages: list[Any]
) -> None:
    assert build() > 5
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    assert build() == 0
    messages.clear()
    assert build(threshold="v > 2") > 5
    only(messages, "cannot be written", "Read-only", "CONEX_BRIAN_CACHE")


def test_an_interrupted_build_leaves_nothing_that_is_used(
    build: Callable[..., int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Objects of a killed compiler, or of another one, look finished to make."""
    monkeypatch.setenv(build_cache.SIZE_VARIABLE, "0")
    place = tmp_path / "project"
    every = build(directory=place)
    if (place / "make.deps").exists():  # Brian2 2.11's makefile asks for each object's own.
        assert build(directory=place) == 0
        assert build(directory=place, threshold="v > 2") < every
    (place / ".conex_build").write_text("")  # As while it compiles.
    (place / "make.deps").write_text("half a l")
    assert build(directory=place) == every
    fake_compiler(tmp_path / "c++", version=2)
    assert build(directory=place) == every


def test_what_another_process_compiles_meanwhile_is_taken(
    build: Callable[..., int], cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert build() > 5
    (entry,) = entries(cache)
    content = entry.read_bytes()
    entry.unlink()
    real = build_files.fcntl.flock

    def flock(file: Any, how: int) -> None:
        """Get the lock when another process, which had it, has stored the program."""
        real(file, how)
        assert list(cache.glob("*.lock"))
        entry.write_bytes(content)

    monkeypatch.setattr(build_files.fcntl, "flock", flock)
    assert build() == 0
    assert not list(cache.glob("*.lock"))


def test_a_build_waits_until_another_in_its_directory_has_ended(
    build: Callable[..., int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = """
import fcntl, os, sys, time
file = open(sys.argv[1], 'a')
fcntl.flock(file, fcntl.LOCK_EX)
print('locked', flush=True)
sys.stdin.readline()
time.sleep(0.5)
sys.exit(os.path.exists(sys.argv[2]))
"""
    place = tmp_path / "project"
    place.mkdir()
    command = [sys.executable, "-c", script, str(place / ".conex_build"), str(place / "main.o")]
    other = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert other.stdout is not None and other.stdin is not None
    assert other.stdout.readline() == "locked\n"
    real = build_files.fcntl.flock

    def flock(file: Any, how: int) -> None:
        try:
            real(file, how)
        except BlockingIOError:  # Now the other one may end, once it has seen nothing compiled.
            print(file=other.stdin, flush=True)
            raise

    monkeypatch.setattr(build_files.fcntl, "flock", flock)
    assert build(directory=place) > 5
    assert other.wait() == 0
    other.communicate()


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="needs Linux's /proc")
def test_the_compiler_shares_the_lock(build: Callable[..., int], tmp_path: Path) -> None:
    """So a killed build's directory is locked until its compiler has ended too."""
    held = "readlink /proc/self/fd/* | grep -q conex_build"
    compiler = tmp_path / "c++"
    text = compiler.read_text()
    compiler.write_text(text.replace("#!/bin/sh\n", SHARING.format(held=held)))
    assert build() > 5


def test_a_program_from_the_cache_replaces_an_older_one(
    build: Callable[..., int], tmp_path: Path
) -> None:
    build()
    place = tmp_path / "project"
    build(directory=place, threshold="v > 2")
    (place / "main").write_text("exit 7")
    assert build(directory=place) == 0


def test_clocks_start_in_one_order() -> None:
    """Brian2 keeps clocks in a set: its main.cpp differs from process to process."""
    queue = [
        ("set_by_single_value", ("b", 0, "1")),
        ("set_by_single_value", ("a", 0, "2")),
        ("set_by_single_value", ("b", 0, "3")),
        ("run_code_object", ("z",)),
        ("run_code_object", ("y",)),
        ("set_by_single_value", ("a", 0, "4")),
    ]
    ordered = cpp_device._in_order(queue)
    assert [queue.index(entry) for entry in ordered] == [1, 0, 2, 3, 4, 5]
    queue[0], queue[1] = queue[1], queue[0]
    assert cpp_device._in_order(queue) == ordered


def test_clocks_in_another_order_are_the_same_program(tmp_path: Path) -> None:
    texts = []
    for turn in (1, -1):
        use_cpp(directory=tmp_path, build_on_run=False)
        group = NeuronGroup(2, "v : 1", name="group")
        Network(group, name="net").run(1 * ms)
        queue = brian2.device.main_queue
        (last,) = [at for at, entry in enumerate(queue) if "defaultclock_t'" in repr(entry)]
        assert queue[last - 1][1][0] == "_array_defaultclock_timestep"
        queue[last - 1 : last + 1] = queue[last - 1 : last + 1][::turn]
        brian2.device.build(compile=False, run=False)
        texts.append((tmp_path / "main.cpp").read_text())
        brian2.device.reinit()
        reset_device()
    assert texts[0] == texts[1]


# With a real compiler


def start(cache: Path, *arguments: object, **environment: str) -> subprocess.Popen[str]:
    """Start SCRIPT in a process of its own."""
    return subprocess.Popen(
        [sys.executable, "-c", SCRIPT, *map(str, arguments)],
        env={**os.environ, **environment}, cwd=cache.parent, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True,
    )  # fmt: skip


def finish(process: subprocess.Popen[str], tau: float) -> str:
    """Wait for SCRIPT, check what it printed, and return its messages."""
    out, messages = process.communicate(timeout=300)
    assert process.returncode == 0, messages
    assert out.split() == ["spikes", str(spikes(tau))]
    return messages


@pytest.fixture
def logging_compiler(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Use the real compiler, and return the file in which its calls are counted."""
    log = tmp_path / "calls.log"
    compiler = tmp_path / "logging-c++"
    compiler.write_text(f'#!/bin/sh\necho "$@" >> \'{log}\'\nexec g++ "$@"\n')
    compiler.chmod(0o755)
    monkeypatch.setenv("CXX", str(compiler))
    return log


@needs_compiler
@pytest.mark.slow
def test_a_second_process_with_other_values_compiles_nothing(
    cache: Path, logging_compiler: Path
) -> None:
    assert spikes(20) != spikes(11)
    finish(start(cache, 20), 20)
    assert compilations(logging_compiler) > 5
    finish(start(cache, 11), 11)
    calls = logging_compiler.read_text().split()
    assert calls == ["--version"]


@needs_compiler
@pytest.mark.slow
def test_eight_processes_at_once_all_finish_right(cache: Path) -> None:
    taus = [20, 11, 13, 17, 9, 23, 8, 31]
    running = [start(cache, tau) for tau in taus]
    for process, tau in zip(running, taus, strict=True):
        assert "build cache" not in finish(process, tau)
    assert [path.suffix for path in cache.iterdir()] == [".program"] * 2


@needs_compiler
@pytest.mark.slow
def test_killed_builds_leave_nothing_wrong(cache: Path, tmp_path: Path) -> None:
    """CONEX_BRIAN_KILLS says how many; half of them in one and the same directory."""
    chance = random.Random(5)
    taus = [20, 11, 13, 17, 9, 23, 8, 31]
    for number in range(int(os.environ.get("CONEX_BRIAN_KILLS", "4"))):
        place = [tmp_path / "project"] if number % 2 else []
        process = start(cache, chance.choice(taus), *place, TMPDIR=str(tmp_path))
        time.sleep(chance.uniform(0.5, 5))
        process.send_signal(signal.SIGKILL)
        process.communicate()
        if number % 5 == 0:
            clear_build_cache()
    for place in ([tmp_path / "project"], []):
        for tau in (11, 20):
            assert "build cache" not in finish(start(cache, tau, *place), tau)
    clear_build_cache()
    finish(start(cache, 13, tmp_path / "project"), 13)


@needs_compiler
@pytest.mark.slow
def test_a_real_program_survives_a_bad_cache(cache: Path) -> None:
    finish(start(cache, 20), 20)
    (program,) = [path for path in cache.iterdir() if path.stat().st_size > 5000]
    whole = program.read_bytes()
    program.write_bytes(whole[: len(whole) // 2])
    assert "is damaged: it is removed" in finish(start(cache, 11), 11)
    changed = bytearray(program.read_bytes())
    changed[len(whole) // 2] ^= 1
    program.write_bytes(changed)
    assert "is damaged: it is removed" in finish(start(cache, 13), 13)
    assert "build cache" not in finish(start(cache, 17), 17)


@needs_compiler
@pytest.mark.slow
def test_a_program_made_with_foreign_parts_is_not_kept(
    cache: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A header of the user's is not covered by the key: it may change."""
    caplog.set_level("INFO", logger="brian2")
    header = tmp_path / "mine" / "mine.h"
    header.parent.mkdir()
    prefs.codegen.cpp.extra_compile_args_gcc = ["-w", "-O0", "-std=c++17"]
    for number in (3.5, 4.5):
        header.write_text(f"static double mine(double x) {{ return x + {number}; }}\n")

        @brian2.implementation(
            "cpp", "// in mine.h", headers=['"mine.h"'], include_dirs=[str(header.parent)]
        )
        @brian2.check_units(x=1, result=1)
        def mine(x: float) -> float:
            raise AssertionError

        brian2.start_scope()
        BrianLogger._log_messages.clear()
        use_cpp(directory=tmp_path / "project")
        with catch_logs(log_level=20, only_from=("conex_brian",)) as found:
            group = NeuronGroup(2, "v : 1", name="group")
            group.run_regularly("v = mine(1)")
            Network(group, name="net").run(0.1 * ms, namespace={"mine": mine})
        np.testing.assert_array_equal(group.v[:], [1 + number] * 2)
        assert any("does not keep" in text and "mine.h" in text for _, _, text in found)
        brian2.device.reinit()
        reset_device()
    assert [path for path in cache.iterdir() if path.stat().st_size > 5000] == []
