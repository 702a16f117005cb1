"""A request without a body that needs no task: all that happens to it happens in callbacks.

A task costs more than all that is done in it for most requests. So a request whose body is empty is read, and queued or
sent to the target, in the moment in which its head has been read. It is answered in the moment in which the response
has come, if that is small and soon whole. Whatever else happens to it (an error, a large or slow response, a client
that does not read), it is handed over, as it is, to a task.

Theory of operation. A QuickRequest waits for its turn (WAITING) until a slot is taken for it, of this gateway or of
another one, or a worker has answered; or it is at the target (SENT). From each state it ends (ENDED) or is handed over
(HANDED_OVER).
"""

import enum
from collections.abc import Callable

from starlette.types import ASGIApp

from fast_priority.broker.producer import Submission
from fast_priority.events import Answered, Left, publish
from fast_priority.gateway.client_request import ClientRequest
from fast_priority.gateway.target_call import TargetCall
from fast_priority.gateway.worker_times import note_worker_times
from fast_priority.http.message import Reply
from fast_priority.protocol.frames import Go
from fast_priority.support.timeout_queue import TimeoutQueue
from fast_priority.target import QuickTimeouts

RunInTask = Callable[[ASGIApp], None]
"""Runs this application for the request, in a task, as if it had just come."""


class State(enum.Enum):
    """Where a request is."""

    WAITING = "waits for a slot or a worker"
    SENT = "at the target"
    ENDED = "answered, or its client has left"
    HANDED_OVER = "handed over to a task"


class QuickRequest:
    """One request on its way without a task. `run_in_task` is called with `go_on` if it needs one after all."""

    __slots__ = (
        "_go_on",
        "_run_in_task",
        "_timeouts",
        "_waits_in",
        "call",
        "error",
        "reply",
        "request",
        "state",
        "submission",
        "was_woken",
    )

    def __init__(
        self,
        request: ClientRequest,
        call: TargetCall,
        timeouts: "QuickTimeouts[QuickRequest]",
        run_in_task: RunInTask,
        go_on: "Callable[[QuickRequest], ASGIApp]",
    ) -> None:
        self.request = request
        self.call = call
        self.submission: Submission | None = None
        """What waits for it in the queue; None if it skips the queue."""
        self.reply: Reply | None = None
        """The response, if it could not be sent at once."""
        self.error: Exception | None = None
        """What went wrong."""
        self.was_woken = False
        """Whether the conversation has woken its reader without a part: its time in the queue may be over."""
        self.state = State.WAITING
        self._timeouts = timeouts
        self._waits_in: TimeoutQueue[QuickRequest] | None = None
        self._run_in_task = run_in_task
        self._go_on = go_on

    def __repr__(self) -> str:
        return f"<QuickRequest {self.request.method} {self.request.scope['path']!a}: {self.state.value}>"

    def pass_on(self) -> None:
        """Send it to the target, past the queues."""
        self.request.left.add_callback(self.leave)
        self._start()

    def wait_for(self, submission: Submission) -> None:
        """Wait until a slot is taken for this submission, or a worker has answered it."""
        self.submission = submission
        submission.conversation.on_wake = self.note_woken
        self.request.left.add_callback(self.leave)

    def _start(self) -> None:
        """Send it to the target: it skips the queues, or it has a slot."""
        try:
            is_sent = self.call.begin(self.look)
        except Exception as error:  # a bug ends this request, and not the connection that has brought its slot
            self.fail(error)
            return
        if is_sent:
            self.state = State.SENT
        else:
            self._hand_over()

    def note_woken(self) -> None:
        """Act on what the conversation has received."""
        submission = self.submission
        if submission is None:
            return
        conversation = submission.conversation
        if self.state is not State.WAITING:
            if self.state is State.SENT and conversation.has_more:
                self._hand_over()  # the slot is lost
            return
        part = conversation.next_part
        if isinstance(part, Go) and self.request.queues.is_granted(submission):
            self._start()
        elif isinstance(part, Reply):
            conversation.take()
            note_worker_times(self.request.response.record, part.times)
            self._end_wait(has_ended=True)
            self._answer(part)
        else:
            self.was_woken = not conversation.is_ready
            self._hand_over()

    def look(self) -> None:
        """Go on with it: a part of its response has come, or no more will come."""
        exchange = self.call.begun
        if self.state is not State.SENT or exchange is None:
            return
        try:
            reply = exchange.reply_now()
        except Exception as error:
            self.call.close()
            self.fail(error)
            return
        if reply is not None:
            response = exchange.response_now()
            if response is not None:
                self.request.response.record.note_head(response.head_at)
            self.call.close()
            self._end_wait(has_ended=False)
            self._answer(reply)
        elif exchange.needs_task:
            self._hand_over()
        elif self._waits_in is None:
            self._waits_in = self._timeouts.begin(self, exchange)

    def note_slow(self) -> None:
        """Go on in a task: the rest of a small response has not come soon."""
        self._waits_in = None
        if self.state is State.SENT and self.call.begun is not None:
            self.call.begun.mark_slow()
            self._hand_over()

    def leave(self) -> None:
        """End it: its client has left."""
        if self.state in (State.WAITING, State.SENT):
            self._forget(State.ENDED)
            self.call.close()
            if self.submission is not None:
                self.request.queues.give_up(self.submission, has_ended=False)
            if self.request.events.left:
                publish(self.request.events.left, Left(self.request.scope, self.request.response.record))

    def _end_wait(self, *, has_ended: bool) -> None:
        """Free its slot: it has been answered. `has_ended`: by a worker, which has freed the slot itself."""
        submission, self.submission = self.submission, None
        if submission is not None:
            submission.conversation.on_wake = None
            self.request.queues.give_up(submission, has_ended=has_ended)

    def _answer(self, reply: Reply) -> None:
        request = self.request
        try:
            is_sent = request.response.relay_now(reply)
        except Exception as error:
            self.fail(error)
            return
        if is_sent:
            self._forget(State.ENDED)
            if request.events.answered:
                response = request.response
                publish(request.events.answered, Answered(request.scope, response.status, response.record))
        else:
            self.reply = reply
            self._hand_over()

    def fail(self, error: Exception) -> None:
        """Let a task raise this error: it ends the first attempt."""
        self.error = error
        self._hand_over()

    def _hand_over(self) -> None:
        run_in_task, go_on = self._run_in_task, self._go_on
        self._forget(State.HANDED_OVER)
        run_in_task(go_on(self))

    def _forget(self, state: State) -> None:
        """Call back no more. What refers to this may not outlive it (gc_tuning.py)."""
        self.state = state
        self.request.left.remove_callback(self.leave)
        if self._waits_in is not None:
            self._waits_in.end(self)
            self._waits_in = None
        if self.submission is not None:
            self.submission.conversation.on_wake = None
        self.call.unwatch()
        del self._run_in_task, self._go_on
