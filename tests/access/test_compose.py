"""docker-compose.yml: what can be said of it without an engine. Its commands are started in tests/cluster."""

import re
from pathlib import Path

import typer.main

from service.cli import app
from tests.cluster.site import COMPOSE

SERVICES = COMPOSE["services"]
OURS = {name: one for name, one in SERVICES.items() if one["image"].startswith("rankward")}


def test_every_command_is_one_of_ours_with_its_options():
    commands = typer.main.get_command(app).commands
    for service in OURS.values():
        name, *arguments = service["command"]
        commands[name].make_context(name, list(arguments), resilient_parsing=True)


def test_versions_are_pinned():
    for service in SERVICES.values():
        assert re.search(r":(\$\{RANKWARD_VERSION:-)?\d+\.\d+", service["image"])


def test_nothing_is_published_but_the_proxy_on_the_loopback():
    published = {name: one["ports"] for name, one in SERVICES.items() if "ports" in one}
    assert published == {"proxy": ["${RANKWARD_PUBLISH:-127.0.0.1:8000}:8000"]}


def test_passwords_come_from_files():
    for service in SERVICES.values():
        for name in service.get("environment", {}):
            assert name.endswith("_FILE") or not re.search("PASSWORD|DATABASE_URL|SECRET", name)


def test_what_is_named_is_there():
    networks, volumes, secrets = set(COMPOSE["networks"]), set(COMPOSE["volumes"]), set(COMPOSE["secrets"])
    for service in SERVICES.values():
        assert set(service.get("networks", [])) <= networks
        assert {volume.split(":")[0] for volume in service.get("volumes", [])} <= volumes
        assert set(service.get("secrets", [])) <= secrets
        assert set(service.get("depends_on", {})) <= set(SERVICES)


def test_the_image_runs_as_nobody_special_and_is_checked():
    dockerfile = (Path(__file__).parents[2] / "Dockerfile").read_text()
    (user,) = re.findall(r"^USER (.*)$", dockerfile, re.MULTILINE)
    assert re.fullmatch(r"[1-9]\d*:[1-9]\d*", user), "Kubernetes asks for numbers that are not root's"
    assert f"useradd --uid {user.split(':')[0]} " in dockerfile
    assert "HEALTHCHECK" in dockerfile
    assert all("healthcheck" in service for name, service in OURS.items())
