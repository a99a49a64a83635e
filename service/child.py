"""`python -m service.child ROLE`: the processes of `rankward serve`, without what the command line imports."""

import argparse
from pathlib import Path

from service.processes.garbage import loading
from service.processes.orphans import end_with_parent


def main() -> None:
    """Run a role with the settings of the environment, changed by the options, until a signal or the parent's end."""
    options = vars(_parser().parse_args())
    role, lifeline, listener = (options.pop(name) for name in ("role", "lifeline", "listener"))
    end_with_parent(lifeline)
    if role == "api":
        with loading():
            from service.api_process import run_api
            from service.settings import Settings

        run_api(Settings(**options), listener)
    else:
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
