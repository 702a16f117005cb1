"""uvicorn, configured for the mock target."""

from mock_target.server.uvicorn_server import run_mock

__all__ = ["run_mock"]
