# One image, two roles: a worker if FAST_PRIORITY_WORKERS (or _WORKER) is set, the gateway otherwise.
#
#   docker build -t fast-priority .
#   docker run -p 8000:8000 -e FAST_PRIORITY_SLOTS=4 -e FAST_PRIORITY_TARGET_BASE_URL=http://api -e FAST_PRIORITY_REDIS_HOST=redis fast-priority
#
# A gateway with slots needs no worker. With workers:
#
#   docker run -p 8000:8000 -e FAST_PRIORITY_TARGET_BASE_URL=http://api -e FAST_PRIORITY_REDIS_HOST=redis fast-priority
#   docker run -e FAST_PRIORITY_WORKERS=4 -e FAST_PRIORITY_REDIS_HOST=redis fast-priority
#
# A program behind the image's name runs in their place, such as `rq worker high low --url redis://redis` or `sh`.
#
# `--target loadtest` builds the same with what `fast-priority loadtest` needs.

ARG PYTHON_VERSION=3.12

FROM python:${PYTHON_VERSION}-slim AS build
WORKDIR /src
# Without pip inside: what runs needs none, and the base image's pip can install into it.
RUN python -m venv --without-pip /opt/venv
# The dependencies first, by their hashes: a change of the code then leaves this layer as it is.
COPY requirements requirements
RUN python -m pip --python /opt/venv/bin/python install --no-cache-dir --require-hashes -r requirements/image.txt
COPY pyproject.toml ./
COPY LICENSE README.md ./
COPY fast_priority fast_priority
COPY mock_target mock_target
COPY loadtests loadtests
RUN python -m pip wheel --no-cache-dir --no-deps --wheel-dir /dist . \
    && python -m pip --python /opt/venv/bin/python install --no-cache-dir --no-deps /dist/*.whl

# What is in it, as CycloneDX: docker run --rm --entrypoint cat fast-priority /opt/venv/sbom.cdx.json
RUN python -m venv /opt/supply-chain \
    && /opt/supply-chain/bin/python -m pip install --no-cache-dir --require-hashes -r requirements/supply-chain.txt \
    && /opt/supply-chain/bin/cyclonedx-py environment /opt/venv --pyproject pyproject.toml --output-reproducible \
        --output-file /opt/venv/sbom.cdx.json

FROM build AS build-loadtest
RUN python -m pip --python /opt/venv/bin/python install --no-cache-dir --require-hashes -r requirements/loadtest.txt \
    && /opt/supply-chain/bin/cyclonedx-py environment /opt/venv --pyproject pyproject.toml --output-reproducible \
        --output-file /opt/venv/sbom.cdx.json

FROM python:${PYTHON_VERSION}-slim AS base
# A fixed number, so that Kubernetes' runAsNonRoot can tell that it is not root.
RUN useradd --uid 10001 --user-group --no-create-home --shell /usr/sbin/nologin fast-priority && mkdir /app
ENV PATH=/opt/venv/bin:$PATH PYTHONUNBUFFERED=1
# Empty, and not writable by that user: the settings look for `.env` here and above, and only a mount can put one.
WORKDIR /app
USER 10001:10001

FROM base AS loadtest
COPY --from=build-loadtest /opt/venv /opt/venv
USER root
RUN install --directory --owner 10001 --group 10001 /results
USER 10001:10001
# Where the report is written unless `--out` says otherwise.
WORKDIR /results
# matplotlib and its fonts want a folder to write to.
ENV MPLCONFIGDIR=/tmp/matplotlib
# `ui` listens here.
EXPOSE 8089
ENTRYPOINT ["fast-priority", "loadtest"]
CMD ["--help"]

# Last, and so what is built unless a target is named.
FROM base AS fast-priority
COPY --from=build /opt/venv /opt/venv
EXPOSE 8000
# It executes run-fast-priority, or the program that is named: that is PID 1 and gets the SIGTERM of `docker stop`.
COPY docker-entrypoint.sh /usr/local/bin/docker-entrypoint
ENTRYPOINT ["docker-entrypoint"]
