"""The policy in force in one gateway process: it follows its two files while the gateway runs.

Both files are read and checked as a pair, and the new policy takes the place of the old one at once. A request keeps
the policy that it came under. Files that cannot be used change nothing, but health and the log show why.
"""

import asyncio
import hashlib
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import TypeAlias

from fast_priority.errors import ConfigurationError
from fast_priority.gateway.policy import policy_from, policy_in_words
from fast_priority.scheduling.level_table import LevelTable
from fast_priority.scheduling.policy import Policy
from fast_priority.settings import Settings
from fast_priority.support.background import keep_doing

logger = logging.getLogger(__name__)

LOOK_SECONDS = 1.0
"""How often the files are looked at. They are read once two looks have found the same."""
_DIGEST_DIGITS = 16

_Version: TypeAlias = tuple[object, ...]
"""What changes with the files: which file each path leads to, its size and its time of change."""


class PolicyInForce:
    """The policy of the files that the settings name. Raises ConfigurationError if they cannot be used at the start."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._paths = [path for path in (settings.policy_file, settings.keys_file) if path is not None]
        self._read = self._seen = _version_of(self._paths)
        self._is_asked = False
        self.current, self.digest = self._load()
        self._levels = self.current.levels
        self.table = self._table_of(self.current)
        """The levels, and the limits of each. The levels are those of the start."""
        self.problem: str | None = None
        """Why the files are not in force as they are now, in words; None if they are."""

    def ask(self) -> None:
        """Read the files at the next look, also if they seem to be the same. A signal handler may call it."""
        self._is_asked = True

    async def follow(self) -> None:
        """Look at the files, every second until cancelled."""

        async def look_later() -> None:
            await asyncio.sleep(LOOK_SECONDS)
            await self.look()

        what = "looking at the files with rules and keys"
        await keep_doing(what, look_later, expected=(OSError,), again_seconds=LOOK_SECONDS, logger=logger)

    async def look(self) -> None:
        """Read the files if that was asked for, or if they have changed and two looks have found the same."""
        found = await asyncio.to_thread(_version_of, self._paths)
        is_still, self._seen = found == self._seen, found
        is_asked, self._is_asked = self._is_asked, False
        if not is_asked and (found == self._read or not is_still):
            return
        try:
            policy, digest = await asyncio.to_thread(self._load)
        except ConfigurationError as error:
            self._read = found
            self._refuse(str(error))
            return
        if await asyncio.to_thread(_version_of, self._paths) != found:
            self._is_asked = is_asked
            return  # they have changed while they were read: one of them may be older than the other
        if policy.levels != self._levels:
            self._read = found
            self._refuse(_other_levels(policy, self._levels))
            return
        self._read, self.problem = found, None
        if digest != self.digest:
            self.current, self.digest, self.table = policy, digest, self._table_of(policy)
            logger.info("rules and keys changed, in force are %s: %s", digest, policy_in_words(policy, self._settings))
        elif is_asked:
            logger.info("rules and keys were read again and have not changed: %s", digest)

    @property
    def warning(self) -> str | None:
        """What health warns of; None if the files are in force as they are now."""
        if self.problem is None:
            return None
        return f"rules and keys have changed and cannot be used, so those from before stay in force: {self.problem}"

    def _refuse(self, why: str) -> None:
        first, *others = why.splitlines()
        self.problem = first + (f"; and {len(others)} more" if others else "")
        for line in (first, *others):
            logger.error("rules and keys were not changed, those from before stay in force: %s", line)

    def _table_of(self, policy: Policy) -> LevelTable:
        return self._settings.level_table_with(policy.levels, policy.limits)

    def _load(self) -> tuple[Policy, str]:
        texts = self._settings.policy_texts()
        policy = policy_from(self._settings, texts)
        if policy is None:
            raise ConfigurationError("no file with rules or keys is set")
        return policy, _digest_of(texts)


def _other_levels(policy: Policy, before: Sequence[str]) -> str:
    return (
        f"the levels are {','.join(policy.levels)}, and were {','.join(before)}: they cannot change while a gateway "
        "runs, so start all gateways again, the first one with FAST_PRIORITY_POLICY_CHANGE=1"
    )


def _digest_of(texts: Sequence[tuple[str, str] | None]) -> str:
    """Return what tells two pairs of files apart, whatever their paths."""
    whole = hashlib.sha256()
    for text in texts:
        data = b"" if text is None else text[1].encode()
        whole.update(b"%d:" % len(data) + data)
    return whole.hexdigest()[:_DIGEST_DIGITS]


def _version_of(paths: Sequence[Path]) -> _Version:
    found: list[object] = []
    for path in paths:
        try:
            status = path.stat()
        except OSError as error:
            found.append(error.errno)
        else:
            found.append((status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns))
    return tuple(found)
