# A tag is what it is today; docs/deploy/README.md says how to name an image by its digest.
ARG PYTHON_IMAGE=python:3.13-slim
FROM ${PYTHON_IMAGE} AS build
COPY requirements.lock /build/
RUN python -m venv --without-pip /opt/letterbox \
 && pip --python /opt/letterbox/bin/python install --quiet --no-cache-dir \
      --disable-pip-version-check --root-user-action=ignore \
      --require-hashes -r /build/requirements.lock
COPY app /opt/letterbox/src/app
COPY migrations /opt/letterbox/src/migrations
# Guarded, for each of several web processes imports it again. The first process of a container gets
# no signal that it does not handle, so one that comes while it still starts is handled here.
RUN printf '%s\n' '#!/opt/letterbox/bin/python' \
      'if __name__ == "__main__":' \
      '    import signal, sys' \
      '    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))' \
      '    from app.cli import main' \
      '    main()' > /opt/letterbox/bin/letterbox \
 && chmod 755 /opt/letterbox/bin/letterbox \
 && PYTHONPATH=/opt/letterbox/src /opt/letterbox/bin/python -m compileall -q /opt/letterbox/src

FROM ${PYTHON_IMAGE}
# `letterbox backup` and `restore` call PostgreSQL's own tools.
RUN apt-get update -qq \
 && apt-get install -y -qq --no-install-recommends postgresql-client >/dev/null \
 && apt-get clean && rm -rf /var/lib/apt/lists/*
LABEL org.opencontainers.image.title=Letterbox \
      org.opencontainers.image.description="Receives the texts that an SMS provider forwards" \
      org.opencontainers.image.licenses=MIT \
      org.opencontainers.image.version=1.0.0
# A fixed number, so that a volume's owner stays the same from image to image.
RUN useradd --uid 10001 --no-create-home --shell /usr/sbin/nologin letterbox \
 && install -d -o letterbox -g letterbox -m 0700 /data /demo
COPY --from=build /opt/letterbox /opt/letterbox
ENV PATH=/opt/letterbox/bin:/usr/local/bin:/usr/bin:/bin \
    PYTHONPATH=/opt/letterbox/src \
    LETTERBOX_DATA_DIR=/data \
    LETTERBOX_HOST=0.0.0.0 \
    LETTERBOX_PORT=8000 \
    LETTERBOX_LOG_FORMAT=json
# The base image has no compiled modules and the user below cannot write any: each start, and each
# health check, would compile them anew.
RUN python -c "import alembic.command, app.cli.process.serve, app.cli.process.web, app.worker, http.client, multiprocessing.popen_spawn_posix"
USER letterbox
WORKDIR /data
VOLUME /data
EXPOSE 8000
# Without the site's packages (-I -S) it starts in a tenth of the time.
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=3 \
  CMD ["python", "-I", "-S", "-c", "import http.client, os, sys; web = http.client.HTTPConnection('127.0.0.1', int(os.environ['LETTERBOX_PORT']), timeout=4); web.request('GET', '/readyz'); sys.exit(web.getresponse().status != 200)"]
ENTRYPOINT ["letterbox"]
CMD ["serve"]
