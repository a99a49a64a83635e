"""`python -m service.child ROLE`: the processes of `rankward serve`, without what the command line imports."""

import argparse
import sys
from pathlib import Path
from typing import Any

from service.errors import RankwardError, sentences_of
from service.processes.garbage import loading
from service.processes.orphans import end_with_parent
from service.values.visible import visible_lines


def main() -> None:
    """Run a role with the settings of the environment, changed by the options, until a signal or the parent's end.

    A known error ends it with its sentence and exit status 1, as it ends a command of the command line.
    """
    options = vars(_parser().parse_args())
    role, lifeline, listener = (options.pop(name) for name in ("role", "lifeline", "listener"))
    end_with_parent(lifeline)
    try:
        _run_api(options, listener) if role == "api" else _run_dispatcher(options)
    except (RankwardError, OSError) as error:
        title, detail = sentences_of(error)
        sys.exit(f"{title}. {visible_lines(detail)}")


def _run_api(options: dict[str, Any], listener: int | None) -> None:
    with loading():
        from service.api_process import run_api
        from service.settings import Settings

    run_api(Settings(**options), listener)


def _run_dispatcher(options: dict[str, Any]) -> None:
    with loading():
        from service.dispatch.process import run_dispatcher
        from service.settings import Settings

    run_dispatcher(Settings(**options))


def _parser() -> argparse.ArgumentParser:
    """Names of options are those of settings, but for the descriptors."""
    parser = argparse.ArgumentParser(argument_default=argparse.SUPPRESS)
    parser.add_argument("role", choices=("api", "dispatcher"))
    parser.add_argument("--lifeline", type=int, required=True, help="Reading end of the parent's pipe.")
    parser.add_argument("--listener", type=int, default=None, help="Bound socket of the API.")
    parser.add_argument("--data-dir", type=Path)
    parser.add_argument("--host")
    parser.add_argument("--workers", type=int)
    parser.add_argument("--dispatcher-name")
    return parser


if __name__ == "__main__":
    main()
