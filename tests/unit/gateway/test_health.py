"""What the health endpoint returns."""

from fast_priority.broker.monitor import QueueView
from fast_priority.gateway import health
from fast_priority.scheduling.priority import Priority


def test_the_lengths_have_a_field_for_each_level() -> None:
    """Each level has its field, in the order of precedence."""
    assert list(health.QueueLengths.model_fields) == [priority.value for priority in Priority]


def test_each_length_stands_in_the_field_of_its_level() -> None:
    """The field of a level has its own length, and null if Redis does not answer."""
    view = QueueView({priority: number for number, priority in enumerate(Priority)}, 0, 0, 0, suspended=False)
    assert health._lengths(view).model_dump() == {priority.value: number for number, priority in enumerate(Priority)}
    assert set(health._lengths(None).model_dump().values()) == {None}
