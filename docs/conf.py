"""Sphinx configuration of the site: Markdown pages, and reference pages that are filled in from the code.

Reads this repository only. `tox -e docs` builds the site into build/docs.
"""

import sys
from pathlib import Path

from sphinx.application import Sphinx

sys.path.insert(0, str(Path(__file__).parents[1]))  # so that docs.from_code can be imported

from docs.from_code import fill
from pytest_kubelb import __version__

project = "pytest-kubelb"
author = copyright = "The pytest-kubelb developers"  # noqa: A001 - the name Sphinx reads
release = version = __version__

extensions = ["myst_parser"]
exclude_patterns = ["from_code", "examples", "gallery", "notebooks"]
myst_heading_anchors = 3
smartquotes = False  # two dashes before an option are two dashes

html_theme = "furo"
html_title = f"pytest-kubelb {release}"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_show_sourcelink = False
html_copy_source = False
pygments_style = "default"


def setup(app: Sphinx) -> None:
    """Fill the marks `<!-- from the code: NAME -->` of every page before it is parsed."""

    def fill_page(_app: Sphinx, _docname: str, source: list[str]) -> None:
        source[0] = fill(source[0])

    app.connect("source-read", fill_page)
