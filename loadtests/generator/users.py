"""The users of locust: each is one source of the scenario that runs."""

import gevent  # type: ignore[import-untyped]
from gevent.event import Event  # type: ignore[import-untyped]
from gevent.pool import Group  # type: ignore[import-untyped]
from locust import User, task

from loadtests.generator.traffic import Traffic
from loadtests.scenarios import OpenLoop, Stream

# Without it a user whose requests fail at once would do nothing but fail.
_AFTER_FAILURE_SECONDS = 0.5


class Source(User):
    """One source of a scenario: a user of a closed loop, or an open loop as a whole."""

    @task
    def send(self) -> None:
        """Send while it is time, wait for the answers, and then for locust to stop this user."""
        traffic: Traffic = self.environment.shape_class.traffic
        stream = traffic.take_source()
        if isinstance(stream.source, OpenLoop):
            self._send_in_time(traffic, stream, stream.source)
        else:
            while traffic.is_sending:
                outcome = traffic.send(stream)
                gevent.sleep(_AFTER_FAILURE_SECONDS if outcome == "failed" else stream.source.think_seconds)
        traffic.finish_source()
        Event().wait()

    def _send_in_time(self, traffic: Traffic, stream: Stream, loop: OpenLoop) -> None:
        """Send each request at its time, in a greenlet of its own, so that none waits for the one before."""
        requests = Group()
        try:
            for offset_seconds in loop.process.offsets(traffic.make_random(stream, "arriving")):
                if offset_seconds >= traffic.sizing.seconds:
                    break
                gevent.sleep(max(0.0, offset_seconds - traffic.elapsed_seconds))
                requests.spawn(traffic.send, stream)
            requests.join()
        finally:
            requests.kill()
