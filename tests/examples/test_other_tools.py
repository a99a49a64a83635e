"""`examples/`, each under the tool that it is for, where that is installed: `pip install '.[examples]'`."""

import json
import re
import shutil
import sys
from importlib.util import find_spec

import pyarrow.parquet as pq
import pytest

from tests.examples.running import ROOT, SMALL, said
from tests.helpers.slurm import Slurm, is_installed

EXAMPLES = ROOT / "examples"
PAGE = (ROOT / "docs" / "other_tools.md").read_text()
EXECUTE = """
import sys, nbclient, nbformat
notebook = nbformat.read(sys.argv[1], 4)
nbclient.NotebookClient(notebook, timeout=120).execute()
nbformat.write(notebook, "executed.ipynb")
"""


def needs(*modules):
    """Skips a test where a tool is not installed."""
    absent = [name for name in modules if find_spec(name) is None]
    return pytest.mark.skipif(bool(absent), reason=f"{', '.join(absent)}: `pip install '.[examples]'` brings it")


def python(script, environment, folder):
    return said([sys.executable, str(EXAMPLES / script)], environment, folder)


def runs_in(folder):
    """The runs whose points are in a Parquet file."""
    return set(pq.read_table(folder)["run_id"].to_pylist())


def test_the_page_names_every_example():
    assert {path.name for path in EXAMPLES.iterdir()} == set(re.findall(r"\(\.\./examples/([^)]+)\)", PAGE))


def test_the_shell_script(environment, tmp_path):
    assert "unobserved_entry" in said(["sh", str(EXAMPLES / "curl.sh")], environment, tmp_path)
    assert pq.read_table(tmp_path / "shell.parquet").num_rows > 0


def test_the_python_script(environment, tmp_path):
    assert "median of the unobserved entry" in python("sweep.py", environment, tmp_path)


def test_duckdb(environment, tmp_path):
    assert "least_effective_rank" in python("duckdb_query.py", environment, tmp_path)


def test_polars(environment, tmp_path):
    assert "log10_loss" in python("polars_query.py", environment, tmp_path)


@needs("joblib")
def test_joblib_computes_once(server, environment, tmp_path):
    first = python("joblib_sweep.py", environment, tmp_path)
    assert len(re.findall(r"^depth [23], seed [012]: effective rank 1\.", first, re.MULTILINE)) == 6
    assert f"```text\n{first}```" in PAGE
    stored = len(list(server.client.experiments("name = 'from joblib'")))
    assert python("joblib_sweep.py", environment, tmp_path) == first
    assert len(list(server.client.experiments("name = 'from joblib'"))) == stored == 6


@needs("optuna")
def test_optuna_comes_near_the_edge_of_stability(environment, tmp_path):
    answer = python("optuna_edge.py", environment, tmp_path)
    found = float(re.findall(r"converges (\S+)", answer)[-1])
    theory = float(re.search(r"theory: (\S+);", answer)[1])
    assert 0.95 * theory < found < theory


def test_the_notebook_as_a_script(environment, tmp_path):
    notebook = json.loads((EXAMPLES / "norms_and_rank.ipynb").read_text())
    code = "\n\n".join("".join(cell["source"]) for cell in notebook["cells"] if cell["cell_type"] == "code")
    assert said([sys.executable, "-c", f"{code}\nrankward.close()"], environment, tmp_path)


@needs("nbclient", "ipykernel")
def test_the_notebook_in_jupyter(environment, tmp_path):
    folders = {name: str(tmp_path / name) for name in ("IPYTHONDIR", "JUPYTER_RUNTIME_DIR", "JUPYTER_DATA_DIR")}
    said([sys.executable, "-c", EXECUTE, str(EXAMPLES / "norms_and_rank.ipynb")], environment | folders, tmp_path)
    executed = json.loads((tmp_path / "executed.ipynb").read_text())
    outputs = [output for cell in executed["cells"] for output in cell.get("outputs", ())]
    assert any("text/html" in output.get("data", {}) for output in outputs)
    assert "{'model.depth': 2}" in "".join("".join(output.get("text", "")) for output in outputs)


def test_the_slurm_script_as_slurm_calls_it(environment, tmp_path):
    """With the variable that sbatch sets for each task."""
    said(["bash", str(EXAMPLES / "slurm.sh")], {**environment, "SLURM_ARRAY_TASK_ID": "1"}, tmp_path)
    assert json.loads((tmp_path / "part-1.json").read_text())["runs"]["succeeded"] == 2
    assert len(runs_in(tmp_path / "part-1.parquet")) == 2


@pytest.mark.skipif(not is_installed(), reason="no Slurm: `apt install slurmctld slurmd slurm-client`, and root")
def test_the_slurm_script_under_slurm(environment, tmp_path):
    (tmp_path / "job").mkdir()
    with Slurm(tmp_path) as slurm:
        slurm.run(["sbatch", "--wait", str(EXAMPLES / "slurm.sh")], environment, tmp_path / "job")
    files = [runs_in(tmp_path / "job" / f"part-{task}.parquet") for task in range(4)]
    assert [len(runs) for runs in files] == [2, 2, 2, 2]
    assert len(set.union(*files)) == 8


@pytest.fixture
def specs(tmp_path):
    """A folder as the Snakefile expects it."""
    (tmp_path / "specs").mkdir()
    (tmp_path / "specs" / "small.yaml").write_text(json.dumps(SMALL))
    return tmp_path


def test_the_rule_of_the_snakefile(environment, specs):
    """Its shell command with the rule's files put in, as Snakemake does it."""
    (specs / "experiments").mkdir()
    (specs / "points").mkdir()
    (shell,) = re.findall(r'shell:\s+"""(.*?)"""', (EXAMPLES / "Snakefile").read_text(), re.DOTALL)
    files = {
        "{input}": "specs/small.yaml",
        "{output.experiment}": "experiments/small.json",
        "{output.points}": "points/small.parquet",
    }
    for name, file in files.items():
        assert name in shell
        shell = shell.replace(name, file)
    said(["bash", "-euo", "pipefail", "-c", shell], environment, specs)
    assert runs_in(specs / "points" / "small.parquet")


@needs("snakemake")
def test_snakemake_computes_what_is_missing(environment, specs):
    command = [sys.executable, "-m", "snakemake", "--snakefile", str(EXAMPLES / "Snakefile"), "--cores", "1"]
    environment = environment | {"XDG_CACHE_HOME": str(specs / "cache")}
    said(command, environment, specs)
    points = specs / "points" / "small.parquet"
    first = points.stat().st_mtime_ns
    assert len(runs_in(points)) == 4
    shutil.copy(specs / "specs" / "small.yaml", specs / "specs" / "other.yaml")
    said(command, environment, specs)
    assert points.stat().st_mtime_ns == first
    assert len(runs_in(specs / "points" / "other.parquet")) == 4
