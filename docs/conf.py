"""How Sphinx builds the documentation: ``sphinx-build -W --keep-going docs docs/_build``."""

import importlib.util
import inspect
import os
import re
from pathlib import Path
from typing import Any

import brian2

import conex_brian
from conex_brian import presets
from conex_brian.parameters import Parameters
from conex_brian.printing import value_text

project = "conex_brian"
author = "The conex_brian developers"
project_copyright = author
version = release = conex_brian.__version__

extensions = [
    "matplotlib.sphinxext.plot_directive",
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.mathjax",
    "sphinx-mathjax-offline",  # MathJax comes with the site: no other host is asked
    "numpydoc",
    "sphinx_copybutton",
    "sphinx_gallery.gen_gallery",
]
exclude_patterns = ["_build", "gallery/*.ipynb", "gallery/*.py", "gallery/*.md5"]
suppress_warnings = ["config.cache"]  # a function among the gallery's options cannot be pickled

templates_path = ["_templates"]
html_theme = "furo"
html_title = f"conex_brian {version}"
html_static_path = ["_static"]
html_css_files = ["site.css"]

myst_enable_extensions = ["amsmath", "deflist", "dollarmath", "substitution"]
myst_heading_anchors = 3
speed = "images/speed.png"
rows = [
    f"| `{name}` | {type(one.neuron).__name__} | {one.pattern} | {value_text(one.I)} |"
    for name in presets.names()
    for one in [presets.load(name)]
]
myst_substitutions = {
    "speed_picture": f"![Time a neuron and step]({speed})" if Path(speed).exists() else "",
    "preset_table": "\n".join(["| name | class | pattern | current |", "| --- " * 4 + "|", *rows]),
}

# As numpydoc wants it: `name` is a reference where there is such an object.
default_role = "py:obj"
numpydoc_show_class_members = False
autosummary_generate = ["api.rst"]
autodoc_typehints = "none"  # the docstrings say it in words
autodoc_member_order = "bysource"

brian2.prefs.codegen.target = "numpy"  # each plot runs once: to compile would take longer
plot_formats = [("png", 150)]
plot_html_show_formats = False
plot_html_show_source_link = False

copybutton_prompt_text = r">>> |\.\.\. |\$ "
copybutton_prompt_is_regexp = True


def start_fresh(gallery: Any, file: str) -> None:
    """Give each example Brian2 as a new process would."""
    brian2.get_device().reinit()
    brian2.set_device("runtime")
    brian2.start_scope()
    brian2.defaultclock.dt = 0.1 * brian2.ms
    brian2.prefs.codegen.target = "auto"


os.environ["TQDM_MININTERVAL"] = "1e9"  # of a progress bar, its start and end are enough here
# Without CoNeX its example is shown, but not run.
runs = "" if importlib.util.find_spec("conex") else r"^(?!.*from_conex)"
sphinx_gallery_conf = {
    "examples_dirs": "../examples",
    "gallery_dirs": "gallery",
    "filename_pattern": runs or r".*",
    "within_subsection_order": "FileNameSortKey",
    "reset_modules": ("matplotlib", start_fresh),
    "abort_on_example_error": True,
    "download_all_examples": False,
    "notebook_extensions": set(),
    "remove_config_comments": True,
    "show_memory": False,
    "show_signature": False,
    "min_reported_time": 1e9,
}


def site_links(app: Any, path: Path, page: str, text: list[str]) -> None:
    """Let links in what is included from the repository lead to the site, where it has the target.

    Parameters as Sphinx's event ``include-read`` has them; the path is relative to this folder.
    """

    def link(match: re.Match[str]) -> str:
        target = match[1]
        if target.startswith(("http", "#")):
            return match[0]
        target = os.path.normpath(path.parent / target)  # relative to this folder
        target = re.sub(r"^\.\./docs/", "", target)
        target = re.sub(r"^\.\./examples/(\w+)\.py$", r"gallery/\1.rst", target)
        return "](" + {"../benchmarks/README.md": "accuracy.md"}.get(target, target) + ")"

    text[0] = re.sub(r"\]\(([^)\s]+)\)", link, text[0])


def signature(app: Any, what: str, name: str, obj: Any, *_: Any) -> tuple[str, None] | None:
    """Return the arguments of a model, which its ``__new__`` hides."""
    if what != "class" or not issubclass(obj, Parameters):
        return None
    arguments = list(inspect.signature(obj.__init__).parameters.values())[1:]
    plain = [one.replace(annotation=inspect.Parameter.empty) for one in arguments]
    return str(inspect.Signature(plain)), None


def setup(app: Any) -> None:
    """Register the above."""
    app.connect("autodoc-process-signature", signature)
    app.connect("include-read", site_links)
