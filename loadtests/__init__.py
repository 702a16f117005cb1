"""Load scenarios for locust, and what is judged from them.

`locustfile` is the scenario: it sends, and does all the I/O. `ordering` is pure: from what was sent and what arrived it
judges whether high-priority requests overtook low ones.
"""
