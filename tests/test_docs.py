"""The documentation is true: the code of its pages runs, and it names all that the library has."""

from __future__ import annotations

import doctest
import re
import shlex
import shutil
import sys
from collections.abc import Iterator
from contextlib import redirect_stdout
from importlib import import_module
from inspect import isfunction
from io import StringIO
from pathlib import Path
from typing import Any

import brian2
import pytest
from brian2 import set_device, start_scope

import conex_brian
from conex_brian import LIF
from conex_brian.__main__ import main
from live_conex import load_conex, missing_packages

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
PAGES = sorted([*DOCS.glob("*.md"), *DOCS.glob("*.rst")])
CODE = re.compile(r"^```(python|pycon|console)\n(.*?)^```$", flags=re.M | re.S)
INCLUDE = re.compile(r"^```\{include\} (\S+)\n(.*?)^```$", flags=re.M | re.S)

#: What takes more than a few seconds.
SLOW = {"own_model", "presets", "precise", "patterns", "phase_planes", "input", "from_brian2"}

#: What a page needs besides the library; a page without code has no test.
COMPILES = {"devices", "sweeps"}
LIVE_CONEX = {"from_conex"}

#: Public modules, each with what its page in the API must name.
PUBLIC = [f"conex_brian{name}" for name in ("", ".analysis", ".devices", ".plotting", ".presets")]

#: Modules with examples in their docstrings.
SOURCES = sorted(Path(conex_brian.__file__).parent.glob("*.py"))
DOCUMENTED = [path for path in SOURCES if ">>> " in path.read_text()]

FLAGS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE


def text_of(page: Path) -> str:
    """Return a page with all that it includes in its place, as Sphinx puts it together."""

    def included(match: re.Match[str]) -> str:
        text = (page.parent / match[1]).read_text()
        options = dict(re.findall(r'^:([\w-]+): *"?(.*?)"?$', match[2], flags=re.M))
        if "start-after" in options:
            assert options["start-after"] in text, f"{match[1]} has no {options['start-after']!r}"
            text = text.partition(options["start-after"])[2]
        if "end-before" in options:
            assert options["end-before"] in text, f"{match[1]} has no {options['end-before']!r}"
            text = text.partition(options["end-before"])[0]
        return text

    return INCLUDE.sub(included, page.read_text())


def run_page(page: Path) -> dict[str, Any]:
    """Run the code of a page from top to bottom; sessions must print what the page shows."""
    scope: dict[str, Any] = {"__name__": "__main__"}
    runner = doctest.DocTestRunner(optionflags=FLAGS)
    text = text_of(page)
    for match in CODE.finditer(text):
        language, code = match.groups()
        where = f"{page.name}, block {text.count('```', 0, match.start()) // 2 + 1}"
        if language == "python":
            exec(compile(code, where, "exec"), scope)
            continue
        if language == "console":
            run_commands(code, where)
            continue
        session = doctest.DocTestParser().get_doctest(code, scope, where, str(page), 0)
        shown: list[str] = []
        session.globs = scope  # get_doctest copies it, and later blocks need the names
        result = runner.run(session, out=shown.append, clear_globs=False)
        assert result.failed == 0, "".join(shown)
    return scope


def run_commands(code: str, where: str) -> None:
    """Run each command of a console, in this process; it must print what the page shows."""
    for line, shown in re.findall(r"^\$ (.*)\n((?:(?!\$ ).*\n)*)", code, flags=re.M):
        *words, target = shlex.split(line) if ">" in line else [*shlex.split(line), None]
        words = words[:-1] if target else words
        assert words[:3] == ["python", "-m", "conex_brian"], where
        with redirect_stdout(StringIO()) as printed:
            assert main(words[3:]) == 0, f"{where}: {line}"
        if target:
            Path(target).write_text(printed.getvalue())
            continue
        same = doctest.OutputChecker().check_output(shown, printed.getvalue(), FLAGS)
        assert same, f"{where}: {line} prints\n{printed.getvalue()}"


@pytest.fixture
def _process_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """What a page changes beyond its names ends with it."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MPLBACKEND", "Agg")
    monkeypatch.setenv("CONEX_BRIAN_CACHE", str(tmp_path / "cache"))
    yield
    brian2.get_device().reinit()
    set_device("runtime")
    if "matplotlib.pyplot" in sys.modules:
        sys.modules["matplotlib.pyplot"].close("all")


def with_code() -> list[Any]:
    """Return the pages that have code, each with what it needs."""
    found = []
    for page in PAGES:
        if not CODE.search(text_of(page)):
            continue
        marks = [pytest.mark.slow] if page.stem in SLOW else []
        if page.stem in COMPILES:
            no_compiler = shutil.which("g++") is None and shutil.which("clang++") is None
            marks = [
                pytest.mark.slow,
                pytest.mark.skipif(no_compiler, reason="needs a C++ compiler"),
            ]
        if page.stem in LIVE_CONEX:
            missing = missing_packages()
            reason = f"needs the packages {', '.join(missing)}"
            marks = [pytest.mark.slow, pytest.mark.skipif(bool(missing), reason=reason)]
        found.append(pytest.param(page, marks=marks, id=page.stem))
    return found


@pytest.mark.usefixtures("_process_of_its_own")
@pytest.mark.parametrize("page", with_code())
def test_the_code_of_a_page_runs_as_it_stands(page: Path) -> None:
    if page.stem in LIVE_CONEX:
        load_conex()  # without torchvision, which CoNeX asks for and does not use here
    run_page(page)


@pytest.mark.usefixtures("_process_of_its_own")
@pytest.mark.parametrize(
    "path",
    [
        pytest.param(path, id=path.stem, marks=[pytest.mark.slow] if path.stem in SLOW else [])
        for path in DOCUMENTED
    ],
)
def test_the_examples_of_docstrings_run(path: Path) -> None:
    module = import_module("conex_brian" + f".{path.stem}".replace(".__init__", ""))
    runner = doctest.DocTestRunner(optionflags=FLAGS)
    shown: list[str] = []
    for test in doctest.DocTestFinder(exclude_empty=True).find(module):
        start_scope()
        runner.run(test, out=shown.append)
        brian2.get_device().reinit()
        set_device("runtime")
    assert runner.tries > 0
    assert runner.failures == 0, "".join(shown)


@pytest.mark.parametrize("module", PUBLIC)
def test_every_public_name_has_its_place_in_the_api_and_an_example(module: str) -> None:
    api = (DOCS / "api.rst").read_text()
    listed: set[str] = set()
    for section in api.split(".. currentmodule:: ")[1:]:
        current, _, rest = section.partition("\n")
        listed |= {f"{current}.{name}" for name in re.findall(r"^   (\w+)$", rest, flags=re.M)}
    for name in import_module(module).__all__:
        assert f"{module}.{name}" in listed
        public = getattr(import_module(module), name)
        if isfunction(public) or issubclass(public, LIF):
            assert ">>> " in (public.__doc__ or ""), name


def pictures(page: Path) -> list[str]:
    """Return the pictures that the text of a page shows."""
    return re.findall(r"!\[[^\]]*\]\(([^)\s]+)\)", page.read_text())


@pytest.mark.parametrize("page", [*PAGES, ROOT / "README.md"], ids=lambda page: page.name)
def test_every_picture_exists_and_is_small(page: Path) -> None:
    for picture in pictures(page):
        path = page.parent / picture
        assert path.is_file(), f"{page.name} shows {picture}"
        assert path.stat().st_size < 170_000
