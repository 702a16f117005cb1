"""The files of TLS to the target, and what they need of each other. Pure."""

from dataclasses import dataclass

from fast_priority.settings.environment import PREFIX

_NAMES = ("CA", "CERT", "KEY")


@dataclass(frozen=True, slots=True)
class TlsFiles:
    """Paths of PEM files: the authorities to trust, and a client certificate with its key. None: not set."""

    ca: str | None = None
    cert: str | None = None
    key: str | None = None

    def check(self, base_url: str | None) -> None:
        """Raise ValueError, which names the variables, if one is set without another, or for a target without TLS.

        `base_url` is None for a worker that learns the target from its gateways.
        """
        given = [name for name, path in zip(_NAMES, (self.ca, self.cert, self.key), strict=True) if path is not None]
        if ("CERT" in given) != ("KEY" in given):
            present, missing = ("CERT", "KEY") if "CERT" in given else ("KEY", "CERT")
            raise ValueError(
                f"{tls_variable(present)} is set and {tls_variable(missing)} is not: "
                "set both, also if one file has both"
            )
        if given and base_url is not None and base_url.startswith("http:"):
            raise ValueError(
                f"{tls_variable(given[0])} is not used for an http:// target: "
                f"unset it, or set {PREFIX}TARGET_BASE_URL to an https:// URL"
            )


def tls_variable(name: str) -> str:
    """Return the variable for `CA`, `CERT` or `KEY`."""
    return f"{PREFIX}TARGET_TLS_{name}"
