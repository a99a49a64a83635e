"""Pages of the guide that follow from the code: the start, each preset, the HTTP calls. `make docs` builds them all.

A hook of MkDocs: pages are made while it builds, from the README, the presets and the OpenAPI document, so that nothing
is written twice.
"""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page
from ruamel.yaml import YAML
from ruamel.yaml.compat import StringIO

from service.app import create_app
from service.presets import Preset, all_presets, has_pictures, picture_name

ROOT = Path(__file__).parent.parent
PICTURES = ROOT / "service" / "presets" / "pictures"
COSTS = ROOT / "docs" / "preset_costs.md"
OUTSIDE = (
    "CONTRIBUTING",
    "CHANGELOG",
    "LICENSE",
    "docker-compose",
    "benchmarks",
    "examples",
    "service",
    "docs/proxies",
)
"""Beginnings of links of the README that lead to files which are no pages."""


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages and pictures that are made."""
    for name, text in pages().items():
        files.append(File.generated(config, name, content=text))
    for path in PICTURES.iterdir():
        files.append(File.generated(config, f"presets/{path.name}", abs_src_path=str(path)))
    return files


def on_page_markdown(markdown: str, page: Page, **_: Any) -> str:
    """Point at pictures and pages of presets where the guide has them; name files that are no pages without a link."""
    if page.file.src_uri in ("field.md", "gallery.md"):
        markdown = re.sub(r"(?<!\[)`(\w+)`", _linked, markdown)
    markdown = markdown.replace("../service/presets/pictures/", "presets/")
    return re.sub(r"\[([^\]]*)\]\((?:\.\./|proxies/|kubernetes|systemd)[^)]*\)", r"\1", markdown)


def _linked(code: re.Match[str]) -> str:
    return f"[{code[0]}](presets/{code[1]}.md)" if code[1] in all_presets() else code[0]


def on_post_page(output: str, **_: Any) -> str:
    """Name the search for screen readers, and let tables that scroll be reached by the keyboard."""
    output = output.replace(
        'data-md-component="search" role="dialog"', 'data-md-component="search" role="dialog" aria-label="Search"'
    )
    return re.sub(r"<table>.*?</table>", _reachable, output, flags=re.DOTALL)


def _reachable(table: re.Match[str]) -> str:
    marked = table[0].replace("<table>", '<table class="data">')  # scripts wrap tables without a class by themselves
    return f'<div class="wide" tabindex="0" role="region" aria-label="Table">{marked}</div>'


def pages() -> dict[str, str]:
    """Every page that is made, by its file."""
    presets = {f"presets/{name}.md": preset_page(name, preset) for name, preset in all_presets().items()}
    return {"index.md": start(), "reference.md": reference(), "decisions.md": decisions(), **presets}


def start() -> str:
    """The README, whose links lead from the top of the repository."""
    text = re.sub(rf"\[([^\]]*)\]\((?:{'|'.join(OUTSIDE)})[^)]*\)", r"\1", (ROOT / "README.md").read_text())
    return text.replace("](docs/", "](")


def decisions() -> str:
    """A list of the records of decisions."""
    paths = sorted((ROOT / "docs" / "decisions").glob("*.md"))
    lines = (f"- [{path.read_text().splitlines()[0].lstrip('# ')}](decisions/{path.name})" for path in paths)
    return "\n".join(["# Decisions", "", "Why costly choices were made, and what else was tried.", "", *lines]) + "\n"


def preset_page(name: str, preset: Preset) -> str:
    """What a preset shows, how to run it and draw it again, and its spec."""
    parts = [f"# {preset.title}", " ".join(preset.about.split()), f"Source: {preset.source.strip()}"]
    if has_pictures(name):
        themes = ((theme, picture_name(name, theme)) for theme in ("light", "dark"))
        parts.append("\n".join(f"![{preset.title}]({file}#only-{theme})" for theme, file in themes))
    commands = f"rankward run {name} --figure {name}.svg"
    python = (
        "from rankward import Rankward\n\nwith Rankward() as rankward:\n"
        f'    experiment = rankward.wait(rankward.submit(rankward.preset("{name}"))["id"])\n'
        f'    with open("{name}.png", "wb") as file:\n'
        f'        file.write(rankward.figure(experiment["id"], "{preset.figure}"))'
    )
    parts += ["## Run it again", *_cost(name), f"```sh\n{commands}\n```", f"```python\n{python}\n```"]
    return "\n\n".join([*parts, "## Spec", f"```yaml\n{_yaml(preset.experiment)}```"]) + "\n"


def _cost(name: str) -> Iterator[str]:
    """What a preset took when it was measured, where it was."""
    row = re.search(rf"^\| `{name}` \| \S+ \| \S+ \| (.+?) \| .+? \| (.+?) \|", COSTS.read_text(), re.MULTILINE)
    if row is not None and row[1] != "-":
        yield f"It took {row[1]} s with two workers and stored {row[2]} ([what presets cost](../preset_costs.md))."


def _yaml(value: Mapping[str, Any]) -> str:
    out, writer = StringIO(), YAML(typ="safe", pure=True)
    writer.default_flow_style, writer.sort_base_mapping_type_on_output = None, False  # pyright: ignore[reportAttributeAccessIssue]
    writer.width = 100
    writer.dump(value, out)
    return out.getvalue()


def reference() -> str:
    """Every call of the OpenAPI document, by its tag, with its parameters and answers."""
    document = create_app().openapi()
    text = (
        "The document is at `/openapi.json`, and `/docs` lets you try each call. Errors are `application/problem+json`."
    )
    return "\n\n".join(["# HTTP calls", text, *_calls(document)]) + "\n"


def _calls(document: Mapping[str, Any]) -> Iterator[str]:
    for path, methods in document["paths"].items():
        for method, call in methods.items():
            yield f"## `{method.upper()} {path}`"
            yield from (text for text in (call.get("summary"), call.get("description")) if text)
            if parameters := call.get("parameters"):
                rows = (
                    f"| `{one['name']}` | {one['in']} | {_cell(one.get('description', ''))} |" for one in parameters
                )
                yield "\n".join(["| parameter | in | meaning |", "|---|---|---|", *rows])
            answers = (f"| {status} | {_cell(answer['description'])} |" for status, answer in call["responses"].items())
            yield "\n".join(["| status | answer |", "|---|---|", *answers])


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")
