"""Brian2CUDA's device, set up for CUDA 12 and 13.

As for C++, Brian2's preferences hold other values only while this device makes code or builds.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

from brian2 import prefs
from brian2.devices.device import all_devices
from brian2cuda.device import CUDAStandaloneDevice
from brian2cuda.utils import gputools

from conex_brian import cuda
from conex_brian.build_files import temporary_directory
from conex_brian.cpp_device import (
    GCC_FLAGS,
    MAKE_ARGUMENTS,
    limited,
    preferences,
)

#: What `brian2.set_device` knows this device as.
NAME = "conex_cuda"

_BACKEND = "devices.cuda_standalone.cuda_backend."
_LINK = "codegen.cpp.extra_link_args"

#: Reads a variable that all neurons share.
_READS = re.compile(r"\s*const \w+ \w+ = _ptr_\w+\[0\];")
_STANDARD = "-std=c++17"

#: What a source defines that needs nothing of Thrust, and what such a source must not mention.
_NO_THRUST = "CONEX_BRIAN_NO_THRUST"
#: The first line of a source. Others have one too, so that no object is used that Brian2CUDA's own
#: device has made in the same directory, with another type of vector.
_WITHOUT, _WITH = f"#define {_NO_THRUST}\n", "#define CONEX_BRIAN_THRUST\n"
_THRUST = re.compile(r"thrust|dynamic_array")
_THRUST_LINES = re.compile(r"^(?:#include <thrust/|extern thrust::).*\n", re.MULTILINE)
#: Where the memory on the GPU lies that one kind of event alternates between.
_POINTERS = re.compile(r"thrust::host_vector<(\w+) ?\*>")


class CUDADevice(CUDAStandaloneDevice):  # type: ignore[misc]
    """CUDA as `conex_brian.devices.use_cuda` selects it.

    Its options are Brian2CUDA's, and besides ``toolkit`` and ``compute_capability``.
    """

    def activate(self, build_on_run: bool = True, **options: Any) -> None:
        """Become the current device; called by `brian2.set_device`."""
        if not options:
            options = dict(self.build_options or {})
        super().activate(build_on_run=build_on_run, **options)

    def code_object(
        self, owner: Any, name: Any, abstract_code: Any, variables: Any, template_name: str,
        *arguments: Any, **options: Any,
    ) -> Any:  # fmt: skip
        """Make a code object; a reset's declares a variable once, as `declared_once` says."""
        made = super().code_object(
            owner, name, abstract_code, variables, template_name, *arguments, **options
        )
        if template_name == "reset":
            made.code.cu_file = declared_once(made.code.cu_file)
        return made

    def build(
        self, directory: Any = None, results_directory: str = "results", **options: Any
    ) -> None:
        """Build the project, and run it, as `CUDAStandaloneDevice.build` does.

        ``directory`` is by default the one that the device was selected with.
        """
        chosen = {**(self.build_options or {}), **options}
        toolkit: cuda.Toolkit = chosen["toolkit"]
        capability = chosen.get("compute_capability")
        for name in ("toolkit", "compute_capability"):
            options.pop(name, None)
        if directory is None:
            directory = chosen.get("directory")
        directory = temporary_directory() if directory is None else os.fspath(directory)
        changes: dict[str, Any] = {
            GCC_FLAGS: _modern(prefs[GCC_FLAGS]),
            MAKE_ARGUMENTS: limited(prefs[MAKE_ARGUMENTS]),
            _BACKEND + "cuda_path": str(toolkit.directory),
            _BACKEND + "cuda_runtime_version": float(".".join(map(str, toolkit.version))),
            # A copy: Brian2CUDA changes the list.
            _BACKEND + "extra_compile_args_nvcc": list(prefs[_BACKEND + "extra_compile_args_nvcc"]),
        }
        if capability is not None:
            changes[_BACKEND + "detect_gpus"] = False
            changes[_BACKEND + "gpu_id"] = prefs[_BACKEND + "gpu_id"] or 0
            changes[_BACKEND + "compute_capability"] = float(capability)
        elif prefs[_BACKEND + "detect_gpus"]:
            cuda.check_gpu()
        if toolkit.include is not None and toolkit.library is not None:
            changes[_BACKEND + "extra_compile_args_nvcc"].append(f'-I"{toolkit.include}"')
            link = Path(temporary_directory()) / "libcurand.so"
            link.symlink_to(toolkit.library)
            changes[_LINK] = [
                *prefs[_LINK],
                f'-L"{link.parent}"',
                f'-Wl,-rpath,"{toolkit.library.parent}"',
            ]
        gputools.reset_cuda_installation()
        gputools.reset_gpu_selection()
        with preferences(changes):
            super().build(directory, results_directory, **options)

    def generate_main_source(self, writer: Any) -> None:
        """Write the first of the sources: all go through `lean`."""
        write = writer.write

        def write_lean(name: str, contents: Any) -> None:
            if name.endswith(".*"):  # Both files of a code object: they come back one by one.
                write(name, contents)
            else:
                write(name, lean(name, contents))

        writer.write = write_lean
        super().generate_main_source(writer)

    def copy_source_files(self, writer: Any, directory: str) -> None:
        """Copy Brian2CUDA's own files, of which one includes Thrust for all."""
        super().copy_source_files(writer, directory)
        path = Path(directory) / "brianlib" / "cuda_utils.h"
        path.write_text(lean(path.name, path.read_text()))

    def generate_codeobj_source(self, writer: Any) -> None:
        """Write code objects; the few lines that each runs after all others go into one source."""
        super().generate_codeobj_source(writer)
        last = sorted(name for name in writer.source_files if "/after_run_" in name)
        paths = [Path(writer.project_dir) / name for name in last]
        texts = [path.read_text().removeprefix(_WITHOUT).removeprefix(_WITH) for path in paths]
        if len(last) > 1 and not any("namespace {" in text for text in texts):
            writer.source_files.difference_update(last)
            for path in paths:
                path.unlink()
            writer.write("code_objects/after_run.cu", "\n".join(texts))

    def generate_makefile(self, writer: Any, *arguments: Any, **options: Any) -> None:
        """Write the makefile, for the C++ that CUDA's headers need since version 13."""
        super().generate_makefile(writer, *arguments, **options)
        path = Path(writer.project_dir) / "makefile"
        path.write_text(path.read_text().replace("-std=c++11", _STANDARD))

    def run(self, *arguments: Any, **options: Any) -> None:
        """Run the program, where there is a GPU."""
        cuda.check_gpu()
        super().run(*arguments, **options)


def declared_once(code: str) -> str:
    """Return a reset's kernel without the second of two equal declarations.

    Brian2CUDA writes what is computed once for all neurons and what is computed for each into one
    scope, and reads a shared variable in both: nvcc refuses to declare it twice.
    """
    _, mark, kernel = code.partition("// scalar code")
    seen: set[str] = set()
    lines = []
    for line in kernel.split("\n"):
        if _READS.fullmatch(line):
            if line.strip() in seen:
                continue
            seen.add(line.strip())
        elif line.startswith("}"):
            seen.clear()
        lines.append(line)
    return code[: len(code) - len(kernel)] + "\n".join(lines) if mark else code


def lean(name: str, contents: str) -> str:
    """Return a source or header such that only sources with arrays that grow include Thrust.

    To read Thrust takes nvcc three quarters of the time that a source of Brian2CUDA takes, and all
    included it for the sake of a vector of pointers.
    """
    contents = _POINTERS.sub(r"std::vector<\1*>", contents)
    if name.endswith(".h"):
        return _THRUST_LINES.sub(rf"#ifndef {_NO_THRUST}\n\g<0>#endif\n", contents)
    if name.endswith(".cu"):
        return f"{_WITH if _THRUST.search(contents) else _WITHOUT}{contents}"
    return contents


def _modern(flags: list[str]) -> list[str]:
    """Return compiler flags with the C++ standard that CUDA needs."""
    return [*(flag for flag in flags if not flag.startswith("-std=")), _STANDARD]


cuda_device = CUDADevice()
all_devices[NAME] = cuda_device
