# One image for every role: `docker run IMAGE [COMMAND]` is `rankward [COMMAND]`, `rankward serve` by default.
# docs/containers.md says how to start it, docker-compose.yml scales it out. Needs BuildKit (Docker 23 or newer has it).
ARG PYTHON=3.11.13-slim-bookworm

# The list of what Rankward needs: the next stage looks at it alone, whatever else changes in pyproject.toml.
FROM python:${PYTHON} AS requirements
COPY pyproject.toml /
RUN python -c "import tomllib; project = tomllib.load(open('/pyproject.toml', 'rb'))['project']; extras = project['optional-dependencies']; \
    print(*project['dependencies'], *extras['arrow'], *(one for one in extras['server'] if not one.startswith('rankward')), sep='\n')" > /requirements.txt \
 && python -c "import tomllib; extras = tomllib.load(open('/pyproject.toml', 'rb'))['project']['optional-dependencies']; \
    print(*(one for one in extras['dev'] if one.startswith('mkdocs')), sep='\n')" > /guide_requirements.txt

# What it needs, which changes rarely: a change of code leaves this stage, and its layer of the image, as it is.
FROM python:${PYTHON} AS dependencies
# The index to take torch from: the default one has CUDA in its Linux wheels and runs on a CPU, too; PyTorch publishes
# another one with wheels for CPUs alone, which make an image a quarter of the size.
ARG TORCH_INDEX_URL=""
RUN python -m venv --without-pip /opt/rankward
COPY constraints.txt /
COPY --from=requirements /requirements.txt /
RUN --mount=type=cache,target=/root/.cache/pip \
    python -m pip --python /opt/rankward/bin/python install --no-deps --constraint /constraints.txt \
        ${TORCH_INDEX_URL:+--index-url "$TORCH_INDEX_URL"} torch \
 && python -m pip --python /opt/rankward/bin/python install --constraint /constraints.txt --requirement /requirements.txt \
 # What wheels carry for those who build or test against them.
 && cd /opt/rankward/lib/python3*/site-packages \
 && rm -rf torch/include torch/share torch/test torch/bin/protoc* torch/bin/test_* torch/bin/*Test pyarrow/include pyarrow/src \
 && find . -type d -name tests -prune -exec rm -rf {} +

# Rankward itself, as the wheel that `pip` would make.
FROM python:${PYTHON} AS code
WORKDIR /build
COPY pyproject.toml README.md LICENSE ./
COPY service service
COPY workers workers
COPY migrations migrations
RUN --mount=type=cache,target=/root/.cache/pip python -m pip wheel --no-deps --wheel-dir /wheels .

# The guide, by tools that stay behind: what Rankward needs is there already, to read the presets and the HTTP calls.
FROM dependencies AS guide
WORKDIR /build
COPY --from=requirements /guide_requirements.txt /
RUN --mount=type=cache,target=/root/.cache/pip \
    python -m pip --python /opt/rankward/bin/python install --constraint /constraints.txt --requirement /guide_requirements.txt
RUN --mount=type=bind,from=code,source=/wheels,target=/wheels \
    python -m pip --python /opt/rankward/bin/python install --no-cache-dir --no-deps --no-index /wheels/*.whl
COPY mkdocs.yml README.md ./
COPY docs docs
COPY service/presets service/presets
RUN NO_MKDOCS_2_WARNING=1 /opt/rankward/bin/python -m mkdocs build --strict --quiet

FROM python:${PYTHON}
LABEL org.opencontainers.image.title="Rankward" org.opencontainers.image.licenses="Apache-2.0"
RUN groupadd --gid 10001 rankward \
 && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /data rankward \
 && install -d -o rankward -g rankward -m 0700 /data /certificates
COPY --from=dependencies /opt/rankward /opt/rankward
RUN --mount=type=bind,from=code,source=/wheels,target=/wheels \
    --mount=type=bind,from=guide,source=/build/service/web/built_guide,target=/guide \
    python -m pip --python /opt/rankward/bin/python install --no-cache-dir --no-deps --no-index /wheels/*.whl \
 && cd /opt/rankward/lib/python3*/site-packages/service/web && cp -r /guide built_guide
# Numbers, because Kubernetes cannot tell of a name that it is not root's (`runAsNonRoot`).
USER 10001:10001
# The only directory that is written to, beside /tmp; nothing is imported from it.
WORKDIR /data
VOLUME /data
EXPOSE 8000
# Beyond the loopback the API asks for keys: `docker run ... IMAGE keys create NAME` on the same volume makes one.
ENV PATH=/opt/rankward/bin:$PATH PYTHONSAFEPATH=1 PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 \
    RANKWARD_DATA_DIR=/data RANKWARD_HOST=0.0.0.0
STOPSIGNAL SIGTERM
# Of `serve`: the API answers and a dispatcher works.
HEALTHCHECK --start-period=120s --interval=10s CMD ["python", "-m", "service.processes.health", "http://127.0.0.1:8000/readyz"]
ENTRYPOINT ["rankward"]
CMD ["serve"]
