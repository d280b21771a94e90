"""Importing the package takes little besides Brian2: what is heavy loads when it is used."""

from __future__ import annotations

import subprocess
import sys

HEAVY = (
    "matplotlib", "scipy", "pandas", "pyarrow", "tqdm", "cloudpickle", "distributed", "torch",
    "platformdirs", "nitime", "conex", "brian2cuda",
)  # fmt: skip

SCRIPT = f"""
import sys
import brian2
before = set(sys.modules)
import conex_brian
import conex_brian.devices
new = {{name.partition('.')[0] for name in set(sys.modules) - before}}
assert 'conex_brian' in new
print(*sorted(new & set({HEAVY!r})))
"""


def test_nothing_heavy_is_imported() -> None:
    done = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == []
