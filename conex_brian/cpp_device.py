"""Brian2's C++ standalone device, with vectorised loops and a build cache.

Brian2 writes the project and runs the program. Between the two this device asks whether the same
project was compiled before. Brian2's preferences hold other values only while this device makes
code or builds: whoever selects Brian2's own device gets what Brian2 always did.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from itertools import groupby
from pathlib import Path
from typing import Any

import brian2
from brian2 import prefs
from brian2.devices.cpp_standalone.device import CPPStandaloneDevice
from brian2.devices.device import all_devices
from brian2.utils.logger import get_logger

from conex_brian import build_cache, compilers
from conex_brian.build_files import alone, install, locked, temporary_directory, unix
from conex_brian.cpp_loops import CPPCodeObject

logger = get_logger(__name__)

#: What `brian2.set_device` knows this device as.
NAME = "conex_cpp"

#: In a project's directory: locked while it compiles; holds what the objects there were made with.
_STATE = ".conex_build"

_OPENMP = "devices.cpp_standalone.openmp_threads"
_FLAGS = "codegen.cpp.extra_compile_args"
GCC_FLAGS = "codegen.cpp.extra_compile_args_gcc"
_MAKE = "devices.cpp_standalone.make_cmd_unix"
MAKE_ARGUMENTS = "devices.cpp_standalone.extra_make_args_unix"


class CachedCPPDevice(CPPStandaloneDevice):  # type: ignore[misc]
    """C++ standalone as `conex_brian.devices.use_cpp` selects it.

    Its options are Brian2's, and besides ``threads``. ``directory=None``, the default, is a new
    temporary directory, removed when the process ends. ``activate()`` without options, as after
    ``reinit()``, goes on with those given last.
    """

    extra_compile_args: list[str]
    main_queue: list[tuple[str, Any]]

    def activate(self, build_on_run: bool = True, **options: Any) -> None:
        """Become the current device; called by `brian2.set_device`."""
        if not options:
            options = dict(self.build_options or {})
        super().activate(build_on_run=build_on_run, **options)

    def _openmp(self) -> dict[str, int]:
        """Return Brian2's preference: 0, not 1, stands for a program without OpenMP."""
        threads = int((self.build_options or {}).get("threads", 1))
        return {_OPENMP: threads if threads > 1 else 0}

    def code_object_class(self, codeobj_class: Any = None, fallback_pref: str | None = None) -> Any:
        """Return the class of a code object: Brian2's groups name none, GSL names its own."""
        return CPPCodeObject if codeobj_class is None else codeobj_class

    def code_object(self, *arguments: Any, **options: Any) -> Any:
        """Make a code object, whose text depends on the number of threads."""
        with preferences(self._openmp()):
            return super().code_object(*arguments, **options)

    def build(
        self, directory: Any = None, results_directory: str = "results", **options: Any
    ) -> None:
        """Build the project, and run it, as `CPPStandaloneDevice.build` does.

        ``directory`` is by default the one that the device was selected with.
        """
        options.pop("threads", None)
        if directory is None:
            directory = (self.build_options or {}).get("directory")
        directory = temporary_directory() if directory is None else os.fspath(directory)
        changes: dict[str, Any] = self._openmp()
        kept = list(self.extra_compile_args)
        if unix():
            given = prefs[_FLAGS]
            chosen = compilers.choose(prefs[GCC_FLAGS] if given is None else given)
            if chosen.reason:
                logger.warn(
                    f"Powers, sines and the like are not vectorised: {chosen.reason}. Results "
                    "are right, but what has them takes longer, and so do exponentials without "
                    "-ffast-math.",
                    once=True,
                )
            if chosen.checked is not None:
                # Not through the preference: Brian2 calls the compiler for each flag there.
                self.extra_compile_args = [*kept, *chosen.checked]
                changes[_FLAGS] = []
            changes[MAKE_ARGUMENTS] = limited(prefs[MAKE_ARGUMENTS])
        else:
            logger.warn(
                "On Windows powers, sines and the like are not vectorised and programs are "
                "compiled anew each time. Results are right.",
                once=True,
            )
        try:
            with preferences(changes):
                super().build(directory, results_directory, **options)
        finally:
            self.extra_compile_args = kept

    def compile_source(self, directory: str, compiler: str, debug: bool, clean: bool) -> None:
        """Compile the project, or take its program from the build cache."""
        if compiler != "unix" or not unix():
            super().compile_source(directory, compiler, debug, clean)
            return
        place = Path(directory).absolute()
        files = self._files(place)
        tools = compilers.toolchain(
            [
                (place / "makefile").read_text(),
                prefs[_MAKE],
                *(word for word in prefs[MAKE_ARGUMENTS] if not word.startswith("-j")),
            ]
        )
        key = compilers.digest("program", brian2.__version__, tools, files)
        # Another process may compile the same: then its program is taken.
        with nullcontext() if clean or debug else alone(key):
            kept = None if clean or debug else build_cache.load(key)
            if self._make(place, kept, tools, (directory, compiler, debug, clean)):
                return
            foreign = self._foreign(place, files)
            if foreign:
                logger.info(
                    f"The build cache does not keep this program: it is made with {foreign}, which "
                    "is not part of the project.",
                    once=True,
                )
            elif not debug:
                build_cache.store(key, (place / "main").read_bytes())

    def _make(
        self, place: Path, kept: bytes | None, tools: str, options: tuple[str, str, bool, bool]
    ) -> bool:
        """Put the program in its place, and return whether it was ``kept``, not compiled."""
        program = place / "main"
        with locked(place / _STATE) as state:
            if kept is not None and install(kept, program):
                self.timers["compile"]["make"] = 0.0
                logger.debug(f"The program in {place} comes from the build cache.")
                return True
            # What lies here may be half written, or made by another compiler.
            program.unlink(missing_ok=True)
            if state is None or state.read() != tools:
                self._remove_objects(place)
            if state is not None:
                state.seek(0)
                state.truncate()
            super().compile_source(*options)
            if state is not None:
                state.write(tools)
        return False

    def generate_main_source(self, writer: Any) -> None:
        """Write main.cpp, the same from every process: Brian2 starts clocks in any order."""
        self.main_queue = _in_order(self.main_queue)
        super().generate_main_source(writer)
        if unix():
            writer.write("memory.cpp", self.code_object_class().templater.memory(None, None))

    def _files(self, place: Path) -> dict[str, str]:
        """Return the digest of each file that the program is made from."""
        names = {*self.writer.source_files, *self.writer.header_files}
        names |= {f"brianlib/{path.name}" for path in place.glob("brianlib/*.[ch]*")}
        return {
            name: hashlib.sha256((place / name).read_bytes()).hexdigest()
            for name in sorted(names)
            if (place / name).is_file()
        }

    def _objects(self, place: Path) -> list[Path]:
        """Return the files that compiling leaves besides the program."""
        bases = [place / os.path.splitext(name)[0] for name in self.writer.source_files]
        made = [base.with_name(base.name + end) for base in bases for end in (".o", ".d")]
        return [*made, place / "make.deps"]

    def _remove_objects(self, place: Path) -> None:
        for path in self._objects(place):
            path.unlink(missing_ok=True)

    def _foreign(self, place: Path, files: Mapping[str, str]) -> str:
        """Name a part of the program that its key does not cover; nothing where it has none."""
        libraries = re.findall(r"(?<=\s)-l\S+", (place / "makefile").read_text())
        if libraries:
            return f"the library {libraries[0][2:]}"
        for path in self._objects(place):
            if path.suffix == ".o" or not path.is_file():
                continue
            text = path.read_text(errors="replace").replace("\\\n", " ")
            for word in re.findall(r"(?:\\ |\S)+", text):
                name: str = os.path.normpath(word.replace("\\ ", " "))
                if not word.endswith(":") and name not in files:
                    return name
        return ""

    def run_function(self, name: str, include_in_parent: bool = True) -> Any:
        """Divert what happens within a ``with`` block into a function of the program."""
        return self._diverted((name, include_in_parent))

    @contextmanager
    def _diverted(self, function: tuple[str, bool]) -> Iterator[None]:
        self.main_queue.append(("start_run_func", function))
        yield
        self.main_queue.append(("end_run_func", function))

    def delete(
        self,
        code: bool = True,
        data: bool = True,
        run_args: bool = True,
        directory: bool = True,
        force: bool = False,
    ) -> None:
        """Delete the project's files, as `CPPStandaloneDevice.delete` does."""
        if self.project_dir is not None and code and unix():
            place = Path(self.project_dir)
            (place / _STATE).unlink(missing_ok=True)
            # Brian2 warns of files that are not there, as where the program was not compiled here.
            for path in self._objects(place):
                if path.parent.is_dir():
                    path.touch()
        super().delete(code, data, run_args, directory, force)


def _in_order(queue: list[tuple[str, Any]]) -> list[tuple[str, Any]]:
    """Sort neighbouring assignments of numbers by their target; none depends on another."""
    ordered: list[tuple[str, Any]] = []
    for kind, entries in groupby(queue, key=lambda entry: entry[0]):
        if kind == "set_by_single_value":
            ordered += sorted(entries, key=lambda entry: str(entry[1][0]))
        else:
            ordered += entries
    return ordered


@contextmanager
def preferences(changes: Mapping[str, Any]) -> Iterator[None]:
    """Give Brian2's preferences other values for a while."""
    before = {name: prefs[name] for name in changes}
    try:
        for name, value in changes.items():
            prefs[name] = value
        yield
    finally:
        for name, value in before.items():
            prefs[name] = value


def limited(arguments: list[str]) -> list[str]:
    """Return make's arguments with a limit where there was none: Brian2 2.9 starts all at once."""
    count = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return [f"-j{count or 1}" if word == "-j" else word for word in arguments]


cpp_device = CachedCPPDevice()
all_devices[NAME] = cpp_device
