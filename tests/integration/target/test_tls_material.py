"""Files for TLS to the target: those that cannot be used are one line that names the variable and the remedy."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from fast_priority.app import create_app
from fast_priority.errors import ConfigurationError
from fast_priority.settings import Settings, TlsFiles
from fast_priority.target import check_tls_files
from fast_priority.worker import PriorityWorkerPool
from tests.integration.target.tls_rig import Authority


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


def written(tmp_path: Path, content: str) -> str:
    path = tmp_path / "written.pem"
    path.write_text(content)
    return str(path)


def damaged(tmp_path: Path, path: str) -> str:
    """Return the file of the same PEM block with most of its content cut out."""
    lines = Path(path).read_text().splitlines()
    return written(tmp_path, "\n".join([lines[0], lines[1][:20], lines[-1]]) + "\n")


Case = Callable[[Authority, Path], TlsFiles]


def encrypted(*, is_traditional: bool) -> Case:
    def case(own: Authority, _: Path) -> TlsFiles:
        cert, key = own.client_files()
        return TlsFiles(None, cert, own.encrypted(key, is_traditional=is_traditional))

    return case


CASES: dict[str, tuple[Case, str, str]] = {
    "CA is no PEM": (lambda own, tmp: TlsFiles(written(tmp, "no PEM")), "CA", "no certificate in PEM form"),
    "CA is empty": (lambda own, tmp: TlsFiles(written(tmp, "")), "CA", "no certificate in PEM form"),
    "CA is a key": (lambda own, tmp: TlsFiles(own.client_files()[1]), "CA", "no certificate in PEM form"),
    "CA is damaged": (lambda own, tmp: TlsFiles(damaged(tmp, own.ca)), "CA", "is damaged"),
    "CA is gone": (lambda own, tmp: TlsFiles(str(tmp / "gone.pem")), "CA", "No such file"),
    "CERT is a key": (
        lambda own, tmp: TlsFiles(None, own.client_files()[1], own.client_files()[1]),
        "CERT",
        "no certificate in PEM form",
    ),
    "KEY is a certificate": (
        lambda own, tmp: TlsFiles(None, own.client_files()[0], own.client_files()[0]),
        "KEY",
        "no private key in PEM form",
    ),
    "KEY is of another": (
        lambda own, tmp: TlsFiles(None, own.client_files()[0], own.client_files()[1]),
        "KEY",
        "does not fit the certificate",
    ),
    "KEY is encrypted": (encrypted(is_traditional=False), "KEY", "the key is encrypted"),
    "KEY is encrypted by OpenSSL": (encrypted(is_traditional=True), "KEY", "the key is encrypted"),
    "KEY is damaged": (
        lambda own, tmp: TlsFiles(None, own.client_files()[0], damaged(tmp, own.client_files()[1])),
        "KEY",
        "is damaged",
    ),
}


@pytest.mark.parametrize(("case", "name", "reason"), CASES.values(), ids=CASES)
def test_a_file_that_cannot_be_used(authority: Authority, tmp_path: Path, case: Case, name: str, reason: str) -> None:
    """Each kind of bad file is one line with the variable, the reason and a remedy."""
    with pytest.raises(ConfigurationError) as caught:
        check_tls_files(case(authority, tmp_path))
    error = str(caught.value)
    assert error.startswith(f"FAST_PRIORITY_TARGET_TLS_{name}='")
    assert reason in error
    assert "\n" not in error


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read each file")
def test_a_file_that_cannot_be_read(authority: Authority) -> None:
    """A file that this user may not read is one line with the variable."""
    Path(authority.ca).chmod(0)
    with pytest.raises(ConfigurationError, match=r"FAST_PRIORITY_TARGET_TLS_CA=.*Permission denied"):
        check_tls_files(authority.trusting())


def test_one_file_for_both(authority: Authority, tmp_path: Path) -> None:
    """Certificate and key may be in one file."""
    cert, key = (Path(path).read_text() for path in authority.client_files())
    both = written(tmp_path, key + cert)
    check_tls_files(TlsFiles(None, both, both))


@pytest.mark.parametrize("start", [create_app, PriorityWorkerPool], ids=["gateway", "workers"])
def test_checked_at_the_start(tmp_path: Path, start: Callable[[Settings], object]) -> None:
    """A gateway and workers with a file that cannot be used do not start."""
    settings = Settings.load(target_base_url="https://api.example", target_tls_ca=written(tmp_path, "no PEM"))
    with pytest.raises(ConfigurationError, match="FAST_PRIORITY_TARGET_TLS_CA="):
        start(settings)
