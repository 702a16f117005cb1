"""What we use of libraries beyond what they document: each part is there, and takes the arguments that we give it.

A release of a library may change such a part without a word. Then a test here names the library and its version, the
part, and the modules of ours that use it. What a part does is tested in tests/integration.
"""

import functools
import importlib
import inspect
import re
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest

import fast_priority
import mock_target
from tests.library_parts import Taken, all_taken, foreign_private_names, has_name, nearest_library_class

REPOSITORY = Path(__file__).parents[2]

PARTS: Mapping[str, Sequence[str]] = {
    # Where a part stands: its name, for a function with the arguments that it is called with, or calls ours with.
    "aiohttp.abc:AbstractResolver": ["close()", "resolve(host, port, family)"],
    "aiohttp.client:ClientRequest": ["__init__(method, url, loop)"],
    "aiohttp.client_proto:ResponseHandler": [
        "__init__(loop)",
        "_buffer",
        "_drain_helper()",
        "_loop",
        "_parser",
        "_payload",
        "_reading_paused",
        "_tail",
        "closed",
        "connection_lost(exc)",
        "connection_made(transport)",
        "data_received(data)",
        "exception()",
        "feed_data(data, size)",
        "force_close()",
        "is_connected()",
        "read()",
        "resume_reading(resume_parser)",
        "set_exception(exc, exc_cause)",
        "set_response_params(skip_payload, read_until_eof, auto_decompress, read_bufsize, max_line_size,"
        " max_field_size, max_headers)",
        "should_close",
        "transport",
        "writing_paused",
    ],
    "aiohttp.connector:Connection": ["_connector", "_key", "_protocol", "close()", "protocol"],
    "aiohttp.connector:TCPConnector": [
        "_factory",
        "_release_acquired(key, proto)",
        "connect(req, traces, timeout)",
    ],
    "aiohttp.http:RawResponseMessage": ["code", "raw_headers", "version"],
    "aiohttp.streams:StreamReader": ["is_eof()", "on_eof(callback)", "readany()", "set_exception(exc, exc_cause)"],
    "fastapi:FastAPI": [
        "__call__(scope, receive, send)",
        "build_middleware_stack()",
        "exception_handlers",
        "root_path",
        "router",
        "user_middleware",
    ],
    "fastapi:APIRouter": ["lifespan_context", "middleware_stack", "routes"],
    "redis.asyncio.connection:AbstractConnection": [
        "__init__(socket_timeout, socket_connect_timeout, socket_read_size, retry, maint_notifications_config)",
        "_writer",
        "can_read()",
        "disconnect(nowait)",
        "is_connected",
        "pack_command(args)",
        "read_response(disable_decoding, timeout, disconnect_on_error, push_request)",
        "send_packed_command(command)",
        "should_reconnect()",
        "socket_timeout",
    ],
    "redis.asyncio.connection:Connection": ["_connection_arguments()"],
    "redis.asyncio.connection:ConnectionPool": [
        "__init__(connection_class, max_connections, connection_kwargs)",
        "_available_connections",
        "_in_use_connections",
        "ensure_connection(connection)",
        "get_available_connection()",
        "get_connection(command_name, keys, options)",
        "release(connection)",
    ],
    "redis.asyncio.sentinel:SentinelConnectionPool": ["__init__(service_name, sentinel_manager, kwargs)"],
    "redis.connection:ConnectionPool": ["connection_class", "connection_kwargs"],
    "redis.maint_notifications:MaintNotificationsConfig": ["__init__(enabled)"],
    "redis.sentinel:Sentinel": ["sentinel_kwargs", "sentinels"],
    "redis.sentinel:SentinelConnectionPool": ["is_master", "sentinel_manager", "service_name"],
    "rq.command": ["PUBSUB_CHANNEL_TEMPLATE"],
    "rq.defaults": ["DEFAULT_LOGGING_DATE_FORMAT", "DEFAULT_LOGGING_FORMAT", "RQ_KEY_PREFIX"],
    "rq.job:Job": [
        "create(func, args, connection, result_ttl, failure_ttl, ttl, timeout, description, status, serializer)",
        "to_dict()",
    ],
    "rq.registry:FailedJobRegistry": ["key_template"],
    "rq.registry:StartedJobRegistry": ["key_template"],
    "rq.results:Result": ["create_failure(job, ttl, exc_string, pipeline)"],
    "rq.suspension": ["WORKERS_SUSPENDED"],
    "rq.utils": ["utcformat(dt)"],
    "rq.worker:BaseWorker": [
        "__init__(queues, name, connection, prepare_for_work, serializer)",
        "_pubsub_exception_handler(exc, pubsub, pubsub_thread)",
        "bootstrap(logging_level, date_format, log_format)",
        "connection",
        "connection_timeout",
        "name",
        "queue_names()",
        "queues",
        "serialize()",
        "teardown()",
        "work(burst, logging_level, date_format, log_format, max_jobs, max_idle_time, with_scheduler,"
        " dequeue_strategy)",
    ],
    "rq.worker_pool:WorkerPool": [
        "Status",
        "__init__(queues, connection, num_workers, worker_class)",
        "_install_signal_handlers()",
        "start(logging_level)",
        "start_worker(count, burst, _sleep, logging_level)",
        "start_workers(burst, _sleep, logging_level)",
        "status",
    ],
    "rq.worker_registration": ["REDIS_WORKER_KEYS", "WORKERS_BY_QUEUE_KEY", "clean_worker_registry(queue)"],
    "uvicorn:Config": ["http_protocol_class"],
    "uvicorn:Server": [
        "config",
        "force_exit",
        "handle_exit(sig, frame)",
        "lifespan",
        "server_state",
        "servers",
        "should_exit",
        "shutdown(sockets)",
        "startup(sockets)",
    ],
    "uvicorn.lifespan.on:LifespanOn": ["shutdown()", "state"],
    "uvicorn.protocols.http.flow_control:FlowControl": [
        "__init__(transport)",
        "_transport",
        "pause_reading()",
        "read_paused",
        "resume_reading()",
        "write_paused",
    ],
    "uvicorn.protocols.http.httptools_impl:HttpToolsProtocol": [
        "__init__(config, server_state, app_state)",
        "_should_upgrade()",
        "_start_asgi_task(cycle, app)",
        "_unsupported_upgrade_warning()",
        "access_log",
        "access_logger",
        "connection_lost(exc)",
        "connection_made(transport)",
        "connections",
        "cycle",
        "data_received(data)",
        "expect_100_continue",
        "flow",
        "headers",
        "logger",
        "loop",
        "on_body(body)",
        "on_header(name, value)",
        "on_headers_complete()",
        "on_message_begin()",
        "on_message_complete()",
        "on_response_complete()",
        "on_url(url)",
        "parser",
        "pause_writing()",
        "pipeline",
        "resume_writing()",
        "scope",
        "server_state",
        "shutdown()",
        "transport",
        "url",
    ],
    "uvicorn.protocols.http.httptools_impl:RequestResponseCycle": [
        "__init__(scope, transport, flow, logger, access_logger, access_log, default_headers, message_event,"
        " expect_100_continue, keep_alive, on_response)",
        "body",
        "chunked_encoding",
        "disconnected",
        "expected_content_length",
        "keep_alive",
        "message_event",
        "more_body",
        "on_response",
        "response_complete",
        "response_started",
        "scope",
        "send(message)",
        "transport",
        "waiting_for_100_continue",
    ],
    "uvicorn.server:ServerState": ["connections", "default_headers", "tasks", "total_requests"],
}

LATE_ROUTES = {"_iter_low_priority_routes", "_low_priority_routes"}
ROWS = [(place, part) for place, parts in PARTS.items() for part in parts]


# Not a list of parameters: each process of pytest would parse all sources to make it.
@pytest.fixture(scope="module")
def all_that_is_taken() -> list[Taken]:
    found = sorted(set(all_taken(fast_priority, mock_target)), key=str)
    assert found, "no class of ours takes anything of a library any more"
    return found


@pytest.mark.parametrize(("place", "part"), ROWS, ids=lambda one: str(one).partition("(")[0])
def test_the_part_is_as_we_use_it(place: str, part: str) -> None:
    """A library has each of its parts that we use, and those that are called take our arguments and need no others."""
    name, parameters = _read(part)
    owner = _owner(place)
    if not has_name(owner, name):
        pytest.fail(f"{_library(place)} has no {place}.{name} any more. {_used_in(place, name)}")
    if parameters is None:
        return
    wanted, found = set(parameters), inspect.signature(getattr(owner, name)).parameters
    needed = {one for one, what in found.items() if what.default is what.empty and what.kind not in _VARIADIC}
    missing = wanted - set(found) - {"self"} if not _takes_any_name(found) else set()
    unknown = needed - wanted - {"self"}
    changes = [f"has no argument {one} any more" for one in sorted(missing)]
    changes += [f"cannot be called without {one}" for one in sorted(unknown)]
    if changes:
        pytest.fail(f"{_library(place)}: {place}.{name} {', and '.join(changes)}. {_used_in(place, name)}")


def test_an_override_takes_what_the_library_passes(all_that_is_taken: list[Taken]) -> None:
    """A method that replaces a library's takes each argument that the library's takes, and is async if that is."""
    overrides = [taken for taken in all_that_is_taken if taken.is_override]
    assert [change for change in map(_change_of_override, overrides) if change] == []


def test_each_part_that_a_class_of_ours_takes_is_listed(all_that_is_taken: list[Taken]) -> None:
    """What our classes override, or use of `self` that is a library's, has a row above: no part is without a test."""
    assert [
        f"add {taken.name} to the parts of {nearest_library_class(taken.ours)}"
        for taken in all_that_is_taken
        if taken.name not in _listed_of_bases(taken.ours)
    ] == []


def test_each_private_name_is_listed() -> None:
    """A name with an underscore that is looked up on another object, and that no class of ours has, has a row above."""
    listed = {_read(part)[0] for _, part in ROWS} | LATE_ROUTES
    found = sorted(foreign_private_names(fast_priority, mock_target))
    assert found, "no private name of a library is used any more"
    assert [
        f"{path} uses {name}: add it to the parts of its library" for path, name in found if name not in listed
    ] == []


@pytest.mark.parametrize(("place", "part"), ROWS, ids=lambda one: str(one).partition("(")[0])
def test_each_part_that_is_listed_is_used(place: str, part: str) -> None:
    """No row stands above for what no module uses any more."""
    name = _read(part)[0]
    assert _modules_with(place, name), f"remove {name} from the parts of {place}: no module uses it"


def test_fastapis_late_routes_are_found_where_they_are() -> None:
    """A FastAPI that has `frontend` keeps those routes where the gateway looks for them."""
    fastapi = importlib.import_module("fastapi")
    if not hasattr(fastapi.FastAPI, "frontend"):
        pytest.skip("this FastAPI has no routes of that kind")
    for name in LATE_ROUTES:
        if not hasattr(fastapi.APIRouter(), name):
            place = "fastapi:APIRouter"
            pytest.fail(f"{_library(place)} has no {place}.{name} any more. {_used_in(place, name)}")


def _change_of_override(taken: Taken) -> str | None:
    """Return what the method of the library does otherwise than ours that stands in for it, or None."""
    theirs, ours = getattr(taken.library_class, taken.name), getattr(taken.ours, taken.name)
    place = f"{taken.library_class.__module__}:{taken.library_class.__name__}"
    told = f"{taken.ours.__module__}.{taken.ours.__qualname__}.{taken.name} stands in for {place}.{taken.name}"
    if inspect.iscoroutinefunction(theirs) != inspect.iscoroutinefunction(ours):
        return f"{told}, and only one of them is async in {_library(place)}"
    missing = _not_taken(inspect.signature(theirs).parameters, inspect.signature(ours).parameters)
    return f"{told}, which in {_library(place)} takes {missing} besides" if missing else None


@functools.cache
def _listed_of_bases(ours: type) -> set[str]:
    """Return the listed parts of the libraries' classes among the bases of a class."""
    bases = [base for base in ours.__mro__ if nearest_library_class(base) is base]
    return {_read(part)[0] for place, part in ROWS if _owner(place) in bases}


_VARIADIC = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
_PART = re.compile(r"(\w+)(?:\((.*)\))?")


def _read(part: str) -> tuple[str, list[str] | None]:
    """Return the name of a part, and its arguments; None if it is not called."""
    found = _PART.fullmatch(part)
    assert found is not None
    return found[1], None if found[2] is None else re.findall(r"\w+", found[2])


def _owner(place: str) -> Any:
    module, _, name = place.partition(":")
    try:
        owner = importlib.import_module(module)
        return getattr(owner, name) if name else owner
    except (ImportError, AttributeError):
        pytest.fail(f"{_library(place)} has no {place} any more. {_used_in(place, name or module.rpartition('.')[2])}")


def _library(place: str) -> str:
    name = re.split(r"[.:]", place)[0]
    return f"{name} {version(name)}"


def _used_in(place: str, name: str) -> str:
    return f"It is used in {', '.join(_modules_with(place, name)) or 'no module'}"


def _modules_with(place: str, name: str) -> list[str]:
    """Return the files that name the library and the part; for the call of a class, the class."""
    library = re.split(r"[.:]", place)[0]
    words = (library, place.rpartition(":")[2] if name == "__init__" else name)
    return [path for path, found in _words_of_sources().items() if found.issuperset(words)]


@functools.cache
def _words_of_sources() -> dict[str, frozenset[str]]:
    return {
        str(path.relative_to(REPOSITORY)): frozenset(re.findall(r"\w+", path.read_text()))
        for package in ("fast_priority", "mock_target")
        for path in sorted((REPOSITORY / package).rglob("*.py"))
    }


def _takes_any_name(parameters: Mapping[str, inspect.Parameter]) -> bool:
    return any(one.kind is one.VAR_KEYWORD for one in parameters.values())


def _not_taken(theirs: Mapping[str, inspect.Parameter], ours: Mapping[str, inspect.Parameter]) -> list[str]:
    """Return the parameters of a library's method that ours has no place for."""
    kinds = {one.kind for one in ours.values()}
    takes_positions, takes_names = (kind in kinds for kind in _VARIADIC)
    positions = [one for one in theirs.values() if one.kind in (one.POSITIONAL_ONLY, one.POSITIONAL_OR_KEYWORD)]
    places = sum(one.kind in (one.POSITIONAL_ONLY, one.POSITIONAL_OR_KEYWORD) for one in ours.values())
    missing = [] if takes_positions else [one.name for one in positions[places:]]
    keywords = [one.name for one in theirs.values() if one.kind is one.KEYWORD_ONLY]
    return missing + ([] if takes_names else [name for name in keywords if name not in ours])
