#!/bin/sh
# Usage: pip_install.sh PYTHON ARGUMENTS...
#
# Install packages for this Python, as `pip install ARGUMENTS` does. uv does it in a quarter of the time. It does not
# read pip's settings: where those name another index, and where uv fails, pip does it.
python=$1
shift
if "$python" -m uv --version >/dev/null 2>&1 && ! "$python" -m pip config list 2>/dev/null | grep -q '\.index-url='; then
  "$python" -m uv pip install --quiet --python "$python" "$@" && exit 0
  echo "uv could not install; pip tries it" >&2
fi
exec "$python" -m pip install --quiet --disable-pip-version-check "$@"
