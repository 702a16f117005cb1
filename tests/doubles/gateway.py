"""A small gateway with a chosen order, from which the oracle must tell a gateway with priorities.

python tests/doubles/gateway.py --order fifo --port 8080 --target http://127.0.0.1:9000 --slots 4
"""

import argparse
import asyncio
from dataclasses import dataclass, field
from random import Random

import aiohttp
from aiohttp import web

ORDERS = ("priority", "fifo", "random", "sometimes-wrong")
_WRONG_EVERY = 10


@dataclass
class Waiting:
    """The requests that wait for a slot, and the rule by which the next one is chosen."""

    order: str
    free_slots: int
    queue: list[tuple[bool, "asyncio.Future[None]"]] = field(default_factory=list)
    random: Random = field(default_factory=lambda: Random(1))
    taken: int = 0

    async def wait_for_slot(self, is_high: bool) -> None:
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.queue.append((is_high, turn))
        self._serve()
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self.free_slot()
            else:
                self.queue.remove((is_high, turn))
            raise

    def free_slot(self) -> None:
        self.free_slots += 1
        self._serve()

    def _serve(self) -> None:
        while self.free_slots and self.queue:
            self.free_slots -= 1
            self.taken += 1
            self.queue.pop(self._choose())[1].set_result(None)

    def _choose(self) -> int:
        if self.order == "random":
            return self.random.randrange(len(self.queue))
        high = [index for index, (is_high, _) in enumerate(self.queue) if is_high]
        low = [index for index, (is_high, _) in enumerate(self.queue) if not is_high]
        if self.order == "fifo" or not high or not low:
            return 0
        wrong = self.order == "sometimes-wrong" and self.taken % _WRONG_EVERY == 0
        return low[0] if wrong else high[0]


def make_gateway(target: str, waiting: Waiting) -> web.Application:
    async def forward(request: web.Request) -> web.Response:
        await waiting.wait_for_slot(is_high=not request.path.startswith("/low"))
        try:
            async with session().request(
                request.method, target + request.path_qs, headers=request.headers, data=await request.read()
            ) as answer:
                return web.Response(status=answer.status, body=await answer.read())
        finally:
            waiting.free_slot()

    sessions: list[aiohttp.ClientSession] = []

    def session() -> aiohttp.ClientSession:
        if not sessions:
            sessions.append(aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)))
        return sessions[0]

    async def close(_: web.Application) -> None:
        for one in sessions:
            await one.close()

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", forward)
    app.on_cleanup.append(close)
    return app


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--order", choices=ORDERS, required=True)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--target", required=True)
    parser.add_argument("--slots", type=int, required=True)
    options = parser.parse_args()
    app = make_gateway(options.target, Waiting(options.order, options.slots))
    # A client that disconnects cancels its request: otherwise the request would keep its place.
    web.run_app(app, host="127.0.0.1", port=options.port, print=None, handler_cancellation=True)


if __name__ == "__main__":
    main()
