# One image for all of the platform's processes: web server, daemon, code server, API, dashboard, consumer of streams.
# docker/install and docker/start have its steps, so that they can be tried without Docker: docker/try.
ARG PYTHON=3.12-slim-bookworm

FROM python:${PYTHON} AS build
# requirements-core.lock leaves out API, dashboard, streams and alerts by apprise.
ARG LOCK=requirements-image.lock
WORKDIR /app
COPY ${LOCK} /tmp/requirements.lock
COPY docker/install docker/
RUN docker/install packages /opt/ecom /tmp/requirements.lock
COPY pyproject.toml README.md dagster.yaml dagster-postgres.yaml workspace.yaml ./
COPY analyses analyses
COPY docker docker
COPY ecom_assets ecom_assets
RUN docker/install project /opt/ecom /app

FROM python:${PYTHON}
RUN groupadd --gid 10001 ecom \
    && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /tmp --shell /usr/sbin/nologin ecom \
    && install --directory --owner 10001 --group 10001 /data
COPY --from=build /opt/ecom /opt/ecom
COPY --from=build /app /app
ENV PATH=/opt/ecom/bin:$PATH \
    ECOM_DATA=/data/shop \
    DAGSTER_HOME=/data/dagster \
    HOME=/tmp \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1
WORKDIR /app
USER 10001:10001
VOLUME /data
ENTRYPOINT ["/app/docker/start"]
CMD ["webserver"]
HEALTHCHECK --interval=15s --timeout=10s --start-period=60s --retries=4 CMD ["/app/docker/health"]
