"""Puts the parts of the gateway together: what it is built of, and in which order they start and stop."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

from fastapi import Request, Response

from fast_priority.broker.connection import RedisOutage
from fast_priority.broker.levels_in_force import LevelsInForce, TableSource
from fast_priority.broker.monitor import QueueMonitor
from fast_priority.broker.producer import Submitter
from fast_priority.errors import GatewayError, UnforeseenError
from fast_priority.events import Events
from fast_priority.gateway.application import GatewayApp, Service
from fast_priority.gateway.deciding import Decider
from fast_priority.gateway.handler import Gateway
from fast_priority.gateway.health import HealthChecks
from fast_priority.gateway.pages import documentation_options
from fast_priority.gateway.policy import policy_in_words
from fast_priority.gateway.policy_in_force import PolicyInForce
from fast_priority.gateway.websockets import WebSocketProxy
from fast_priority.http.message import TargetPolicy
from fast_priority.http.problem import problem_reply
from fast_priority.http.request_id import request_id_of
from fast_priority.scheduling.level_table import FixedTable
from fast_priority.settings import Settings
from fast_priority.support.background import end_all
from fast_priority.support.installed_versions import own_version
from fast_priority.support.loop_lag import LoopLag
from fast_priority.target import Target, check_tls_files, probe_problem

logger = logging.getLogger(__name__)


def build_app(settings: Settings) -> GatewayApp:
    """Build the gateway, with no listener to its events.

    Raises ConfigurationError without a target, and for TLS files, rules and keys that cannot be used.
    """
    policy = settings.target_policy()
    in_force = PolicyInForce(settings) if settings.policy_file or settings.keys_file else None
    levels = in_force or FixedTable(settings.level_table())  # their limits change with the policy file
    check_tls_files(settings.target_tls)
    origins = settings.allowed_origins

    async def answer_error(request: Request, error: Exception) -> Response:
        own = error if isinstance(error, GatewayError) else UnforeseenError()
        received = request.scope["headers"]
        reply = problem_reply(own, origins.fields_for(received), request_id_of(received))
        fields = {name.decode(): value.decode("latin-1") for name, value in reply.fields}
        return Response(reply.body, reply.status, fields)

    @asynccontextmanager
    async def lifespan(app: GatewayApp) -> AsyncIterator[None]:
        place, note = settings.redis_address, settings.note_on_dotenv
        logger.info(
            "Fast Priority %s: %s for %s, with the queues of Redis at %s%s",
            own_version(),
            settings.gateway_as_text,
            policy.base_url,
            place,
            note,
        )
        logger.info("levels %s; %s", ",".join(levels.table.levels), settings.rules_in_words)
        if in_force is not None:
            logger.info("rules and keys %s: %s", in_force.digest, policy_in_words(in_force.current, settings))
        async with _service(settings, policy, app.events, in_force, levels) as service:
            with app.services.holding(service):
                yield

    app = GatewayApp(
        **documentation_options(settings),
        lifespan=lifespan,
        redirect_slashes=False,
        exception_handlers={GatewayError: answer_error, Exception: answer_error},
    )
    app.origins = origins
    app.events = Events()
    app.carries_websockets = settings.websockets
    app.policy = in_force
    token = settings.operator_token
    app.add_own_pages(settings.health_path, token.get_secret_value() if token is not None else None)
    return app


@asynccontextmanager
async def _service(
    settings: Settings,
    policy: TargetPolicy,
    events: Events,
    in_force: PolicyInForce | None,
    source: TableSource,
) -> AsyncIterator[Service]:
    outage = RedisOutage(logger)
    levels = LevelsInForce(source, takes_over=settings.policy_change)
    # Where no lifespan runs, a cancellation ends it all.
    async with (
        Target(policy, settings.target_tls) as target,
        Submitter(settings, outage, levels) as submitter,
        QueueMonitor(settings, outage, levels.lanes) as monitor,
    ):
        gateway = Gateway(
            settings.rules,
            settings.proxies,
            submitter,
            target,
            settings.frames_in_flight,
            monitor.retry_after_seconds,
            settings.client_timeout,
            submitter.deployment,
            WebSocketProxy(target, settings.max_tunnels, settings.client_timeout) if settings.websockets else None,
            events,
            preserves_host=settings.preserve_host,
            origins=settings.allowed_origins,
            says_times=settings.server_timing,
            decider=None if in_force is None else Decider(in_force, settings.proxies),
        )
        path = settings.target_probe_path
        look = target.problem if path is None else partial(probe_problem, target, path)
        following = [] if in_force is None else [asyncio.create_task(in_force.follow())]
        try:
            with LoopLag() as lag:
                yield Service(gateway, monitor, HealthChecks(look, monitor, in_force, levels), lag)
        finally:
            await end_all(following)
