"""The client and the command line where nothing of the server is installed."""

import re
import subprocess
import sys
from importlib.metadata import packages_distributions

import pytest

from service.values import extras
from service.values.extras import NotInstalled, check_installed
from tests.helpers.specs import BASIC
from tests.packages.test_contents import PROJECT

NEEDED_ANYWAY = {"pydantic"}  # by typer, which imports it when it is asked to
WITHOUT = """
import sys
class Away:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {away}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)
sys.meta_path.insert(0, Away())
"""


def modules_of_the_server():
    """Modules of the packages that `rankward[server]` brings beside what the client needs."""
    named = {re.split(r"[\[<>=;]", one)[0] for one in PROJECT["optional-dependencies"]["server"]} | {"pyarrow"}
    named -= NEEDED_ANYWAY | {"rankward"}
    wanted = {name.lower().replace("_", "-") for name in named}
    return {
        module
        for module, owners in packages_distributions().items()
        if any(owner.lower().replace("_", "-") in wanted for owner in owners)
    }


def without_the_server(code):
    program = WITHOUT.format(away=modules_of_the_server()) + code
    return subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)


@pytest.mark.processes
def test_the_client_and_every_command_are_imported_without_the_server():
    assert {"torch", "numpy", "sqlalchemy", "fastapi", "pyarrow", "structlog"} <= modules_of_the_server()
    done = without_the_server("from rankward import Rankward; import service.cli.main; print('torch' in sys.modules)")
    assert (done.returncode, done.stdout) == (0, "False\n"), done.stderr


@pytest.mark.processes
def test_tables_of_runs_are_printed_without_the_server():
    """What labels leave out has columns of its own."""
    specs = [BASIC | {"init": BASIC["init"] | {"std": std}} for std in (0.1, 0.2)]
    runs = [
        {"id": f"run-{at}", "experiment_id": "e", "spec": spec, "step": 3, "summary": {"loss": 0.5}, "outcome": None}
        | {"status": "running", "error": None}
        for at, spec in enumerate(specs)
    ]
    done = without_the_server(f"from service.cli.show import print_runs; print_runs({runs!r})")
    assert done.returncode == 0, done.stderr
    assert "gaussian" in done.stdout
    assert "0.1" in done.stdout
    assert "0.2" in done.stdout


def test_what_is_missing_is_said_in_a_sentence(monkeypatch):
    asked = [
        "rich>=15",
        "rankward[arrow]; extra == 'server'",
        'torch>=2; extra == "server"',
        'pyarrow; extra == "arrow"',
    ]
    monkeypatch.setattr(extras, "requires", lambda _: asked)
    monkeypatch.setattr(extras, "_is_there", lambda package: package != "torch")
    check_installed("arrow", "A table")
    with pytest.raises(NotInstalled, match=r"^This command needs torch: run `pip install 'rankward\[server\]'`\.$"):
        check_installed("server", "This command")
    monkeypatch.setattr(extras, "_is_there", lambda package: False)
    with pytest.raises(NotInstalled, match=r"needs pyarrow, torch: "):
        check_installed("server", "This command")
