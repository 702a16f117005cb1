"""Find words that an engineer who reads English as a second language may not know: `python tools/check_words.py`.

It reads the comments and strings of Python files, and other text files whole. `make lint` runs it. To forbid a word,
add a row to WORDS; choose words that have no other, common meaning.
"""

import re
import sys
import tokenize
from collections.abc import Iterator, Mapping
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parent.parent

WORDS: Mapping[str, str] = {
    r"albeit": "although",
    r"amidst?": "during, among",
    r"amongst": "among",
    r"anew": "again",
    r"at hand": "available, already read",
    r"aught|naught|nought": "anything, nothing",
    r"be(?:gets?|gotten|stows?|falls?)": "causes, gives, happens to",
    r"betimes": "early",
    r"ere": "before",
    r"fares?|fared": "what happens to it",
    r"farewell": "closing, last message",
    r"gives? way": "is closed, is dropped",
    r"hears?|heard": "receives, gets, notices",
    r"henceforth|hitherto|heretofore|forthwith": "from now on, until now, at once",
    r"in (?:its|their|whose) stead": "in its place",
    r"in vain": "without success, for nothing",
    r"(?<!there\s)(?:is|are) (?-i:none)": "is not one, is missing, is invalid",
    r"(?:is|are|was|were|be) let go": "is dropped, is released",
    r"lest": "so that ... not",
    r"loath|loth": "does not want to",
    r"mend(?:s|ed|ing)?": "fix, repair, remedy",
    r"midst": "during, in the middle of",
    r"no(?:body|thing)'s": "of no client, of no process",
    r"oft": "often",
    r"perchance": "perhaps",
    r"spoil(?:s|t|ed|ing)?": "damage, break",
    r"take heed|takes heed|heeds?": "obey, look at",
    r"tells? whether": "return True if",
    r"there(?:by|in|of|upon|unto)": "in it, by it",
    r"thrice": "three times",
    r"to no avail": "without success",
    r"torment(?:s|ed|ing)?": "stress, inject faults into",
    r"unto|upon": "to, on",
    r"what (?:came|comes|became|becomes) of": "the result of, the outcome of",
    r"where(?:by|in|of|upon|fore)": "by which, in which, of which",
    r"whence|thence|whither|thither|hither": "from where, to where",
    r"whilst": "while",
    r"whoever|whomever": "who, the client that, the process that",
    r'"""Give \w+': '"""Return ...',
}
"""Words, as patterns that match whole words in any case, and what to write instead."""

READ = (
    "fast_priority", "mock_target", "loadtests", "benchmarks", "tests", "tools", "examples", "docs", ".ci", ".github",
    "Dockerfile", "docker-entrypoint.sh", "Makefile", "pyproject.toml", "*.md", "*.yml", ".pre-commit-config.yaml",
)  # fmt: skip
"""Folders and files of the repository that are read, as patterns."""

LEFT_OUT = (
    "docs/evidence",  # written by programs
    "tests/acceptance/fidelity/*_cases.py",  # the names of the cases stand in docs/evidence/fidelity.md
    "tests/unit/test_check_words.py",
    "tools/check_words.py",
)
"""Folders and files that are not read, as patterns."""

_SUFFIXES = {".css", ".html", ".j2", ".js", ".lua", ".md", ".py", ".sh", ".toml", ".yaml", ".yml", ""}


def _pattern(words: str) -> re.Pattern[str]:
    return re.compile(rf"(?<!\w)(?:{words})\b".replace(" ", r"\s+"), re.IGNORECASE)


_PATTERNS = [(_pattern(words), instead) for words, instead in WORDS.items()]
# Nearly all texts have none of the words: one search shows it faster than a search for each word.
_ANY = _pattern("|".join(WORDS))
_PROSE_TOKENS = {tokenize.COMMENT, tokenize.STRING, getattr(tokenize, "FSTRING_MIDDLE", tokenize.STRING)}


def files(root: Path = REPOSITORY) -> list[Path]:
    """Return the files that are read, in order."""
    found = [path for pattern in READ for top in root.glob(pattern) for path in (top, *top.rglob("*"))]
    left_out = [path for pattern in LEFT_OUT for path in root.glob(pattern)]
    return sorted(
        path
        for path in found
        if path.is_file()
        and path.suffix in _SUFFIXES
        and "__pycache__" not in path.parts
        and not any(path.is_relative_to(one) for one in left_out)
    )


def findings(path: Path) -> Iterator[tuple[int, str, str]]:
    """Yield line, word and what to write instead, for each word of WORDS in a file."""
    for first_line, text in _prose(path):
        for pattern, instead in _PATTERNS if _ANY.search(text) else ():
            for found in pattern.finditer(text):
                yield first_line + text.count("\n", 0, found.start()), " ".join(found[0].split()), instead


def main(root: Path = REPOSITORY) -> int:
    """Print each finding as `path:line: word`; return the exit status."""
    count = 0
    for path in files(root):
        for line, word, instead in sorted(findings(path)):
            count += 1
            sys.stdout.write(f"{path.relative_to(root)}:{line}: {word!r}: write: {instead}\n")
    return 1 if count else 0


def _prose(path: Path) -> Iterator[tuple[int, str]]:
    """Yield pieces of text with the lines where they start. A string of one word is a key or a name, not prose."""
    if path.suffix != ".py":
        yield 1, path.read_text(encoding="utf-8")
        return
    with path.open("rb") as file:
        for token in tokenize.tokenize(file.readline):
            if token.type in _PROSE_TOKENS and " " in token.string.strip():
                yield token.start[0], token.string


if __name__ == "__main__":
    sys.exit(main())
