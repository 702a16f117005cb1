"""Every environment variable: its type, its range, its default, and the source of its current value.

- `model`: Settings, the one model of all fields. The fields stand in one module for each group: `target`, `queue`,
  `levels`, `policy`, `workers`, `clients`, `redis`, `pages`, `observability`; `field` makes one.
- `environment`: variables, and the file `.env`, which `dotenv_file` finds.
- `path_texts`: what a path in a setting cannot be.
- `listen_hosts`: the addresses that the gateway listens on.
- `target_url`: the base URL of the target in one form.
- `tls_files`: the files of TLS to the target.
- `doubts`: warnings about values.
- `redis_address`: the one address that the settings of Redis make.
- `sources`: where each value comes from, and which variables nothing reads.
"""

from fast_priority.settings.dotenv_file import DOTENV_DISABLED
from fast_priority.settings.environment import PREFIX
from fast_priority.settings.model import Settings
from fast_priority.settings.pages import GATEWAY_METRICS_PATH, GATEWAY_OPENAPI_PATH
from fast_priority.settings.policy import PolicyTexts
from fast_priority.settings.redis_address import RedisAddress
from fast_priority.settings.sources import origins, reason_of_role, warnings_about_environment
from fast_priority.settings.tls_files import TlsFiles, tls_variable
from fast_priority.settings.workers import counted

__all__ = [
    "DOTENV_DISABLED",
    "GATEWAY_METRICS_PATH",
    "GATEWAY_OPENAPI_PATH",
    "PREFIX",
    "PolicyTexts",
    "RedisAddress",
    "Settings",
    "TlsFiles",
    "counted",
    "origins",
    "reason_of_role",
    "tls_variable",
    "warnings_about_environment",
]
