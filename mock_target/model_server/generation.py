"""The tokens of one answer: how many, what they are, and when each is due. Pure."""

from collections.abc import Iterator
from dataclasses import dataclass

from mock_target.settings import MAX_SECONDS, Behaviour

# Where neither the settings nor the request say more.
_DEFAULT_TOKENS = 20
_DEFAULT_PER_SECOND = 100.0


@dataclass(frozen=True, slots=True)
class Generation:
    """An answer of `count` tokens, `per_second` of them each second; `is_cut`: the request's own limit ended it."""

    count: int
    per_second: float
    is_cut: bool

    @property
    def seconds(self) -> float:
        """How long it takes to make all tokens, an hour at most."""
        return self._due_seconds(self.count)

    @property
    def text(self) -> str:
        """All tokens as one text."""
        return "".join(token for _, token in self.tokens())

    @property
    def finish_reason(self) -> str:
        """Why there are no more tokens, in the word of both APIs."""
        return "length" if self.is_cut else "stop"

    def tokens(self) -> Iterator[tuple[float, str]]:
        """Yield each token with the seconds after the head at which it is due: "token1", " token2", and so on."""
        for number in range(1, self.count + 1):
            yield self._due_seconds(number), f"token{number}" if number == 1 else f" token{number}"

    def _due_seconds(self, number: int) -> float:
        return min(number / self.per_second, MAX_SECONDS)


def plan_generation(behaviour: Behaviour, max_tokens: int | None) -> Generation:
    """Return the generation that the knobs set, cut at the request's own limit (None: it has none)."""
    wanted = behaviour.tokens or _DEFAULT_TOKENS
    count = wanted if max_tokens is None else min(wanted, max_tokens)
    return Generation(count, behaviour.token_rate or _DEFAULT_PER_SECOND, is_cut=count < wanted)
