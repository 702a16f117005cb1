#!/bin/sh
# What the container runs: the program that its arguments name, or run-fast-priority.
#
#   docker run IMAGE                                   run-fast-priority
#   docker run IMAGE --workers 2                       run-fast-priority --workers 2
#   docker run IMAGE config                            run-fast-priority config, because no program has this name
#   docker run IMAGE rq worker high low --url URL      rq worker high low --url URL
#   docker run -it IMAGE sh                            sh
#
# `exec`: the program takes the place of this shell as PID 1, and so gets the SIGTERM of `docker stop`.
case "${1-}" in
'' | -*) exec run-fast-priority "$@" ;;
esac
if command -v -- "$1" >/dev/null 2>&1; then
    exec "$@"
fi
exec run-fast-priority "$@"
