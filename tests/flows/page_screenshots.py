"""Make the pictures of the README from the page of a run: docs/images/.

python -m tests.flows.page_screenshots PAGE
"""

import sys
from pathlib import Path
from typing import Final

from PIL import Image

from tests.flows.browser import opened, running_browser

FOLDER: Final = Path(__file__).parents[2] / "docs" / "images"
COLOURS: Final = 160
"""Of the palette: flat areas and soft edges need no more, and it is a third of the bytes."""


def make_pictures(page: Path, folder: Path = FOLDER) -> list[Path]:
    """Make the top of the page in light, its charts in dark, and its top on a telephone."""
    views = (
        ("report-demand", 1200, 1010, "light", None),
        ("report-series", 1200, 760, "dark", "#charts"),
        ("report-narrow", 390, 844, "light", "#demand"),
    )
    made = []
    with running_browser() as browser:
        for name, width, height, scheme, place in views:
            with opened(browser, page, width=width, scheme=scheme) as (shown, _):
                shown.set_viewport_size({"width": width, "height": height})
                if place:
                    shown.locator(place).evaluate(
                        "at => scrollTo({top: at.offsetTop - 40, behavior: 'instant'})"
                    )
                path = folder / f"{name}.png"
                shown.screenshot(path=path)
                Image.open(path).convert("RGB").quantize(COLOURS, Image.Quantize.MAXCOVERAGE).save(
                    path, optimize=True
                )
                made.append(path)
    return made


if __name__ == "__main__":
    for picture in make_pictures(Path(sys.argv[1])):
        print(picture, picture.stat().st_size)
