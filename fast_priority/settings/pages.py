"""Settings of the gateway's own pages, which `gateway/pages.py` has."""

import re
from typing import Self

from pydantic import BaseModel, field_validator, model_validator

from fast_priority.settings.environment import PREFIX
from fast_priority.settings.field import setting
from fast_priority.settings.path_texts import check_path

GATEWAY_OPENAPI_PATH = "/gateway_openapi.json"
GATEWAY_METRICS_PATH = "/gateway_metrics"


class PageSettings(BaseModel):
    """The paths of the pages that the gateway answers itself."""

    doc_path: str = setting("/gateway_docs", "Path of the gateway's own documentation (Swagger UI).", "a path")
    redoc_path: str = setting("/gateway_redoc", "Path of the gateway's own documentation (ReDoc).", "a path")
    health_path: str = setting(
        "/gateway_health", "Path of the gateway's health endpoint; /live and /ready are below it.", "a path"
    )

    @field_validator("doc_path", "redoc_path", "health_path")
    @classmethod
    def _rooted(cls, value: str) -> str:
        check_path(value)
        if not value.strip("/") or re.search(r"[\s?#{}]", value):
            raise ValueError("this is not the path of an endpoint")
        return "/" + value.strip("/")

    @model_validator(mode="after")
    def _paths_are_distinct(self) -> Self:
        paths = (self.doc_path, self.redoc_path, GATEWAY_OPENAPI_PATH, GATEWAY_METRICS_PATH, *self.health_paths)
        if len(set(paths)) != len(paths):
            raise ValueError(
                f"{PREFIX}DOC_PATH={self.doc_path}, {PREFIX}REDOC_PATH={self.redoc_path} and "
                f"{PREFIX}HEALTH_PATH={self.health_path} must differ from each other, "
                f"from {GATEWAY_OPENAPI_PATH} and {GATEWAY_METRICS_PATH}, "
                "and from /live and /ready below the health path"
            )
        return self

    @property
    def health_paths(self) -> tuple[str, ...]:
        """The paths of the gateway's health: a server that is full still answers them."""
        return self.health_path, f"{self.health_path}/live", f"{self.health_path}/ready"
