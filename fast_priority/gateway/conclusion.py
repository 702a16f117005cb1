"""The end of a request that has a task: its one last event and, if something went wrong, the response that says so."""

import time
from collections.abc import Awaitable

from starlette.types import Scope

from fast_priority.errors import ClientLeft, GatewayError, TargetTimeout, UnforeseenError, without_traces
from fast_priority.events import Answered, Events, Failed, Left, publish, publish_error
from fast_priority.gateway.response import ClientResponse
from fast_priority.http.cors import AllowedOrigins


async def conclude(
    answering: Awaitable[None], scope: Scope, response: ClientResponse, events: Events, origins: AllowedOrigins
) -> None:
    """Answer a request, and publish one last event for it. Pages of `origins` may read an error.

    Raises what is no GatewayError again: the server logs it.
    """
    record = response.record
    try:
        await answering
    except ClientLeft:
        if events.left:
            publish(events.left, Left(scope, record))
    except GatewayError as error:
        if isinstance(error, TargetTimeout):
            error.detail += f"; the request came {time.monotonic() - record.received_at:.1f} s ago"
        publish_error(events, scope, error, record, is_broken_off=response.has_begun)
        await response.send_error(error, origins.fields_for(scope["headers"]))
        without_traces(error)
    except BaseException as error:
        if events.failed:
            publish(events.failed, Failed(scope, error, response.has_begun, record))
        if isinstance(error, Exception) and not response.has_begun:
            await response.send_error(UnforeseenError(), origins.fields_for(scope["headers"]))
        raise  # the server logs it, with its traceback
    else:
        if events.answered:
            publish(events.answered, Answered(scope, response.status, record))
