"""Fast Priority as another release of it would be: with another wire version, or another number of the package.

python tests/doubles/other_release.py WIRE_VERSION PACKAGE_VERSION MODULE ARGUMENT...
"""

import importlib.metadata
import runpy
import sys

from fast_priority.protocol import wire_version

_version = importlib.metadata.version


def main() -> None:
    wire, package, module, *arguments = sys.argv[1:]
    vars(wire_version)["WIRE_VERSION"] = int(wire)  # before any other module reads it

    def version(distribution_name: str) -> str:
        return package if distribution_name == "fast-priority" else _version(distribution_name)

    importlib.metadata.version = version
    sys.argv = [module, *arguments]
    runpy.run_module(module, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
