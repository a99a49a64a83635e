"""What a page shows, as other programs ask for it: curl, Python and the command line."""

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import quote

from fastapi import Request

from service.routes.access import asks_for_keys
from service.settings import Settings
from service.use_cases.listing import ListQuery
from service.values.visible import visible


@dataclass(frozen=True)
class Commands:
    """The same question in three languages, each as lines to copy."""

    curl: str
    python: str
    shell: str

    def items(self) -> Sequence[tuple[str, str]]:
        """Each with its heading."""
        return (("curl", self.curl), ("Python", self.python), ("Command line", self.shell))


class CommandWriter:
    """Writes commands for the server that a page was asked of, by the address that its reader knows."""

    def __init__(self, request: Request) -> None:
        settings: Settings = request.app.state.settings
        origin = settings.public_origin or f"{request.url.scheme}://{request.url.netloc}"
        self._url = f"{origin}{settings.root_path}"
        self._takes_key = asks_for_keys(request)

    def experiments(self, query: ListQuery, rows: int) -> Commands:
        """A list of experiments."""
        selection = {"where": query.where, "order_by": query.order_by}
        return Commands(
            self._curl("/v1/experiments", **selection, cursor=query.cursor, limit=rows),
            self._python(f"experiments = list(client.experiments({_arguments(**selection)}))"),
            self._rankward("experiments", **selection),
        )

    def experiment(self, query: ListQuery, rows: int) -> Commands:
        """An experiment, and a list of its runs."""
        public_id, selection = query.experiment_id or "", {"where": query.where, "order_by": query.order_by}
        page: dict[str, str | int | None] = {"cursor": query.cursor, "limit": rows}
        runs = self._curl("/v1/runs", None, experiment_id=public_id, **selection, **page)
        return Commands(
            f"{self._curl(f'/v1/experiments/{public_id}')}\n{runs}",
            self._python(
                f"experiment = client.experiment({public_id!r})",
                f"runs = list(client.runs({_arguments(public_id, **selection)}))",
            ),
            self._rankward("runs", experiment=public_id, **selection),
        )

    def run(self, public_id: str) -> Commands:
        """A run and its points."""
        where = f"id = '{public_id}'"
        return Commands(
            f"{self._curl(f'/v1/runs/{public_id}')}\n{self._curl(f'/v1/runs/{public_id}/trajectory')}",
            self._python(f"run = client.run({public_id!r})", f"points = client.trajectory({public_id!r})"),
            f"{self._rankward('runs', where=where)}\n"
            f"{self._rankward('export trajectories', where=where, format='csv', output='trajectory.csv')}",
        )

    def groups(self, public_id: str, metric: str, group_by: str, where: str) -> Commands:
        """How a metric spreads over groups of an experiment's runs."""
        parameters = {"metric": metric, "group_by": group_by, "where": where}
        return Commands(
            self._curl(f"/v1/experiments/{public_id}/summary", **parameters),
            self._python(f"groups = client.summary({_arguments(public_id, **parameters)})"),
            self._rankward(f"summary {public_id}", **parameters),
        )

    def comparison(self, ids: Sequence[str], metric: str) -> Commands:
        """A figure of several experiments, and how a metric spreads over the runs of each."""
        first, others = ids[0], ",".join(ids[1:])
        path = f"/v1/experiments/{first}/figures/compare.png"
        parameters = {"with": others, "metric": metric}
        drawn = f"client.figure({_arguments(first, 'compare', others=others, metric=metric)})"
        spreads = f"spreads = [client.summary(id, {metric!r}) for id in {list(ids)!r}]"
        figure = f"figure {first} compare"
        curl = [self._curl(path, "compare.png", **parameters)] if others else []
        python = [f'Path("compare.png").write_bytes({drawn})'] if others else []
        shell = [self._rankward(figure, **parameters, output="compare.png")] if others else []
        return Commands(
            "\n".join(
                [*curl, *(self._curl(f"/v1/experiments/{public_id}/summary", metric=metric) for public_id in ids)]
            ),
            self._python(*python, spreads, needs="from pathlib import Path\n\n" if others else ""),
            "\n".join([*shell, *(self._rankward(f"summary {public_id}", metric=metric) for public_id in ids)]),
        )

    def _curl(self, path: str, output: str | None = None, **parameters: str | int | None) -> str:
        """One line; what would be hard to read in an address stands beside it."""
        given = {name: str(value) for name, value in parameters.items() if value}
        easy = {name: value for name, value in given.items() if quote(value, safe=",") == value}
        query = "&".join(f"{name}={value}" for name, value in easy.items())
        hard = [f" --data-urlencode {shell_text(f'{name}={given[name]}')}" for name in given if name not in easy]
        key = ' --header "Authorization: Bearer $RANKWARD_API_KEY"' if self._takes_key else ""
        address = shlex.quote(f"{self._url}{path}" + (f"?{query}" if query else ""))
        return f"curl{key}{f' --output {output}' if output else ''}{' --get' if hard else ''} {address}{''.join(hard)}"

    def _python(self, *statements: str, needs: str = "") -> str:
        inner = "\n".join(f"    {statement}" for statement in statements)
        return f"{needs}from rankward import Rankward\n\nwith Rankward({self._url!r}) as client:\n{inner}"

    def _rankward(self, command: str, **options: str | int | None) -> str:
        given = {name: value for name, value in options.items() if value}
        said = "".join(f" --{name.replace('_', '-')}={shell_text(str(value))}" for name, value in given.items())
        return f"rankward {command}{said} --url={shell_text(self._url)}"


def shell_text(text: str) -> str:
    """A text as one word of bash and zsh, with nothing in it that cannot be seen."""
    if visible(text) == text:
        return shlex.quote(text)
    spelled = (letter if visible(letter) == letter else _bytes(letter) for letter in text)
    return f"$'{''.join(_SPECIAL.get(letter, letter) for letter in spelled)}'"


_SPECIAL = {"\\": r"\\", "'": r"\'"}


def _bytes(letter: str) -> str:
    return "".join(f"\\x{byte:02x}" for byte in letter.encode(errors="replace"))


def _arguments(*values: str, **named: str | None) -> str:
    """Arguments of a call in Python; texts that are empty are left out."""
    given = [f"{name}={value!r}" for name, value in named.items() if value]
    return ", ".join([*map(repr, values), *given])
