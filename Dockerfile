# One image for every role; `docker compose` gives each its command. The tests start the same commands as processes.
ARG PYTHON=3.11.13-slim-bookworm
FROM python:${PYTHON}

# The index to take torch from: the default one has CUDA in its Linux wheels and runs on a CPU, too; PyTorch publishes
# another one with wheels for CPUs alone, which make an image a quarter of the size.
ARG TORCH_INDEX_URL=""

RUN groupadd --gid 10001 rankward \
 && useradd --uid 10001 --gid 10001 --create-home rankward \
 && install -d -o rankward -g rankward /data /certificates
WORKDIR /app
COPY pyproject.toml constraints.txt README.md LICENSE ./
RUN torch=$(grep '^torch==' constraints.txt) \
 && pip install --no-cache-dir ${TORCH_INDEX_URL:+--index-url "$TORCH_INDEX_URL"} "$torch"
COPY service service
COPY workers workers
COPY migrations migrations
RUN pip install --no-cache-dir --constraint constraints.txt .

# Numbers, because Kubernetes cannot tell of a name that it is not root's (`runAsNonRoot`).
USER 10001:10001
VOLUME /data
EXPOSE 8000
# Beyond the loopback the API asks for keys: `docker run ... rankward keys create NAME` on the same volume makes one.
ENV RANKWARD_DATA_DIR=/data RANKWARD_HOST=0.0.0.0 PYTHONUNBUFFERED=1
STOPSIGNAL SIGTERM
HEALTHCHECK --start-period=60s --interval=10s CMD ["python", "-c", "import urllib.request as r; r.build_opener(r.ProxyHandler({})).open('http://127.0.0.1:8000/readyz?require=database', timeout=3)"]
CMD ["rankward", "serve"]
