FROM python:3.11-slim

RUN useradd --create-home rankward
WORKDIR /app
COPY pyproject.toml constraints.txt README.md ./
COPY service service
COPY workers workers
COPY migrations migrations
RUN pip install --no-cache-dir --constraint constraints.txt . && install -d -o rankward /data

USER rankward
VOLUME /data
EXPOSE 8000
ENV RANKWARD_DATA_DIR=/data RANKWARD_HOST=0.0.0.0
HEALTHCHECK CMD ["python", "-c", "import urllib.request as r; r.urlopen('http://127.0.0.1:8000/readyz', timeout=3)"]
CMD ["rankward", "serve"]
