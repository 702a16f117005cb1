"""The load generator: locust's users and options. Only this room and the locustfile import locust."""

from loadtests.generator.options import GATEWAY_URL, add_options, gateway_urls, make_traffic, options_of
from loadtests.generator.traffic import Traffic
from loadtests.generator.users import Source

__all__ = ["GATEWAY_URL", "Source", "Traffic", "add_options", "gateway_urls", "make_traffic", "options_of"]
