# devproxy as a container: `docker build -t devproxy .`; how to run it: docs/docker.md and compose.yaml.

FROM python:3.13-slim-bookworm AS build
WORKDIR /src
COPY pyproject.toml README.md LICENSE ./
COPY devproxy ./devproxy
RUN python -m venv --without-pip /opt/devproxy \
 && python -m pip --python /opt/devproxy/bin/python install --no-cache-dir --no-compile ".[tls]" \
 && /opt/devproxy/bin/python -m compileall -q -j 0 --invalidation-mode unchecked-hash /opt/devproxy/lib

FROM python:3.13-slim-bookworm
LABEL org.opencontainers.image.title="devproxy" \
      org.opencontainers.image.description="One origin in front of a frontend dev server and a Socket.IO or REST backend" \
      org.opencontainers.image.licenses="MIT"
COPY --from=build /opt/devproxy /opt/devproxy
# The file system may be read-only, and what is compiled above stays valid.
ENV PATH=/opt/devproxy/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    DEVPROXY_SERVER_LISTEN=:8080
USER 10001:10001
WORKDIR /etc/devproxy
EXPOSE 8080
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=3s --start-period=5s --retries=3 CMD ["devproxy", "health"]
ENTRYPOINT ["devproxy"]
CMD ["up"]
