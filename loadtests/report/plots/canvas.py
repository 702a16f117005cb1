"""Figures drawn with matplotlib and handed over as SVG for a page: small, and in the page's colours and type."""

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
"""At 72 units an inch: the width of the page, and of one of two columns."""
FONT_POINTS = 13
_MARK_POINTS = 6.0
_SVG = "http://www.w3.org/2000/svg"
_LINK = "{http://www.w3.org/1999/xlink}href"
"""What matplotlib refers to a shape with; a page wants plain `href`."""


class Ink(StrEnum):
    """The colours that a plot may use. Each stands for a variable of the page, which has a light and a dark value."""

    HIGH = "#0067a5"
    LOW = "#c77700"
    TEXT = "#1b1f24"
    FAINT = "#6a737d"
    GRID = "#e3e6ea"
    BROKEN = "#c1121f"


INK_OF = {"high": Ink.HIGH, "low": Ink.LOW}


def make_figure(width_inches: float, height_inches: float) -> Figure:
    """Make an empty figure that fits its axes into itself."""
    return Figure(figsize=(width_inches, height_inches), layout="constrained")


def set_up_axes(axes: Axes, *, x: str = "", y: str = "") -> None:
    """Give axes their names and the quiet look of all plots: a faint grid, no box."""
    axes.set_xlabel(x, color=Ink.FAINT, fontsize=FONT_POINTS)
    axes.set_ylabel(y, color=Ink.FAINT, fontsize=FONT_POINTS)
    axes.tick_params(colors=Ink.FAINT, labelsize=FONT_POINTS, length=0, pad=6)
    axes.spines[:].set_visible(False)
    axes.grid(color=Ink.GRID, linewidth=1)
    axes.set_axisbelow(True)


def show_run_seconds(axes: Axes, seconds: float) -> None:
    """Make the x axis the time of the run, from 0 to its end."""
    axes.set_xlim(-0.005 * seconds, 1.01 * seconds)
    axes.xaxis.set_major_locator(MaxNLocator(8, steps=[1, 2, 5, 10]))
    name_run_seconds(axes)


def name_run_seconds(axes: Axes) -> None:
    """Write the ticks of the x axis in seconds, however close to each other they are."""
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g} s"))


def draw_marks(axes: Axes, marks: Iterable[tuple[float, float]], ink: Ink, layer: float) -> None:
    """Draw a round mark at each point; the limits of the axes have to be set before.

    All are one path of the shortest strokes with round ends: some 20 bytes a mark, where a shape of its own for each
    would take ten times that. Marks that would lie on one another are drawn once.
    """
    # Without any length matplotlib would leave the strokes out.
    left, right = axes.get_xlim()
    length = (right - left) * 1e-5
    points = [end for x, y in _thin(axes, marks) for end in ((x, y), (x + length, y))]
    if not points:
        return
    path = Path(points, [Path.MOVETO, Path.LINETO] * (len(points) // 2))
    axes.add_patch(PathPatch(path, fill=False, edgecolor=ink, linewidth=_MARK_POINTS, capstyle="round", zorder=layer))


def _thin(axes: Axes, marks: Iterable[tuple[float, float]]) -> list[tuple[float, float]]:
    """Keep the first of all marks that fall into the same cell of the picture, much smaller than a mark."""
    cells: dict[tuple[int, int], tuple[float, float]] = {}
    (left, right), (bottom, top) = axes.get_xlim(), axes.get_ylim()
    for x, y in marks:
        column = round((x - left) / (right - left) * axes.bbox.width)
        row = round((y - bottom) / (top - bottom) * axes.bbox.height)
        cells.setdefault((column, row), (x, y))
    return list(cells.values())


def render(figure: Figure, name: str, description: str) -> str:
    """Give the figure as an `svg` element for a page. `name` must be its own on the page."""
    buffer = StringIO()
    # A fixed salt makes the same ids for the same picture, and others than those of any other picture of the page.
    with matplotlib.rc_context({"svg.fonttype": "none", "svg.hashsalt": name}):
        figure.savefig(buffer, format="svg", transparent=True, metadata={"Date": None})
    ElementTree.register_namespace("", _SVG)
    root = ElementTree.fromstring(buffer.getvalue())  # noqa: S314 - matplotlib has just written it
    _drop_needless(root)
    root.attrib = {"viewBox": root.attrib["viewBox"], "role": "img", "aria-label": description}
    return ElementTree.tostring(root, encoding="unicode")


def _drop_needless(root: ElementTree.Element) -> None:
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
    for ink in Ink:
        style = style.replace(ink.value, f"var(--{ink.name.lower()})")
    # The page's own type is used; matplotlib names the one that it has measured with.
    return re.sub(r"font-family: [^;]*;? ?", "", style)
