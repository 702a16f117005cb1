"""Files of what was sent and what arrived: NDJSON, one object a line, in the format of `traces.py`."""

import json
import logging
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, TypeVar

from loadtests.records.traces import Arrival, RecordError, SentRequest

logger = logging.getLogger(__name__)

T = TypeVar("T")


class RecordWriter:
    """Writes sent requests to a file, one a line, each written to the file at once.

    So a run that is killed loses no record. An existing file is truncated. Raises RecordError if the file cannot be
    written.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            self._file = path.open("w", encoding="utf-8", buffering=1)
        except OSError as error:
            raise _file_error("written", path, error) from error

    def append(self, sent: SentRequest) -> None:
        """Write one request."""
        try:
            self._file.write(_to_line(sent.to_dict()))
        except OSError as error:
            raise _file_error("written", self._path, error) from error

    def close(self) -> None:
        """Close the file; idempotent. Raises RecordError if a part of it cannot be written."""
        try:
            self._file.close()
        except OSError as error:
            raise _file_error("written", self._path, error) from error


def write_arrivals(path: Path, arrivals: Iterable[Arrival]) -> None:
    """Write a file of arrivals. Raises RecordError if it cannot be written."""
    try:
        with path.open("w", encoding="utf-8") as file:
            file.writelines(_to_line(asdict(arrival)) for arrival in arrivals)
    except OSError as error:
        raise _file_error("written", path, error) from error


def read_sent(path: Path) -> tuple[SentRequest, ...]:
    """Return the sent requests of a file, without an incomplete last line. Raises RecordError, with file and line."""
    return tuple(_read(path, SentRequest.from_dict))


def read_arrivals(path: Path) -> tuple[Arrival, ...]:
    """Return the arrivals of a file, without an incomplete last line. Raises RecordError, with file and line."""
    return tuple(_read(path, Arrival.from_dict))


def _read(path: Path, make: Callable[[Mapping[str, Any]], T]) -> Iterator[T]:
    try:
        with path.open("rb") as file:
            for number, line in enumerate(file, start=1):
                if not line.strip():
                    continue
                if _was_cut_off(line):
                    logger.warning("%s, line %d: incomplete, skipped", path, number)
                else:
                    yield _read_line(path, number, line, make)
    except OSError as error:
        raise _file_error("read", path, error) from error


def _was_cut_off(line: bytes) -> bool:
    """Return whether a line is incomplete, as a killed writer may leave its last one."""
    if line.endswith(b"\n"):
        return False
    try:
        json.loads(line)
    except ValueError:
        return True
    return False


def _read_line(path: Path, number: int, line: bytes, make: Callable[[Mapping[str, Any]], T]) -> T:
    try:
        record = json.loads(line)
        if not isinstance(record, dict):
            raise RecordError("write a JSON object on each line")
        return make(record)
    except json.JSONDecodeError as error:
        raise RecordError(f"{path}, line {number}: invalid JSON: {error}") from error
    except ValueError as error:
        raise RecordError(f"{path}, line {number}: {error}") from error


def _to_line(record: Mapping[str, Any]) -> str:
    return json.dumps(record) + "\n"


def _file_error(done: str, path: Path, error: OSError) -> RecordError:
    return RecordError(f"{path} cannot be {done}: {error.strerror or error}")
