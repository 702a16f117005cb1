"""The report of a check: a web page, JSON and JUnit XML for machines, and a table for the terminal.

The page needs matplotlib and jinja2, which come with the extra `loadtest`; the other three do without them.
"""

from loadtests.report.files import ReportError
from loadtests.report.html import write_html
from loadtests.report.junit import write_junit
from loadtests.report.results_json import write_json
from loadtests.report.slot_plan_table import describe_plan
from loadtests.report.table import make_table

__all__ = ["ReportError", "describe_plan", "make_table", "write_html", "write_json", "write_junit"]
