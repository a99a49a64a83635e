"""The configurations of nginx and Caddy in docs/proxies, before a real API: TLS and a prefix."""

import re
import shutil
import socket
import ssl
import subprocess
import time
from pathlib import Path

import httpx2
import pytest

from service.processes.certificates import make_certificates
from service.settings import Settings
from service.use_cases.keys import create_key
from tests.helpers.api_server import serving
from tests.helpers.specs import BASIC

DOCUMENTED = Path(__file__).parents[2] / "docs" / "proxies"
MAIN = """
daemon off; worker_processes 1; pid {folder}/nginx.pid; error_log {folder}/error.log;
events {{}}
http {{
    access_log off; client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi; uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
    include {folder}/site.conf;
}}
"""
SPEC = """
run:
  problem: {kind: perturbed_2x2}
  model: {kind: deep_matrix, depth: 2}
  init: {kind: identity, scale: 0.1}
  optimizer: {kind: gradient_descent, learning_rate: 0.01}
  stop: {max_steps: 10}
"""


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as free:
        return free.getsockname()[1]


def configuration(file, folder, port, upstream):
    """A documented file with this test's ports, names and certificates; fails where it says something else by now."""
    text = (DOCUMENTED / file).read_text()
    addresses = {"listen 443 ssl": f"listen 127.0.0.1:{port} ssl"}
    if file == "Caddyfile":
        addresses = {"\nlab.example {": f"\nhttps://localhost:{port} {{"}
    changes = addresses | {
        "127.0.0.1:8000": f"127.0.0.1:{upstream}",
        "/etc/ssl/lab.example.pem": f"{folder}/certificates/scheduler.pem",
        "/etc/ssl/lab.example.key": f"{folder}/certificates/scheduler.key",
    }
    for documented, used in changes.items():
        assert documented in text
        text = text.replace(documented, used)
    return text.replace("server_name lab.example", "server_name localhost")


def command_of(proxy, folder, port, upstream):
    if proxy == "nginx":
        (folder / "site.conf").write_text(configuration("nginx.conf", folder, port, upstream))
        (folder / "nginx.conf").write_text(MAIN.format(folder=folder))
        return ["nginx", "-e", str(folder / "error.log"), "-c", str(folder / "nginx.conf")]
    options = f"{{\n\tadmin off\n\tauto_https disable_redirects\n\tstorage file_system {folder}/storage\n}}\n"
    (folder / "Caddyfile").write_text(options + configuration("Caddyfile", folder, port, upstream))
    return ["caddy", "run", "--adapter", "caddyfile", "--config", str(folder / "Caddyfile")]


@pytest.fixture(params=["nginx", "caddy"])
def site(request, database, settings, tmp_path):
    """A browser of sorts at https://localhost:PORT/lab/, and a key."""
    if shutil.which(request.param) is None:
        pytest.skip(f"{request.param} is not installed")
    make_certificates(tmp_path / "certificates", ["localhost"], 1)
    port = free_port()
    documented = re.findall(r"(RANKWARD_\w+)=(\S+)", (DOCUMENTED / "nginx.conf").read_text())
    assert documented == re.findall(r"(RANKWARD_\w+)=(\S+)", (DOCUMENTED / "Caddyfile").read_text())
    given = {name.removeprefix("RANKWARD_").lower(): value for name, value in documented}
    given["public_origin"] = f"https://localhost:{port}"
    changed = Settings.model_validate({**settings.model_dump(), **given})
    tls = ssl.create_default_context(cafile=str(tmp_path / "certificates" / "ca.pem"))
    key = create_key(database, "lab", ["read", "submit", "admin"], {})
    with serving(changed) as (_, upstream), (tmp_path / "said").open("w") as said:
        command = command_of(request.param, tmp_path, port, upstream)
        environment = {"HOME": str(tmp_path), "PATH": "/usr/bin:/usr/sbin"}
        process = subprocess.Popen(command, stdout=said, stderr=said, env=environment)
        try:
            client = httpx2.Client(base_url=f"https://localhost:{port}", verify=tls, trust_env=False, timeout=20)
            with client:
                wait_for(client, process, tmp_path / "said")
                yield client, key
        finally:
            process.terminate()
            process.wait(20)


def wait_for(client, process, said):
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline and process.poll() is None:
        try:
            if client.get("/lab/livez").status_code == 200:
                return
        except httpx2.TransportError:
            time.sleep(0.1)
    raise AssertionError(said.read_text())


def links_of(page):
    return set(re.findall(r'\s(?:href|src|action|content|data-[a-z]+)="(/[^"]*)"', page))


@pytest.mark.slow
def test_pages_forms_links_and_events_behind_tls_and_a_prefix(site):
    client, key = site
    own = {"Origin": str(client.base_url).rstrip("/"), "Sec-Fetch-Site": "same-origin", "Accept": "text/html"}
    assert client.get("/lab").headers["location"] == "/lab/"
    away = client.get("/lab/compare?experiment=a&experiment=b", headers=own)
    assert away.headers["location"] == "/lab/sign-in?next=%2Fcompare%3Fexperiment%3Da%26experiment%3Db"
    asked = client.get(away.headers["location"])
    target = re.search(r'name="next" value="([^"]*)"', asked.text)[1].replace("&amp;", "&")
    signed_in = client.post("/lab/sign-in", data={"key": key, "next": target}, headers=own)
    assert signed_in.headers["location"] == "/lab/compare?experiment=a&experiment=b"
    cookie = signed_in.headers["set-cookie"]
    assert "Secure" in cookie
    assert "Path=/lab" in cookie
    sent = client.post("/lab/new", data={"act": "submit", "spec": SPEC}, headers=own)
    assert (sent.status_code, sent.headers["location"].startswith("/lab/experiments/")) == (303, True)
    foreign = own | {"Origin": "https://evil.example"}
    assert client.post("/lab/new", data={"act": "submit", "spec": SPEC}, headers=foreign).status_code == 403
    for path in ("/lab/", sent.headers["location"], "/lab/new", "/lab/docs"):
        links = links_of(client.get(path, headers=own).text)
        assert links
        assert {client.head(link, headers=own).status_code for link in links} <= {200, 308, 405, 422}


def test_the_api_behind_tls_and_a_prefix(site):
    client, key = site
    client.headers["Authorization"] = f"Bearer {key}"
    posted = client.post("/lab/v1/experiments", json={"run": BASIC, "sweep": [{"seed": [0, 1, 2]}]})
    assert posted.status_code == 202
    location = posted.headers["location"]
    assert client.get(location).json()["id"] == posted.json()["id"]
    page = client.get("/lab/v1/runs?limit=1")
    rest = client.get(re.match("<(.*)>", page.headers["link"])[1])
    assert rest.json()["items"][0]["id"] != page.json()["items"][0]["id"]
    slashed = client.get("/lab/v1/runs/", follow_redirects=True)
    assert (slashed.status_code, slashed.url.scheme) == (200, "https")
    assert client.head("/lab/v1/runs").headers["content-length"] == str(len(client.get("/lab/v1/runs").content))
    assert client.get("/lab/openapi.json").json()["servers"][0] == {"url": "/lab"}
    assert client.get("/lab/v1/runs", params={"where": f"tags.a != '{'x' * 19_000}'"}).status_code == 200
    with client.stream("GET", f"{location}/events") as events:
        assert next(events.iter_lines()).startswith("retry")
