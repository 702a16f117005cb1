"""All the cases, in the order of the page."""

from tests.acceptance.fidelity import (
    bad_request_cases,
    bad_response_cases,
    body_cases,
    connection_cases,
    field_cases,
    forwarding_cases,
    old_client_cases,
    once_cases,
    path_cases,
    response_cases,
)

GROUPS = (
    path_cases.GROUP,
    field_cases.GROUP,
    connection_cases.GROUP,
    forwarding_cases.GROUP,
    body_cases.GROUP,
    response_cases.GROUP,
    old_client_cases.GROUP,
    once_cases.GROUP,
    bad_request_cases.GROUP,
    bad_response_cases.GROUP,
)
CASES = tuple(case for group in GROUPS for case in group.cases)
