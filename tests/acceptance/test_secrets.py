"""The confidential data of clients is in no log, command line or tool that people look at."""

import base64
import json
import subprocess
import sys
from pathlib import Path

import psutil
from redis import Redis

from fast_priority.broker import keys
from fast_priority.local.child_processes import running
from fast_priority.scheduling.priority import Priority
from tests.harness import Background, Stack, wait_until

SECRETS = {
    "password": base64.b64encode(b"somebody:swordfish").decode(),
    "token": "tok-3f9a1c",
    "cookie": "sid-77e0b2",
    "query": "key-d41d8c",
    "operator": "op-5b1e77",
}
FIELDS = {
    "Authorization": f"Basic {SECRETS['password']}",
    "X-Api-Key": SECRETS["token"],
    "Cookie": f"session={SECRETS['cookie']}",
}


def ask(stack: Stack, path: str) -> int:
    return stack.client.post(f"{path}?key={SECRETS['query']}", headers=FIELDS, content=SECRETS["token"]).status_code


def told_by(stack: Stack) -> str:
    """Return all that a person sees: the logs, `rq info` and the command lines."""
    url = f"redis://127.0.0.1:{stack.redis_port}"
    shown = subprocess.run([sys.executable, "-m", "rq.cli", "info", "--url", url], capture_output=True, check=True)
    logs = [log.read_text(errors="replace") for log in Path(stack.logs).glob("*.log")]
    ours = [process for part in stack.processes.values() for process in family(part.pid)]
    return "\n".join([*logs, shown.stdout.decode(), *(" ".join(process.cmdline()) for process in ours)])


def family(pid: int) -> list[psutil.Process]:
    if not psutil.pid_exists(pid):
        return []
    return [psutil.Process(pid), *psutil.Process(pid).children(recursive=True)]


def test_nothing_that_people_see_has_a_secret_in_it(stack: Stack, redis: Redis) -> None:
    """Logs, `rq info`, job descriptions and command lines have no credential, query or body, also after failures."""
    stack.start_mock()
    stack.run = running  # a fork has the command line of the process that it was forked from
    stack.start_gateway(
        FAST_PRIORITY_TTL="1",
        FAST_PRIORITY_PASS_THROUGH="direct",
        FAST_PRIORITY_TIMEOUT="2",
        FAST_PRIORITY_ACCESS_LOG="on",
        FAST_PRIORITY_OPERATOR_TOKEN=SECRETS["operator"],
    )
    assert ask(stack, "/queued") == 503  # there is no worker
    with Background(1) as background:
        waits = background.send(lambda: stack.client.get(f"/waits?key={SECRETS['query']}", headers=FIELDS))
        wait_until("it is queued", lambda: redis.llen(keys.queue(Priority.HIGH)) == 1)
        described = redis.hget(keys.job(stack.redis.lindex(keys.queue(Priority.HIGH), 0).decode()), "description")
        assert described == b"GET '/waits'"
        waits.result()
    stack.start_workers()
    assert ask(stack, "/queued") == 200
    assert ask(stack, "/direct") == 200
    stack.processes["mock target"].terminate()
    stack.processes["mock target"].wait()
    assert ask(stack, "/queued") == 502
    assert ask(stack, "/direct") == 502
    assert stack.client.get("/gateway_metrics").status_code == 401
    wait_until("the access log has the last request", lambda: told_by(stack).count('"end": "target-refused"') == 2)
    told = told_by(stack)
    lines = [json.loads(line) for line in told.splitlines() if line.startswith('{"time"')]
    assert [line["status"] for line in lines] == [503, 503, 200, 200, 502, 502]
    assert [name for name, secret in SECRETS.items() if secret in told] == []
