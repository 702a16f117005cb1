"""Files of sent requests and arrivals: they are read as they were written, and errors name the line."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fast_priority.local.child_processes import wait_until
from loadtests.records.files import RecordWriter, read_arrivals, read_sent, write_arrivals
from loadtests.records.traces import Arrival, RecordError, SentRequest

GOOD = '{"request_id": "a", "priority": "high", "sent_at": 1.0, "ended_at": 2.0, "outcome": "answered", "status": 200}'

times = st.floats(min_value=0, max_value=4e9)
sents = st.builds(
    SentRequest,
    request_id=st.text(),
    priority=st.sampled_from(["high", "low"]),
    sent_at=times,
    ended_at=times,
    outcome=st.sampled_from(["answered", "failed", "left"]),
    status=st.none() | st.integers(100, 599),
    method=st.sampled_from(["GET", "POST"]),
    accepted_at=st.none() | times,
)
arrivals = st.builds(Arrival, request_id=st.text(), arrived_at=times, finished_at=st.none() | times)

WRITES_FOR_EVER = """
import sys
from itertools import count
from pathlib import Path
from loadtests.records import RecordWriter, SentRequest

recording = RecordWriter(Path(sys.argv[1]))
for number in count():
    recording.append(SentRequest(f"high-{number}", "high", number, number, "answered", 200))
"""


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("records") / "records.ndjson"


@given(records=st.lists(sents, max_size=5))
def test_what_was_sent_is_read_back(path: Path, records: list[SentRequest]) -> None:
    """Sent requests are read back unchanged and in order, whatever was in the file before."""
    record_writer = RecordWriter(path)
    for sent in records:
        record_writer.append(sent)
    record_writer.close()
    assert list(read_sent(path)) == records


@given(records=st.lists(arrivals, max_size=5))
def test_what_arrived_is_read_back(path: Path, records: list[Arrival]) -> None:
    """Arrivals are read back unchanged and in order."""
    write_arrivals(path, records)
    assert list(read_arrivals(path)) == records


def test_request_is_in_the_file_at_once(path: Path) -> None:
    """Each request is in the file as soon as it is recorded."""
    record_writer = RecordWriter(path)
    for number in (1, 2):
        record_writer.append(SentRequest(f"high-{number}", "high", 1.0, 2.0, "answered"))
        assert len(read_sent(path)) == number
    record_writer.close()


def test_process_that_is_killed_leaves_what_it_recorded(path: Path) -> None:
    """A killed run leaves all that it has recorded."""
    path.write_text("")
    with subprocess.Popen([sys.executable, "-c", WRITES_FOR_EVER, path], cwd=Path(__file__).parents[3]) as process:
        try:
            wait_until("something is recorded", lambda: path.stat().st_size > 0)
        finally:
            process.send_signal(signal.SIGKILL)
    assert [sent.request_id for sent in read_sent(path)] == [f"high-{n}" for n in range(len(read_sent(path)))]


def test_an_incomplete_last_line_is_skipped(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """An incomplete last line of a killed writer is skipped with a warning."""
    path.write_text(f"{GOOD}\n{GOOD[:40]}")
    assert len(read_sent(path)) == 1
    assert "line 2" in caplog.text


def test_a_file_may_have_empty_lines_and_no_last_newline(path: Path) -> None:
    """Records that were written by hand are read, too."""
    path.write_text(f"\n{GOOD}\n\n{GOOD}")
    assert len(read_sent(path)) == 2


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("{", "invalid JSON"),
        ("\xff", "invalid JSON|utf-8"),
        ("[1]", "write a JSON object on each line"),
        ("{}", "is not a sent request"),
        (GOOD.replace("high", "Urgent"), "its priority or outcome is unknown"),
        (GOOD.replace("1.0", '"soon"'), "is not a sent request"),
    ],
)
def test_unreadable_line_is_named(path: Path, line: str, said: str) -> None:
    """A line that cannot be read is an error of one line that names the file and the line's number."""
    path.write_bytes(f"{GOOD}\n".encode() + line.encode("latin-1") + b"\n")
    with pytest.raises(RecordError, match=rf"^{path}, line 2: .*({said})") as caught:
        read_sent(path)
    assert "\n" not in str(caught.value)


def test_unreadable_arrival_is_named(path: Path) -> None:
    """A line of arrivals that cannot be read is such an error, too."""
    path.write_text('{"request_id": "a", "arrived_at": null}\n')
    with pytest.raises(RecordError, match=rf"^{path}, line 1: .* is not an arrival"):
        read_arrivals(path)


def test_missing_file_is_named(tmp_path: Path) -> None:
    """Each reader of a missing file raises an error that names it."""
    missing = tmp_path / "missing.ndjson"
    for read in (read_sent, read_arrivals):
        with pytest.raises(RecordError, match=rf"^{missing} cannot be read: No such file or directory$"):
            read(missing)


def test_unwritable_file_is_named(tmp_path: Path) -> None:
    """Each writer to a file that cannot be written raises an error that names it."""
    path = tmp_path / "missing" / "sent.ndjson"
    with pytest.raises(RecordError, match=rf"^{path} cannot be written: No such file or directory$"):
        RecordWriter(path)
    with pytest.raises(RecordError, match=rf"^{path} cannot be written: No such file or directory$"):
        write_arrivals(path, [])


def test_full_disk_is_named() -> None:
    """On a full disk each line, and the close of the file, is an error that names the file."""
    record_writer = RecordWriter(Path("/dev/full"))
    with pytest.raises(RecordError, match=r"^/dev/full cannot be written: No space left on device$"):
        record_writer.append(SentRequest("high-1", "high", 1.0, 2.0, "answered"))
    with pytest.raises(RecordError, match=r"^/dev/full cannot be written: No space left on device$"):
        record_writer.close()
