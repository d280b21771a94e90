"""Importing the package takes little besides Brian2: what is heavy loads when it is used."""

from __future__ import annotations

import subprocess
import sys

import pytest

import conex_brian

HEAVY = (
    "matplotlib", "scipy", "pandas", "pyarrow", "tqdm", "cloudpickle", "distributed", "torch",
    "platformdirs", "nitime", "conex", "brian2cuda", "conex_brian.sweeps",
)  # fmt: skip

SCRIPT = f"""
import sys
import brian2
before = set(sys.modules)
import conex_brian
import conex_brian.devices
new = set(sys.modules) - before
assert 'conex_brian' in new
print(*sorted(new & set({HEAVY!r})))
"""


def test_nothing_heavy_is_imported() -> None:
    done = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == []


def test_what_loads_late_is_there() -> None:
    assert all(hasattr(conex_brian, name) for name in conex_brian.__all__)
    with pytest.raises(AttributeError, match=r"^module 'conex_brian' has no attribute 'sweeps_'$"):
        conex_brian.sweeps_  # noqa: B018
