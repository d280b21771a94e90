"""What a CUDA program is made with: NVIDIA's compiler, its random numbers, a GPU."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

#: Where NVIDIA's installer and some distributions put the toolkit.
_USUAL = ("/usr/local/cuda", "/opt/cuda")

_RANDOM_NUMBERS = """
#include <curand.h>
int main()
{
    curandGenerator_t generator;
    return (int)curandCreateGenerator(&generator, CURAND_RNG_PSEUDO_DEFAULT);
}
"""


@dataclass(frozen=True)
class Toolkit:
    """The CUDA toolkit of this machine.

    Attributes
    ----------
    directory : Path
        Where ``bin/nvcc`` lies.
    version : tuple of int
        The version, such as ``(13, 0)``.
    include : Path or None
        Where curand's headers lie; None where nvcc finds them itself.
    library : Path or None
        The file of curand's library; None where the linker finds it itself.
    """

    directory: Path
    version: tuple[int, int]
    include: Path | None = None
    library: Path | None = None

    @property
    def nvcc(self) -> Path:
        """NVIDIA's compiler."""
        return self.directory / "bin" / "nvcc"


def find_toolkit(directory: str | None = None) -> Toolkit:
    """Return the CUDA toolkit, with curand from PyPI where the toolkit has none.

    Parameters
    ----------
    directory : str, optional
        Where to look first. Default: what the environment variable CUDA_PATH names, what belongs
        to the ``nvcc`` in PATH, and the usual places.

    Raises
    ------
    RuntimeError
        If there is no nvcc, it does not work, or there is no curand.
    """
    place = _find_directory(directory)
    nvcc = place / "bin" / "nvcc"
    said = subprocess.run([str(nvcc), "--version"], capture_output=True, text=True)
    found = re.search(r"release (\d+)\.(\d+)", said.stdout)
    if found is None:
        words = (said.stderr or said.stdout).strip() or "nothing"
        raise RuntimeError(f"{nvcc} --version does not tell its version; it says: {words}")
    toolkit = Toolkit(place, (int(found[1]), int(found[2])))
    trouble = _try_random_numbers(nvcc)
    if not trouble:
        return toolkit
    if "curand" not in trouble:
        raise RuntimeError(f"{nvcc} cannot compile a small program: {trouble}")
    return _with_curand(toolkit)


def _find_directory(directory: str | None) -> Path:
    in_path = shutil.which("nvcc")
    places = [
        os.path.expanduser(directory or ""),
        os.environ.get("CUDA_PATH", ""),
        os.path.dirname(os.path.dirname(in_path)) if in_path else "",
        *_USUAL,
    ]
    for place in filter(None, places):
        if (Path(place) / "bin" / "nvcc").is_file():
            return Path(place)
    raise RuntimeError(
        "use_cuda() needs NVIDIA's compiler nvcc, which is neither in PATH nor in the bin "
        "directory of CUDA_PATH or /usr/local/cuda. Install the CUDA toolkit, or name its "
        "directory in the environment variable CUDA_PATH."
    )


def _try_random_numbers(nvcc: Path) -> str:
    """Compile and link a program with curand; return the first error, or nothing."""
    with tempfile.TemporaryDirectory(prefix="conex_brian_") as folder:
        source = Path(folder) / "probe.cu"
        source.write_text(_RANDOM_NUMBERS)
        done = subprocess.run(
            [str(nvcc), "-std=c++17", "probe.cu", "-lcurand", "-o", "probe"],
            cwd=folder,
            capture_output=True,
            text=True,
            errors="replace",
        )
    if done.returncode == 0:
        return ""
    lines = (done.stderr + done.stdout).strip().splitlines()
    errors = [line for line in lines if "error" in line or "cannot find" in line]
    return (errors or lines or [f"it ended with status {done.returncode}"])[0]


def _with_curand(toolkit: Toolkit) -> Toolkit:
    """Add curand's headers and library as the packages of PyPI hold them."""
    major = toolkit.version[0]
    package, folder = (
        ("nvidia-curand-cu12", "curand") if major <= 12 else ("nvidia-curand", f"cu{major}")
    )
    spec = importlib.util.find_spec("nvidia")
    for root in (spec.submodule_search_locations or []) if spec else []:
        include = Path(root) / folder / "include"
        libraries = sorted((Path(root) / folder / "lib").glob("libcurand.so*"))
        if (include / "curand.h").is_file() and libraries:
            return Toolkit(toolkit.directory, toolkit.version, include, libraries[0])
    raise RuntimeError(
        f"use_cuda() needs curand, CUDA's random numbers: the toolkit in {toolkit.directory} "
        f"({major}.{toolkit.version[1]}) has none. Install it with the toolkit, or with "
        f"pip install {package}"
    )


def check_gpu() -> None:
    """Check that there is a GPU.

    Raises
    ------
    RuntimeError
        If there is none, with what to do without one.
    """
    command = shutil.which("nvidia-smi")
    if command is None:
        reason = "nvidia-smi, which comes with NVIDIA's driver, is not in PATH"
    else:
        done = subprocess.run([command, "-L"], capture_output=True, text=True)
        if done.returncode == 0 and "GPU " in done.stdout:
            return
        reason = f"nvidia-smi -L says: {(done.stdout + done.stderr).strip() or 'nothing'}"
    raise RuntimeError(
        f"There is no GPU to run on ({reason}). To build a program for another machine, give its "
        "compute capability, such as use_cuda(compute_capability=9.0, build_on_run=False), and "
        "call device.build(run=False)."
    )
