"""The load generator: locust's users and options. Only this room and the locustfile import locust."""

from loadtests.generator.options import add_options, gateway_urls, make_traffic, options_of
from loadtests.generator.traffic import Traffic
from loadtests.generator.users import Source

__all__ = ["Source", "Traffic", "add_options", "gateway_urls", "make_traffic", "options_of"]
