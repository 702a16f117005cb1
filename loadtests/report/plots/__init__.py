"""The pictures of the report, as SVG that is embedded in the page and uses its colours."""

from loadtests.report.plots.comparison import plot_comparison
from loadtests.report.plots.crossings import plot_crossings
from loadtests.report.plots.load import plot_load
from loadtests.report.plots.places import plot_places
from loadtests.report.plots.waits import plot_waits

__all__ = ["plot_comparison", "plot_crossings", "plot_load", "plot_places", "plot_waits"]
