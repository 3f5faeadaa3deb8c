"""matplotlib as a draughtsman: what it draws is cut down to paths and texts with classes.

A chart has no colour, no id and no reference: the page's style sheet paints its classes, in light,
in dark and on paper.
"""

import io
import re
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from html import escape
from typing import TYPE_CHECKING, Any, Final, NamedTuple
from xml.etree import ElementTree as ET

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_STYLE: Final[Any] = {"svg.fonttype": "none", "svg.hashsalt": "report", "text.parse_math": False}
_STEP: Final = re.compile(r"([MLz])(?: (-?[\d.e-]+) (-?[\d.e-]+))?")
_ANCHOR: Final = re.compile(r"text-anchor: (\w+)")
_ZERO: Final = re.compile(r"(?<!\d)0\.")


class Size(NamedTuple):
    """Size of a chart in CSS pixels, its left margin, and the longest span with a label a day."""

    width: int
    height: int
    left: int
    daily_labels: int


@contextmanager
def drawn(size: Size, title: str) -> Generator[tuple["Axes", io.StringIO]]:
    """Give axes to draw on, and what will hold the SVG when the drawing is done.

    Artists whose gid is `c-x` get the class x; the others none. Nothing is clipped.
    """
    import matplotlib as mpl  # noqa: PLC0415 (a quarter of a second, and only a report draws)
    from matplotlib.figure import Figure  # noqa: PLC0415

    svg = io.StringIO()
    with mpl.rc_context(_STYLE):
        figure = Figure(figsize=(size.width / 72, size.height / 72))
        figure.patch.set_visible(False)
        width, height = size.width - size.left - 8, size.height - 8 - 18  # right; top and bottom
        box = (size.left / size.width, 18 / size.height, width / size.width, height / size.height)
        axes = figure.add_axes(box)
        _quieten(axes, steps=3 if size.height < 150 else 5)
        yield axes, svg
        written = io.BytesIO()
        figure.savefig(written, format="svg", metadata={"Date": None, "Creator": None})
    root = ET.fromstring(written.getvalue())  # noqa: S314 (written in the line above)
    svg.write(f'<svg role="img" viewBox="0 0 {size.width} {size.height}">')
    svg.write(f"<title>{escape(title)}</title>{''.join(_list_marks(root, ''))}</svg>")


def _quieten(axes: "Axes", *, steps: int) -> None:
    from matplotlib.ticker import MaxNLocator, StrMethodFormatter  # noqa: PLC0415

    axes.set_frame_on(False)
    axes.set_axisbelow(True)
    axes.tick_params(which="both", length=0, pad=4, labelsize=10)
    axes.yaxis.set_major_locator(MaxNLocator(steps, steps=[1, 2, 5, 10]))
    axes.yaxis.set_major_formatter(StrMethodFormatter("{x:,g}"))


def _list_marks(node: ET.Element, name: str) -> Iterator[str]:
    for child in node:
        tag = child.tag.partition("}")[2]
        if tag == "g":
            own = child.get("id", "")
            yield from _list_marks(child, own[2:] if own.startswith("c-") else name)
        elif tag == "path":
            yield f'<path class="{name}" d="{_shorten(child.get("d", ""))}"/>'
        elif tag == "text" and child.text:
            anchor = _ANCHOR.search(child.get("style", ""))
            side = f' text-anchor="{anchor[1]}"' if anchor else ""
            spot = " ".join(f'{axis}="{float(child.get(axis, 0)):.1f}"' for axis in "xy")
            kind = f' class="{name}"' if name == "note" else ""
            yield f"<text{kind} {spot}{side}>{escape(child.text)}</text>"


def _shorten(path: str) -> str:
    r"""Write a path in steps of tenths of a pixel from point to point.

    >>> _shorten("M 10 20.04 \nL 10.55 22 \nz")
    'M10 20l.6 2z'
    """
    done, at = [], (0, 0)
    for command, x, y in _STEP.findall(path):
        if command == "z":
            done.append("z")
            continue
        to = round(float(x) * 10), round(float(y) * 10)
        if command == "M":
            done.append(f"M{to[0] / 10:g} {to[1] / 10:g}")
        elif to != at:
            done.append(f"l{(to[0] - at[0]) / 10:g} {(to[1] - at[1]) / 10:g}")
        at = to
    return _ZERO.sub(".", "".join(done))
