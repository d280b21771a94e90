"""use_cuda: every model becomes a CUDA program, and what is missing is named."""

from __future__ import annotations

import importlib.util
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import brian2
import numpy as np
import pytest
from brian2 import BrianLogger, Mohm, Network, SpikeMonitor, ms, mV, nS, pA, prefs
from brian2.devices.device import reset_device

from conex_brian import AELIF, ELIF, LIF, cuda, spike_monitor
from conex_brian.devices import use_cuda

HAS_BRIAN2CUDA = importlib.util.find_spec("brian2cuda") is not None


def nvcc() -> Path:
    """Return nvcc, or skip."""
    try:
        return cuda._find_directory(None) / "bin" / "nvcc"
    except RuntimeError:
        pytest.skip("needs nvcc")


def has_gpu() -> bool:
    try:
        cuda.check_gpu()
    except RuntimeError:
        return False
    return True


needs_brian2cuda = pytest.mark.skipif(not HAS_BRIAN2CUDA, reason="needs brian2cuda")

LINEAR = {
    "R": 480 * Mohm, "threshold": -41 * mV, "tau": 19 * ms, "v_reset": -56 * mV,
    "v_rest": -71 * mV,
}  # fmt: skip
EXPONENTIAL = {**LINEAR, "threshold": -31 * mV, "delta": 2.1 * mV, "theta_rh": -51 * mV}
ADAPTIVE = {**EXPONENTIAL, "alpha": 0.3 * nS, "beta": 6 * pA, "w_tau": 90 * ms}


@pytest.fixture(autouse=True)
def _brian2_as_it_was() -> Iterator[None]:
    level = prefs.logging.console_log_level
    BrianLogger.suppress_hierarchy("brian2cuda")
    before = dict(prefs.items())
    yield
    while type(brian2.get_device()).__name__ != "RuntimeDevice":
        brian2.device.reinit()
        reset_device()
    assert {name: value for name, value in prefs.items() if name in before} == before
    assert prefs.logging.console_log_level == level


def network(recorded: str = "") -> tuple[Network, list[SpikeMonitor]]:
    """Return a network of all three models, on the grid and precise; one with a value a neuron.

    nvcc takes ten seconds for each part of a program, so initial values are numbers, and only
    groups whose names begin with ``recorded`` have monitors.
    """
    groups, monitors = [], []
    for timing in ("grid", "precise"):
        options: dict[str, Any] = {"spike_timing": timing}
        many = ELIF(**EXPONENTIAL, init_v=-71 * mV).replace(tau=np.linspace(15, 25, 30) * ms)
        some = [
            LIF(**LINEAR, init_v=-71 * mV).group(
                30, I=90 * pA, refractory=2 * ms, name=f"lif_{timing}", **options
            ),
            many.group(I=np.linspace(80, 150, 30) * pA, name=f"elif_{timing}", **options),
            AELIF(**ADAPTIVE, init_v=-71 * mV).group(
                30, I=120 * pA, refractory=3 * ms, name=f"aelif_{timing}", **options
            ),
        ]
        make = spike_monitor if timing == "precise" else SpikeMonitor
        monitors += [
            make(group, name=f"{group.name}_spikes")
            for group in some
            if group.name.startswith(recorded)
        ]
        groups += some
    return Network(groups, monitors, name="net"), monitors


@needs_brian2cuda
@pytest.mark.slow
def test_all_models_compile_without_a_gpu(tmp_path: Path) -> None:
    nvcc()
    use_cuda(tmp_path / "project", compute_capability=9.0, build_on_run=False)
    net, _ = network(recorded="aelif_precise")
    net.run(20 * ms)
    brian2.device.build(run=False)
    program = tmp_path / "project" / "main"
    assert program.is_file()
    # Thrust takes most of nvcc's time: monitors need it, and the file that holds all arrays.
    sources = [path for path in program.parent.rglob("*.cu") if path.stat().st_size]
    heavy = {path.name for path in sources if not _without_thrust(path)}
    assert heavy == {"objects.cu", "aelif_precise_spikes_codeobject.cu"}
    assert len(sources) > 25
    assert [path.name for path in sources if "after_run" in path.name] == ["after_run.cu"]
    needed = subprocess.run(["ldd", str(program)], capture_output=True, text=True).stdout
    assert "not found" not in needed
    if not has_gpu():
        with pytest.raises(RuntimeError, match="There is no GPU to run on"):
            brian2.device.run()


def _without_thrust(source: Path) -> bool:
    return source.read_text().startswith("#define CONEX_BRIAN_NO_THRUST\n")


@needs_brian2cuda
def test_a_source_includes_thrust_if_it_mentions_it() -> None:
    from conex_brian.cuda_device import lean

    header = """#include <vector>
#include <thrust/device_vector.h>
extern thrust::host_vector<int32_t*> dev_array_a__spikespace;
extern thrust::device_vector<double> dev_dynamic_array_b_t;
extern double x;
"""
    assert (
        lean("objects.h", header)
        == """#include <vector>
#ifndef CONEX_BRIAN_NO_THRUST
#include <thrust/device_vector.h>
#endif
extern std::vector<int32_t*> dev_array_a__spikespace;
#ifndef CONEX_BRIAN_NO_THRUST
extern thrust::device_vector<double> dev_dynamic_array_b_t;
#endif
extern double x;
"""
    )
    step = "void step() { kernel<<<1, 9>>>(dev_array_a__spikespace[0]); }\n"
    assert lean("step.cu", step) == f"#define CONEX_BRIAN_NO_THRUST\n{step}"
    for name, text in (
        ("spikes.cu", "void spikes() { dev_dynamic_array_b_t.push_back(0.1); }\n"),
        ("sort.cu", "#include <thrust/sort.h>\n"),
    ):
        assert lean(name, text) == f"#define CONEX_BRIAN_THRUST\n{text}"
    assert lean("makefile", "PROGRAM = main\n") == "PROGRAM = main\n"


@needs_brian2cuda
@pytest.mark.slow
@pytest.mark.gpu
def test_the_spikes_are_those_of_the_runtime(tmp_path: Path) -> None:
    nvcc()
    if not has_gpu():
        pytest.skip("needs an NVIDIA GPU")
    net, monitors = network()
    net.run(100 * ms)
    expected = [[monitor.i[:], spike_times(monitor)] for monitor in monitors]
    brian2.start_scope()
    use_cuda(tmp_path / "project", build_on_run=False)
    net, monitors = network()
    net.run(100 * ms)
    brian2.device.build()
    for monitor, (neurons, times) in zip(monitors, expected, strict=True):
        assert len(neurons) > 30
        found = spike_times(monitor)
        order, theirs = np.lexsort((monitor.i[:], found)), np.lexsort((neurons, times))
        np.testing.assert_array_equal(monitor.i[:][order], neurons[theirs])
        np.testing.assert_allclose(found[order], times[theirs], atol=1e-9)


def spike_times(monitor: SpikeMonitor) -> np.ndarray:
    """Return the times in ms, exact ones where the monitor has them."""
    times = monitor.t_spike if "t_spike" in monitor.record_variables else monitor.t
    return np.asarray(times / ms)


@needs_brian2cuda
def test_without_a_gpu_it_says_so_before_it_compiles(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    nvcc()
    monkeypatch.setenv("PATH", _without("nvidia-smi", tmp_path))
    use_cuda(tmp_path / "project")
    with pytest.raises(RuntimeError, match=r"There is no GPU .*nvidia-smi.* is not in PATH"):
        Network(brian2.NeuronGroup(1, "v : 1")).run(0.1 * ms)
    assert not (tmp_path / "project").exists()


def _without(program: str, folder: Path) -> str:
    """Return a PATH of links to all programs but one."""
    place = folder / "bin"
    place.mkdir()
    for name in ("nvcc", "g++", "gcc", "c++", "make", "sh", "uname", "as", "ld", "cc"):
        found = shutil.which(name)
        if found and name != program:
            (place / name).symlink_to(found)
    return str(place)


def test_without_brian2cuda_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    real = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if name == "brian2cuda" else real(name)
    )
    with pytest.raises(ImportError, match=r"needs brian2cuda.*pip install 'conex_brian\[cuda\]'"):
        use_cuda()


def toolkit(place: Path, script: str) -> Path:
    """Write an nvcc that does what ``script`` says, once it has told its version."""
    program = place / "bin" / "nvcc"
    program.parent.mkdir(parents=True)
    version = "Cuda compilation tools, release 12.4, V12.4.99"
    program.write_text(f'#!/bin/sh\n[ "$1" = --version ] && echo "{version}" && exit\n{script}\n')
    program.chmod(0o755)
    return place


def test_without_nvcc_it_says_where_it_looked(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(cuda, "_USUAL", ())
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CUDA_PATH", raising=False)
    with pytest.raises(RuntimeError, match=r"needs NVIDIA's compiler nvcc.*CUDA_PATH"):
        cuda.find_toolkit()


def test_curand_is_taken_from_where_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = toolkit(tmp_path / "whole", "exit 0")
    monkeypatch.setenv("CUDA_PATH", str(whole))
    assert cuda.find_toolkit() == cuda.Toolkit(whole, (12, 4))
    bare = toolkit(tmp_path / "bare", "echo 'curand.h: No such file: error' >&2; exit 1")
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(RuntimeError, match=r"curand.*12\.4.*pip install nvidia-curand-cu12"):
        cuda.find_toolkit(str(bare))

    class Spec:
        submodule_search_locations = (str(tmp_path / "nvidia"),)

    monkeypatch.setattr(importlib.util, "find_spec", lambda name: Spec)
    header = tmp_path / "nvidia" / "curand" / "include" / "curand.h"
    library = tmp_path / "nvidia" / "curand" / "lib" / "libcurand.so.10"
    for path in (header, library):
        path.parent.mkdir(parents=True)
        path.touch()
    found = cuda.find_toolkit(str(bare))
    assert (found.include, found.library) == (header.parent, library)
    assert found.nvcc == bare / "bin" / "nvcc"


def test_an_nvcc_that_does_not_work_is_told(tmp_path: Path) -> None:
    broken = toolkit(tmp_path / "broken", "echo 'fatal error: too new a gcc' >&2; exit 1")
    with pytest.raises(RuntimeError, match="cannot compile a small program: fatal error: too new"):
        cuda.find_toolkit(str(broken))
    mute = tmp_path / "mute" / "bin" / "nvcc"
    mute.parent.mkdir(parents=True)
    mute.write_text("#!/bin/sh\necho what?\n")
    mute.chmod(0o755)
    with pytest.raises(RuntimeError, match=r"does not tell its version; it says: what\?"):
        cuda.find_toolkit(str(tmp_path / "mute"))


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"compute_capability": "9.0"}, TypeError, "compute_capability = '9.0': it needs a number"),
        ({"compute_capability": True}, TypeError, "compute_capability = True"),
        ({"compute_capability": 0}, ValueError, "compute_capability = 0: it needs a number such"),
        ({"compute_capability": float("nan")}, ValueError, "compute_capability = nan"),
        ({"directory": __file__}, ValueError, "is a file: give a directory"),
    ],
)
def test_wrong_arguments_are_named(
    options: dict[str, Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        use_cuda(**options)


@needs_brian2cuda
def test_a_reset_declares_each_variable_once() -> None:
    from conex_brian.cuda_device import declared_once

    code = """const double a = _ptr_a[0];
{
// scalar code
    const double a = _ptr_a[0];
    const double b = 2*a;

    const double a = _ptr_a[0];
    const double c = _ptr_c[0];
    double v = _ptr_v[_idx];
    double v = _ptr_v[_idx];
}
    const double a = _ptr_a[0];
"""
    once = code.replace("\n\n    const double a = _ptr_a[0];", "\n")
    assert declared_once(code) == once
    assert declared_once(once) == once
    without = "const double a = _ptr_a[0];\n" * 2
    assert declared_once(without) == without
