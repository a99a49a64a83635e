"""`rankward settings`: every setting and limit, its default and its meaning; the table in docs/operations.md."""

from collections.abc import Iterator
from typing import Any

from service.values.variables import PREFIX


def show_settings() -> None:
    """List all settings and limits as a Markdown table: variable, default, meaning."""
    print("\n".join(settings_table()))


def settings_table() -> Iterator[str]:
    """Lines of the table."""
    from service.settings import Limits, Settings

    yield "| variable | default | meaning |"
    yield "|---|---|---|"
    for model in (Settings, Limits):
        for name, field in model.model_fields.items():
            yield f"| `{PREFIX}{name.upper()}` | {_spell(field.default)} | {field.description} |"


def _spell(default: Any) -> str:
    if default in (None, ""):
        return "-"
    if isinstance(default, bool):
        return f"`{str(default).lower()}`"
    return f"`{default:g}`" if isinstance(default, float) else f"`{default}`"
