"""Figures drawn with matplotlib as small SVG, in the page's colours and font."""

import re
from collections.abc import Iterable
from enum import StrEnum
from io import StringIO
from xml.etree import ElementTree

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import PathPatch
from matplotlib.path import Path
from matplotlib.ticker import FuncFormatter, MaxNLocator

WIDE_INCHES = 14.6
NARROW_INCHES = 7.1
"""At 72 units per inch: the width of the page, and of one of two columns."""
FONT_POINTS = 13
_MARK_POINTS = 6.0
_SVG = "http://www.w3.org/2000/svg"
_LINK = "{http://www.w3.org/1999/xlink}href"
"""The attribute that matplotlib writes; HTML uses plain `href`."""


class Colour(StrEnum):
    """The colours of plots. Each is replaced by a CSS variable of the page, which has a light and a dark value."""

    HIGH = "#0067a5"
    LOW = "#c77700"
    TEXT = "#1b1f24"
    FAINT = "#6a737d"
    GRID = "#e3e6ea"
    BROKEN = "#c1121f"


COLOUR_OF = {"high": Colour.HIGH, "low": Colour.LOW}


def make_figure(width_inches: float, height_inches: float) -> Figure:
    """Return an empty figure whose axes fit into it."""
    return Figure(figsize=(width_inches, height_inches), layout="constrained")


def set_up_axes(axes: Axes, *, x: str = "", y: str = "") -> None:
    """Set labels and the common style of axes: a faint grid, no box."""
    axes.set_xlabel(x, color=Colour.FAINT, fontsize=FONT_POINTS)
    axes.set_ylabel(y, color=Colour.FAINT, fontsize=FONT_POINTS)
    axes.tick_params(colors=Colour.FAINT, labelsize=FONT_POINTS, length=0, pad=6)
    axes.spines[:].set_visible(False)
    axes.grid(color=Colour.GRID, linewidth=1)
    axes.set_axisbelow(True)


def show_run_seconds(axes: Axes, seconds: float) -> None:
    """Make the x axis the time of the run, from 0 to its end."""
    axes.set_xlim(-0.005 * seconds, 1.01 * seconds)
    axes.xaxis.set_major_locator(MaxNLocator(8, steps=[1, 2, 5, 10]))
    name_run_seconds(axes)


def name_run_seconds(axes: Axes) -> None:
    """Write the ticks of the x axis in seconds, however close to each other they are."""
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g} s"))


def draw_marks(axes: Axes, marks: Iterable[tuple[float, float]], colour: Colour, layer: float) -> None:
    """Draw a round mark at each point; the limits of the axes have to be set before.

    All marks are one path of minimal strokes with round ends: some 20 bytes a mark, a tenth of a separate shape for
    each. Overlapping marks are drawn once.
    """
    # matplotlib omits strokes without length.
    left, right = axes.get_xlim()
    length = (right - left) * 1e-5
    points = [end for x, y in _thin(axes, marks) for end in ((x, y), (x + length, y))]
    if not points:
        return
    path = Path(points, [Path.MOVETO, Path.LINETO] * (len(points) // 2))
    # Not add_patch, which would look for the limits of thousands of strokes.
    axes.add_artist(
        PathPatch(path, fill=False, edgecolor=colour, linewidth=_MARK_POINTS, capstyle="round", zorder=layer)
    )


def _thin(axes: Axes, marks: Iterable[tuple[float, float]]) -> list[tuple[float, float]]:
    """Return the first of all marks in the same cell of the picture, which is much smaller than a mark."""
    cells: dict[tuple[int, int], tuple[float, float]] = {}
    (left, right), (bottom, top) = axes.get_xlim(), axes.get_ylim()
    for x, y in marks:
        column = round((x - left) / (right - left) * axes.bbox.width)
        row = round((y - bottom) / (top - bottom) * axes.bbox.height)
        cells.setdefault((column, row), (x, y))
    return list(cells.values())


def render(figure: Figure, name: str, description: str) -> str:
    """Return the figure as an `svg` element. `name` must be unique on the page."""
    buffer = StringIO()
    # A fixed salt makes the ids reproducible and unique on the page.
    with matplotlib.rc_context({"svg.fonttype": "none", "svg.hashsalt": name}):
        figure.savefig(buffer, format="svg", transparent=True, metadata={"Date": None})
    ElementTree.register_namespace("", _SVG)
    root = ElementTree.fromstring(buffer.getvalue())  # noqa: S314 - matplotlib has just written it
    _remove_unused(root)
    root.attrib = {"viewBox": root.attrib["viewBox"], "role": "img", "aria-label": description}
    return ElementTree.tostring(root, encoding="unicode")


def _remove_unused(root: ElementTree.Element) -> None:
    used = set(re.findall(r"#(\w+)", " ".join(value for node in root.iter() for value in node.attrib.values())))
    for parent in root.iter():
        for child in list(parent):
            if child.tag in (f"{{{_SVG}}}metadata", f"{{{_SVG}}}style"):
                parent.remove(child)
        if parent.get("id") not in used:
            parent.attrib.pop("id", None)
        if _LINK in parent.attrib:
            parent.set("href", parent.attrib.pop(_LINK))
        if "d" in parent.attrib:
            parent.set("d", _round_numbers(parent.attrib["d"]))
        if "style" in parent.attrib:
            parent.set("style", _use_page_colours(parent.attrib["style"]))


def _round_numbers(path: str) -> str:
    shorter = re.sub(r"-?\d+\.\d+", lambda number: f"{float(number[0]):.1f}".removesuffix(".0"), path)
    return " ".join(shorter.split())


def _use_page_colours(style: str) -> str:
    for colour in Colour:
        style = style.replace(colour.value, f"var(--{colour.name.lower()})")
    # Remove matplotlib's font, so that the page's font is used.
    return re.sub(r"font-family: [^;]*;? ?", "", style)
