"""The pictures of the report: from a scenario to SVG that stands inside a page and takes its colours from the page."""
