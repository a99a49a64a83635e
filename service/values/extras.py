"""What an installation has beside the client: extras, as pyproject.toml lists them."""

import re
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, requires, version

from service.errors import RankwardError

_REQUIREMENT = re.compile(r"(?P<name>[A-Za-z0-9._-]+)(?:\[(?P<extras>[^]]*)\])?")
_OF_EXTRA = re.compile(r"""extra\s*==\s*["']([^"']+)["']""")
MOST_NAMED = 3
"""Missing packages that a message names."""


class NotInstalled(RankwardError):
    """Part of Rankward is not installed"""


def check_installed(extra: str, what: str) -> None:
    """Raise NotInstalled unless everything that an extra brings is there.

    Args:
        what: what needs it, as the beginning of a sentence.
    """
    missing = sorted(set(_missing(extra)))
    if missing:
        more = f" and {len(missing) - MOST_NAMED} more" if len(missing) > MOST_NAMED else ""
        raise NotInstalled(
            f"{what} needs {', '.join(missing[:MOST_NAMED])}{more}: run `pip install 'rankward[{extra}]'`."
        )


def _missing(extra: str) -> Iterator[str]:
    """Names of the packages of an extra that are not there; of one for some platforms alone nothing is said."""
    for requirement in requires("rankward") or ():
        needed, _, marker = requirement.partition(";")
        if _OF_EXTRA.findall(marker) != [extra] or "sys_platform" in marker:
            continue
        named = _REQUIREMENT.match(needed.strip())
        assert named is not None
        if named["name"] == "rankward":
            for other in (named["extras"] or "").split(","):
                yield from _missing(other.strip())
        elif not _is_there(named["name"]):
            yield named["name"]


def _is_there(package: str) -> bool:
    try:
        version(package)
    except PackageNotFoundError:
        return False
    return True
