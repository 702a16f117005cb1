"""Locust's users: each is one source of the current scenario."""

import gevent  # type: ignore[import-untyped]
from gevent.event import Event  # type: ignore[import-untyped]
from gevent.pool import Group  # type: ignore[import-untyped]
from locust import User, task

from loadtests.generator.traffic import Traffic
from loadtests.scenarios import OpenLoop, RequestStream

# A pause, so that a user whose requests fail at once does not retry in a tight loop.
_AFTER_FAILURE_SECONDS = 0.5


class Source(User):
    """One source of a scenario: one user of a closed loop, or a whole open loop."""

    @task
    def send(self) -> None:
        """Send as long as the run lasts, wait for the responses, and then for locust to stop this user."""
        traffic: Traffic = self.environment.shape_class.traffic
        stream = traffic.take_source()
        if isinstance(stream.source, OpenLoop):
            self._send_at_times(traffic, stream, stream.source)
        else:
            while traffic.is_sending:
                outcome = traffic.send(stream)
                gevent.sleep(_AFTER_FAILURE_SECONDS if outcome == "failed" else stream.source.think_seconds)
        traffic.finish_source()
        Event().wait()

    def _send_at_times(self, traffic: Traffic, stream: RequestStream, loop: OpenLoop) -> None:
        """Send each request at its time, in its own greenlet, so that none waits for an earlier one."""
        requests = Group()
        try:
            for offset_seconds in loop.process.offsets(traffic.make_random(stream, "arriving")):
                if offset_seconds >= traffic.sizing.seconds or traffic.abort_reason is not None:
                    break
                gevent.sleep(max(0.0, offset_seconds - traffic.elapsed_seconds))
                requests.spawn(traffic.send, stream)
            requests.join()
        finally:
            requests.kill()
