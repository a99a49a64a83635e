"""docker-compose.yml and the Dockerfile: what can be said of them without an engine.

The commands are started in tests/cluster; tests/containers runs all of it in an engine.
"""

import re
import tomllib

import pytest
import typer.main

from service.cli import app
from tests.cluster.site import COMPOSE, ROOT

SERVICES = COMPOSE["services"]
DOCKERFILE = (ROOT / "Dockerfile").read_text()
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
    (user,) = re.findall(r"^USER (.*)$", DOCKERFILE, re.MULTILINE)
    assert re.fullmatch(r"[1-9]\d*:[1-9]\d*", user), "Kubernetes asks for numbers that are not root's"
    assert f"useradd --uid {user.split(':')[0]} " in DOCKERFILE
    assert all("healthcheck" in service for name, service in OURS.items())


def test_the_image_of_serve_is_well_only_while_a_dispatcher_works():
    (check,) = re.findall(r"^HEALTHCHECK .*CMD (\[.*\])$", DOCKERFILE, re.MULTILINE)
    assert check.endswith('"http://127.0.0.1:8000/readyz"]')


def test_dependencies_are_installed_before_the_code_comes_and_with_the_versions_that_were_tested():
    stages = re.split(r"^FROM .*?(?: AS (\w+))?$", DOCKERFILE, flags=re.MULTILINE)
    by_name = dict(zip(stages[1::2], stages[2::2], strict=True))
    dependencies, image = by_name["dependencies"], by_name[None]
    assert not re.search("COPY (service|workers|migrations)", dependencies + image)
    assert "pyproject" not in dependencies  # of which more than the dependencies changes
    assert len(re.findall(r"install .*?--constraint", re.sub(r"\\\n", "", dependencies))) == dependencies.count(
        " install "
    )
    assert "--no-deps --no-index /wheels/*.whl" in image
    assert image.index("from=dependencies") < image.index("from=code")


def test_nothing_is_built_or_imported_in_the_images_working_directory():
    image = DOCKERFILE.rpartition("\nFROM ")[2]
    assert re.findall(r"^WORKDIR (.*)$", image, re.MULTILINE) == ["/data"]
    assert "PYTHONSAFEPATH=1" in image
    assert 'ENTRYPOINT ["rankward"]' in image


def test_what_is_copied_into_the_image_is_let_through():
    ignored = (ROOT / ".dockerignore").read_text().split()
    assert ignored[ignored.index("*") :][0] == "*"
    copied = {name for line in re.findall(r"^COPY (?!--)(.*)$", DOCKERFILE, re.MULTILINE) for name in line.split()[:-1]}
    assert {f"!{name.partition('/')[0]}" for name in copied} == {line for line in ignored if line.startswith("!")}
    assert "!secrets" not in ignored


def test_the_index_of_what_is_installed_comes_from_the_project():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert [one for one in project["optional-dependencies"]["server"] if one.startswith("rankward")] == [
        "rankward[arrow]"
    ]


@pytest.mark.parametrize("name", SERVICES)
def test_containers_are_confined_and_their_logs_end(name):
    service = SERVICES[name]
    assert service["read_only"]
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges=true"]
    assert service["logging"] == {"driver": "json-file", "options": {"max-size": "10m", "max-file": "5"}}


def test_postgresql_is_well_only_when_it_answers_by_tcp():
    """While a database is made, a temporary server answers on the socket alone."""
    assert "--host=127.0.0.1" in SERVICES["postgres"]["healthcheck"]["test"]


def test_whatever_goes_on_running_is_checked():
    unchecked = {name for name, one in SERVICES.items() if one.get("healthcheck", {"disable": True}).get("disable")}
    assert unchecked == {"migrate", "certificates", "proxy"}
    for name in ("worker", "gpu-worker"):
        alive = SERVICES[name]["environment"]["RANKWARD_ALIVE_FILE"]
        assert SERVICES[name]["healthcheck"]["test"][-1] == f"file://{alive}"


def test_files_that_are_mounted_are_there():
    """Contents in the compose file itself would be written into the container, which cannot be written."""
    for config in COMPOSE["configs"].values():
        assert (ROOT / config["file"]).is_file()


def test_the_proxys_configuration_is_written_as_caddy_writes_it():
    """Caddy warns of others at each start: tabs, and nothing at the end of lines."""
    for line in (ROOT / COMPOSE["configs"]["caddyfile"]["file"]).read_text().splitlines():
        assert not line.startswith(" ")
        assert line == line.rstrip()


def test_the_head_says_which_compose_is_needed():
    assert re.search(r"Needs Docker Compose \d", (ROOT / "docker-compose.yml").read_text())


def test_every_step_that_operators_need_stands_in_the_document():
    text = (ROOT / "docs" / "containers.md").read_text()
    assert "docker run" in text
    for heading in ("Backup", "Restore", "Restart of the API, one replica after the other", "Upgrade"):
        assert re.search(rf"^### {heading}\n(?:(?!^#).*\n)*?```sh", text, re.MULTILINE), heading
