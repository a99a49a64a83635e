"""docs/kubernetes by Kubernetes' own schemas and beside docker-compose.yml, and docs/systemd by systemd."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import kubernetes_validate
import pytest
import typer.main
from ruamel.yaml import YAML

from service.cli import app
from service.settings import Settings
from service.values.variables import PREFIX
from tests.cluster.site import COMPOSE, ROOT

FOLDER = ROOT / "docs" / "kubernetes"
READER = YAML(typ="safe", pure=True)
MANIFESTS = {path.name: list(READER.load_all(path.read_text())) for path in sorted(FOLDER.glob("*.yaml"))}
KUSTOMIZATION = MANIFESTS.pop("kustomization.yaml")[0]
OBJECTS = [document for documents in MANIFESTS.values() for document in documents]
PODS = {one["metadata"]["name"]: one["spec"]["template"]["spec"] for one in OBJECTS if "template" in one["spec"]}
UNIT = ROOT / "docs" / "systemd" / "rankward.service"


@pytest.mark.parametrize("manifest", OBJECTS, ids=lambda one: f"{one['kind']} {one['metadata']['name']}")
def test_manifests_are_as_kubernetes_has_them(manifest):
    kubernetes_validate.validate(manifest, kubernetes_validate.latest_version(), strict=True)


def test_a_wrong_manifest_is_noticed():
    wrong = {**OBJECTS[0], "spec": {**OBJECTS[0]["spec"], "replica": 2}}
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(wrong, kubernetes_validate.latest_version(), strict=True)


def test_the_kustomization_names_every_manifest():
    assert sorted(KUSTOMIZATION["resources"]) == sorted(MANIFESTS)
    images = {pod["containers"][0]["image"] for pod in PODS.values()}
    assert {f"{image['name']}:{image['newTag']}" for image in KUSTOMIZATION["images"]} == images


def test_pods_run_the_commands_of_the_compose_file():
    """But for the certificates, which are made beforehand, and what has an object of its own there."""
    services = set(COMPOSE["services"]) - {"postgres", "proxy", "certificates"}
    assert {name.removeprefix("rankward-") for name in PODS} == services
    commands = typer.main.get_command(app).commands
    for name, pod in PODS.items():
        (container,) = pod["containers"]
        command, *arguments = container["args"]
        assert command == COMPOSE["services"][name.removeprefix("rankward-")]["command"][0]
        commands[command].make_context(command, list(arguments), resilient_parsing=True)


@pytest.mark.parametrize("name", PODS)
def test_pods_are_confined(name):
    pod, (container,) = PODS[name], PODS[name]["containers"]
    assert pod["securityContext"]["runAsNonRoot"]
    assert pod["securityContext"]["runAsUser"] == 10001
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert not pod["automountServiceAccountToken"]
    assert {"requests", "limits"} <= set(container["resources"])
    mounted = {mount["name"]: mount["mountPath"] for mount in container["volumeMounts"]}
    assert {volume["name"] for volume in pod["volumes"]} == set(mounted)
    assert {"/data", "/tmp"} <= set(mounted.values())
    known = {f"{PREFIX}{field.upper()}" for field in Settings.model_fields}
    for variable in container.get("env", ()):
        assert variable["name"].removesuffix("_FILE") in known or variable["name"] in known
        if variable["value"].startswith(("/secrets", "/certificates")):
            assert variable["value"].rpartition("/")[0] in mounted.values()


def test_gpu_workers_are_put_where_gpus_are():
    pod = PODS["rankward-gpu-worker"]
    assert pod["nodeSelector"] == {"nvidia.com/gpu.present": "true"}
    assert pod["containers"][0]["resources"]["limits"]["nvidia.com/gpu"] == "1"


def test_services_and_policies_name_pods_that_there_are():
    labels = {one["spec"]["template"]["metadata"]["labels"]["app"] for one in OBJECTS if "template" in one["spec"]}
    said = set(re.findall(r"rankward-[a-z-]+", str([one for one in OBJECTS if "template" not in one["spec"]])))
    assert said - {"rankward-cluster"} <= labels
    reached = {name.split(":")[0] for name in re.findall(r"tls://(rankward[\w:-]+)", str(OBJECTS))}
    assert reached == {"rankward-scheduler"}


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd is not installed")
def test_the_unit_is_as_systemd_has_it(tmp_path: Path):
    program = tmp_path / "rankward"
    program.symlink_to(sys.executable)
    unit = tmp_path / "rankward.service"
    unit.write_text(UNIT.read_text().replace("/opt/rankward/bin/rankward", str(program)))
    said = subprocess.run(["systemd-analyze", "verify", unit], capture_output=True, text=True, check=False)
    assert (said.returncode, said.stderr) == (0, "")
    unit.write_text(unit.read_text().replace("KillMode=mixed", "KillMode=some"))
    assert (
        "kill mode"
        in subprocess.run(["systemd-analyze", "verify", unit], capture_output=True, text=True, check=False).stderr
    )


def test_the_unit_starts_a_command_of_ours():
    (started,) = re.findall(r"^ExecStart=/opt/rankward/bin/rankward (\S+)$", UNIT.read_text(), re.MULTILINE)
    assert started in typer.main.get_command(app).commands
    limit = int(re.search(r"TimeoutStopSec=(\d+)", UNIT.read_text())[1])
    assert limit > 40, "what docs/operations.md says of the time to stop"
