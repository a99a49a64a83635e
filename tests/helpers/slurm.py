"""A Slurm of one node on this machine, as root and for a test alone: nobody is authenticated."""

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

PROGRAMS = ("slurmctld", "slurmd", "sbatch", "sinfo")
PATIENCE_SECONDS = 60
CONFIGURATION = """
ClusterName=test
SlurmctldHost={host}(127.0.0.1)
SlurmUser=root
SlurmdUser=root
AuthType=auth/none
CredType=cred/none
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldPort={controller_port}
SlurmdPort={node_port}
ProctrackType=proctrack/pgid
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SwitchType=switch/none
MpiDefault=none
SlurmdParameters=config_overrides
NodeName={host} NodeAddr=127.0.0.1 CPUs=4 RealMemory=8000 State=UNKNOWN
PartitionName=main Nodes={host} Default=YES State=UP
"""


def is_installed() -> bool:
    """Whether Slurm can be started here."""
    return os.geteuid() == 0 and all(shutil.which(program) for program in PROGRAMS)


class Slurm:
    """A controller and a node with four cores to give away; a context manager that ends both."""

    def __init__(self, folder: Path) -> None:
        self._configuration = folder / "slurm.conf"
        for name in ("state", "spool"):
            (folder / name).mkdir()
        ports = {"controller_port": _free_port(), "node_port": _free_port()}
        host = socket.gethostname().partition(".")[0]
        self._configuration.write_text(CONFIGURATION.format(host=host, folder=folder, **ports))
        self._log = (folder / "slurm.log").open("w")

    def __enter__(self) -> "Slurm":
        self._daemons = [self._started("slurmctld"), self._started("slurmd")]
        try:
            self._wait_for_a_node()
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._end()

    def _wait_for_a_node(self) -> None:
        until = time.monotonic() + PATIENCE_SECONDS
        while "idle" not in self._asked(["sinfo"], os.environ, Path.cwd()).stdout:
            assert time.monotonic() < until, f"no node is idle: {Path(self._log.name).read_text()}"
            time.sleep(0.2)

    def _end(self) -> None:
        for daemon in reversed(self._daemons):
            daemon.terminate()
            daemon.wait(30)
        self._log.close()

    def run(self, command: Sequence[str], environment: Mapping[str, str], folder: Path) -> str:
        """What a command of Slurm says, which must succeed."""
        done = self._asked(command, environment, folder)
        said = "".join(path.read_text() for path in folder.glob("slurm-*.out"))
        assert done.returncode == 0, f"{done.stderr}\n{said}"
        return done.stdout

    def _asked(
        self, command: Sequence[str], environment: Mapping[str, str], folder: Path
    ) -> subprocess.CompletedProcess[str]:
        variables = {**environment, "SLURM_CONF": str(self._configuration)}
        return subprocess.run(
            command, env=variables, cwd=folder, capture_output=True, text=True, timeout=120, check=False
        )

    def _started(self, program: str) -> subprocess.Popen[bytes]:
        command = [program, "-D", "-f", str(self._configuration)]
        return subprocess.Popen(command, stdout=self._log, stderr=subprocess.STDOUT)


def _free_port() -> int:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        return listening.getsockname()[1]
