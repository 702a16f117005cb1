"""How long gateway and worker wait for each other: longer than what the other side waits for."""

import pytest

from fast_priority.http.limits import LEAST_BYTES_PER_SECOND
from fast_priority.http.message import Request, TargetPolicy
from fast_priority.protocol import silence
from fast_priority.protocol.conversation import CreditWindow
from fast_priority.protocol.frames import MOST_CHUNK_BYTES, ForwardCall


@pytest.mark.parametrize("timeout_seconds", [0.1, 180.0])
@pytest.mark.parametrize("client_timeout_seconds", [0.1, 15.0, 86_400.0])
@pytest.mark.parametrize("frames_in_flight", [1, 6, 1024])
def test_a_worker_is_more_patient_than_the_gateway(
    timeout_seconds: float, client_timeout_seconds: float, frames_in_flight: int
) -> None:
    """It waits longer than a client may be silent, and than a client may need to take all that is under way to it."""
    policy = TargetPolicy("http://api", 1.0, timeout_seconds, 0)
    request = Request("GET", b"/", [], b"")
    call = ForwardCall(request, policy, frames_in_flight, client_timeout_seconds=client_timeout_seconds)
    window, taken = CreditWindow(frames_in_flight), 1
    while window.take() is None:
        taken += 1
    taking_seconds = client_timeout_seconds + (taken * MOST_CHUNK_BYTES + 4 * 1024 * 1024) / LEAST_BYTES_PER_SECOND
    assert silence.of_gateway_with_request(call) > client_timeout_seconds + 10
    assert silence.of_gateway_with_response(call) > taking_seconds + 10


@pytest.mark.parametrize("uploads", [False, True])
def test_a_gateway_is_more_patient_than_the_worker(*, uploads: bool) -> None:
    """It waits longer than the target may be silent; while a body is uploaded, longer than the client may be, too."""
    least = 180.0 + (15.0 if uploads else 0) + 10
    assert silence.of_worker_before_response(180.0, 15.0, 6, uploads=uploads) > least
    assert silence.of_worker_within_response(180.0, 15.0, uploads=uploads) > least
