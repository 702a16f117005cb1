"""The mock's own pages: its settings, its arrival log, health, and the page for a browser."""

from mock_target.admin.arrivals_api import make_arrivals_router
from mock_target.admin.problem_handlers import add_problem_handlers
from mock_target.admin.settings_api import make_settings_router
from mock_target.admin.web_page import make_page_router

__all__ = ["add_problem_handlers", "make_arrivals_router", "make_page_router", "make_settings_router"]
