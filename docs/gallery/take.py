"""Take the pictures of the gallery from a report of `--kubelb-html`, with a headless Chromium.

    python docs/gallery/take.py report.html

Reads the report; writes one PNG for each picture beside this file, and a temporary copy of the report in which
everything but one section is hidden.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).parent
WIDTH = 1000
# Section -> the height of its picture in CSS pixels. The head is everything above the first section.
PICTURES = {"head": 470, "rps": 620, "ratio": 560, "cv": 520, "order": 525, "hosts": 1000}
_POLICY = re.compile(r'<meta http-equiv="Content-Security-Policy"[^>]*>')
_BROWSERS = ("chromium", "chromium-browser", "google-chrome")


def only(report: str, section: str) -> str:
    """Give the report with one section to be seen; the policy that would forbid another style is taken out."""
    shown = (
        ""
        if section == "head"
        else f" header {{ display: none }} #{section} {{ display: block !important; margin: 0 }}"
    )
    style = f"<style>main > section:not(.answer), nav, footer {{ display: none }}{shown}</style>"
    return _POLICY.sub("", report).replace("</head>", f"{style}</head>")


def take(browser: str, report: Path, section: str, height: int) -> None:
    """Write the picture of one section."""
    with tempfile.TemporaryDirectory() as folder:
        page = Path(folder) / "page.html"
        page.write_text(only(report.read_text(encoding="utf-8"), section), encoding="utf-8")
        command = [
            browser,
            "--headless=new",
            "--no-sandbox",
            "--hide-scrollbars",
            f"--user-data-dir={folder}/profile",
        ]
        picture = [f"--window-size={WIDTH},{height}", f"--screenshot={HERE / section}.png"]
        subprocess.run([*command, *picture, page.as_uri()], check=True, capture_output=True)


def main() -> int:
    """Take all pictures; give 0, or 1 with a sentence."""
    browser = next((found for name in _BROWSERS if (found := shutil.which(name))), None)
    if browser is None or len(sys.argv) != 2:
        print(
            f"usage: {sys.argv[0]} REPORT.html, with one of {', '.join(_BROWSERS)} on PATH", file=sys.stderr
        )
        return 1
    for section, height in PICTURES.items():
        take(browser, Path(sys.argv[1]), section, height)
    return 0


if __name__ == "__main__":
    sys.exit(main())
