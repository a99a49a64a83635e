"""What is in the wheel and in the source distribution, and what they ask for."""

import re
import tarfile
import tomllib
import zipfile
from email import message_from_bytes

from tests.helpers.distributions import ROOT

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
NOT_INSTALLED = ("service/import_name/",)
HEAVY = {"torch", "fastapi", "pyarrow", "sqlalchemy", "numpy", "warp-lang", "cvxpy", "distributed", "scipy"}


def files_of(wheel):
    return set(zipfile.ZipFile(wheel).namelist())


def sources():
    """Every file of the packages, by its path in a wheel."""
    paths = (path for part in ("service", "workers", "migrations") for path in (ROOT / part).rglob("*"))
    names = {path.relative_to(ROOT).as_posix() for path in paths if path.is_file() and "__pycache__" not in path.parts}
    client = {name.removeprefix("service/import_name/") for name in names if name.startswith(NOT_INSTALLED)}
    return {name for name in names if not name.startswith(NOT_INSTALLED)} | client


def metadata(wheel):
    with zipfile.ZipFile(wheel) as archive:
        (name,) = (name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        return message_from_bytes(archive.read(name))


def test_the_wheel_has_every_file_of_the_packages_and_nothing_else(built):
    installed = {name for name in files_of(built.wheel) if ".dist-info/" not in name}
    assert installed == sources()
    for part in ("migrations/versions/0001_first_schema.py", "migrations/script.py.mako", "service/queries/where.lark"):
        assert part in installed
    for folder, ending in (
        ("web/templates", ".html"),
        ("web/static", ".js"),
        ("presets", ".yaml"),
        ("presets/pictures", ".png"),
    ):
        assert any(name.startswith(f"service/{folder}/") and name.endswith(ending) for name in installed)
    assert {f"{package}/py.typed" for package in ("service", "workers", "rankward")} <= installed


def test_the_source_distribution_gives_the_same_wheel(built):
    assert files_of(built.wheel_of_sdist) == files_of(built.wheel)
    with tarfile.open(built.sdist) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    assert {"pyproject.toml", "README.md", "LICENSE", "service/import_name/rankward/__init__.py"} <= names


def test_the_wheel_asks_for_little_and_its_extras_for_the_rest(built):
    asked = metadata(built.wheel).get_all("Requires-Dist")
    always = {re.split(r"[\[<>=;]", one)[0] for one in asked if "extra ==" not in one}
    assert always == {re.split(r"[\[<>=;]", one)[0] for one in PROJECT["dependencies"]}
    assert not always & HEAVY
    of_server = {re.split(r"[\[<>=;]", one)[0] for one in asked if 'extra == "server"' in one}
    assert of_server | {"pyarrow"} >= HEAVY
    assert set(metadata(built.wheel).get_all("Provides-Extra")) == {
        "arrow",
        "mcp",
        "mlflow",
        "examples",
        "server",
        "dev",
    }


def test_the_wheel_has_the_command_and_the_licence(built):
    with zipfile.ZipFile(built.wheel) as archive:
        names = {name.partition(".dist-info/")[2]: name for name in archive.namelist() if ".dist-info/" in name}
        assert "rankward = service.cli:main" in archive.read(names["entry_points.txt"]).decode()
        assert archive.read(names["licenses/LICENSE"]) == (ROOT / "LICENSE").read_bytes()
