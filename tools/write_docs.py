"""Write the parts of the documentation that the code decides: `make docs`.

Each such part stands between two marks in its page, `<!-- name -->` and `<!-- /name -->`. Everything else in a page is
written by hand. A test runs the same functions and fails if a page is out of date.
"""

import ast
import json
import re
import sys
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from enum import Enum
from pathlib import Path
from typing import Any

# As a script, Python looks only in the folder of this file.
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import typer
from pydantic import BaseModel

from fast_priority import Settings
from fast_priority.broker.keys import KEY_TABLE
from fast_priority.cli import app as gateway_commands
from fast_priority.errors import GatewayError
from fast_priority.observability.metric_table import METRICS, PREFIX
from fast_priority.scheduling.policy import KeysFile, PolicyFile
from loadtests.cli import app as loadtest_commands

REPOSITORY = Path(__file__).resolve().parent.parent
_DOCS = REPOSITORY / "docs"
_PREFIX = "FAST_PRIORITY_"
_SCHEMAS: Mapping[str, type[BaseModel]] = {"policy.schema.json": PolicyFile, "keys.schema.json": KeysFile}
_OWN_HELP = {"mock-target", "loadtest"}
"""Commands that hand their options on to another program, which has a section or a page of its own."""
_PASSED_ON = "It takes the options of the program that it runs: `--help` lists them.\n"

SETTING_GROUPS: Mapping[str, tuple[str, ...]] = {
    "target": (
        "target_base_url",
        "target_probe_path",
        "preserve_host",
        "timeout",
        "connect_timeout",
        "max_body",
        "target_tls_ca",
        "target_tls_cert",
        "target_tls_key",
    ),
    "paths": ("high_prio_paths", "prio_paths", "prio_base_paths", "pass_through", "normalize_paths", "path_case"),
    "policy": ("policy_file", "keys_file"),
    "queue": ("levels", "policy_change", "ttl", "max_queued_high", "max_queued_low"),
    "workers": ("workers", "worker_concurrency", "slots", "poll_interval", "frames_in_flight"),
    "clients": (
        "host",
        "port",
        "trusted_proxies",
        "cors_origins",
        "max_connections",
        "client_timeout",
        "head_timeout",
        "keep_alive",
        "drain_timeout",
        "drain_delay",
        "websockets",
        "max_tunnels",
    ),
    "observability": ("server_timing", "access_log", "operator_token"),
    "pages": ("doc_path", "redoc_path", "health_path"),
    "redis": (
        "redis_host",
        "redis_port",
        "redis_db",
        "redis_user",
        "redis_password",
        "redis_url",
        "redis_socket",
        "redis_tls",
        "redis_tls_ca",
        "redis_tls_cert",
        "redis_tls_key",
        "redis_sentinels",
        "redis_sentinel_master",
        "redis_sentinel_user",
        "redis_sentinel_password",
    ),
}
"""The settings as docs/configuration.md groups them. Each setting stands in one group."""


def pages() -> dict[Path, str]:
    """Return each page that has generated parts, with the text that it should have."""
    parts = {
        _DOCS / "configuration.md": {f"settings-{group}": settings_table(group) for group in SETTING_GROUPS},
        _DOCS / "operations.md": {"metrics": metrics_table()},
        _DOCS / "reference" / "errors.md": {"errors": errors_table()},
        _DOCS / "reference" / "cli.md": dict(command_tables()),
        _DOCS / "internals" / "architecture.md": {"keys": key_table(), "contract": layers(), "tree": tree()},
    }
    filled = {page: fill(page.read_text(), blocks) for page, blocks in parts.items()}
    return filled | {_DOCS / "reference" / name: schema(model) for name, model in _SCHEMAS.items()}


def schema(model: type[BaseModel]) -> str:
    """Return the JSON Schema of a file, for editors."""
    found = {"$schema": "https://json-schema.org/draft/2020-12/schema", **model.model_json_schema()}
    return json.dumps(found, indent=2) + "\n"


def fill(text: str, blocks: Mapping[str, str]) -> str:
    """Return the text with each block between its two marks. Raise ValueError if a mark is missing."""
    for name, block in blocks.items():
        start, end = f"<!-- {name} -->\n", f"<!-- /{name} -->"
        before, opened, rest = text.partition(start)
        _, closed, after = rest.partition(end)
        if not opened or not closed:
            raise ValueError(f"the page has no place for {name!r}: write {start.strip()} and {end}")
        text = f"{before}{start}{block}{end}{after}"
    return text


def settings_table(group: str) -> str:
    """Return a row for each setting of a group: variable, meaning, accepted values, default."""
    fields = Settings.model_fields
    rows = []
    for name in SETTING_GROUPS[group]:
        field = fields[name]
        extra = field.json_schema_extra
        takes = str(extra["takes"]) if isinstance(extra, dict) else ""
        variable = f"`{_PREFIX}{name.upper()}`"
        if name == "workers":
            variable += f" or `{_PREFIX}WORKER`"
        rows.append((variable, field.description or "", takes, _default(field.default)))
    return _table(("variable", "meaning", "value", "default"), rows)


def errors_table() -> str:
    """Return a row for each error of the gateway: status, type, title, `Proxy-Status` token and meaning."""
    rows = [
        (
            str(error.status),
            f"`{error.slug}`",
            error.title,
            f"`{error.proxy_error}`",
            (error.__doc__ or "").partition("\n")[0],
        )
        for error in sorted(_tree(GatewayError), key=lambda error: (error.status, error.slug))
    ]
    return _table(("status", "type `urn:fast-priority:`", "title", "`Proxy-Status` error", "when"), rows)


def key_table() -> str:
    """Return a row for each kind of key in Redis."""
    rows = [(f"`{row.pattern}`", row.kind, row.holds, row.written_by, row.gone) for row in KEY_TABLE]
    return _table(("key", "kind", "holds", "written by", "gone"), rows)


def metrics_table() -> str:
    """Return a row for each metric: its name with its labels, its kind, its meaning, and what it counts."""
    rows = [
        (
            f"`{PREFIX}{row.name}`" + (f" {{{', '.join(row.labels)}}}" if row.labels else ""),
            row.kind,
            row.meaning,
            row.scope,
        )
        for row in METRICS
    ]
    return _table(("metric {labels}", "kind", "meaning", "of"), rows)


def command_tables() -> Iterator[tuple[str, str]]:
    """Yield a name and a text for each command: what it does, and its options."""
    for prefix, commands in (("", gateway_commands), ("loadtest ", loadtest_commands)):
        group: Any = typer.main.get_command(commands)
        for name, command in group.commands.items():
            if name not in _OWN_HELP or prefix:
                yield (f"{prefix}{name}".replace(" ", "-"), _command(command))


def layers() -> str:
    """Return the layer contract of fast_priority, as import-linter checks it; the first line may import all others."""
    with (REPOSITORY / "pyproject.toml").open("rb") as file:
        contracts = tomllib.load(file)["tool"]["importlinter"]["contracts"]
    contract = next(one for one in contracts if one["type"] == "layers")
    lines = [re.sub(r"\bfast_priority\.", "", layer) for layer in contract["layers"]]
    return "```text\n" + "".join(f"{line}\n" for line in lines) + "```\n"


def tree() -> str:
    """Return the modules of fast_priority, each with the first line of its docstring."""
    lines = []
    root = REPOSITORY / "fast_priority"
    for path in sorted(root.rglob("*.py"), key=_in_order_of_folders):
        inside = path.relative_to(root)
        shown = inside.parent if inside.name == "__init__.py" else inside
        if shown == Path():
            continue
        name = f"{shown.name}/" if inside.name == "__init__.py" else inside.name
        indent = "  " * (len(shown.parts) - 1)
        docstring = ast.get_docstring(ast.parse(path.read_text())) or ""
        lines.append(f"{indent + name:<28} {docstring.partition(chr(10))[0]}".rstrip())
    return "```text\nfast_priority/\n" + "".join(f"  {line}\n" for line in lines) + "```\n"


def main() -> int:
    """Write every page that has changed; return the exit status."""
    for page, text in pages().items():
        if not page.exists() or page.read_text() != text:
            page.write_text(text)
            sys.stderr.write(f"written: {page.relative_to(REPOSITORY)}\n")
    return 0


def _command(command: Any) -> str:
    help_text = re.sub(r"\[/?[a-z]*\]", "", command.help or "")
    paragraphs = [_example(part) if part.startswith("\b") else part for part in help_text.strip().split("\n\n")]
    rows = [
        (", ".join(f"`{name}`" for name in option.opts), option.help or "", _default(option.default))
        for option in command.params
        if option.opts != ["--help"]
    ]
    no_rows = _PASSED_ON if command.context_settings.get("ignore_unknown_options") else "It has no options.\n"
    options = _table(("option", "meaning", "default"), rows) if rows else no_rows
    return "\n\n".join(paragraphs) + "\n\n" + options


def _example(paragraph: str) -> str:
    """Return a paragraph whose line ends are kept, as a block of commands."""
    return "```text\n" + paragraph.removeprefix("\b").strip() + "\n```"


def _default(value: Any) -> str:
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, tuple):
        value = ",".join(value)
    if value is None or value == "":
        return ""
    return f"`{value.value if isinstance(value, Enum) else value}`"


def _tree(root: type[GatewayError]) -> list[type[GatewayError]]:
    return [root, *(found for child in root.__subclasses__() for found in _tree(child))]


def _in_order_of_folders(path: Path) -> tuple[str, ...]:
    """Sort a folder's own files in front of its folders, and its face in front of both."""
    *folders, name = path.parts
    return (*(f"2{folder}" for folder in folders), "0" if name == "__init__.py" else f"1{name}")


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [_row(head), "|" + "---|" * len(head) + "\n", *(_row(row) for row in rows)]
    return "".join(lines)


def _row(cells: Iterable[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in cells) + " |\n"


if __name__ == "__main__":
    sys.exit(main())
