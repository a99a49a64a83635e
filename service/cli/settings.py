"""`rankward settings`: every setting and limit, its default and its meaning; the table in docs/operations.md."""

from collections.abc import Iterator
from typing import Any

from pydantic_core import PydanticUndefined
from pydantic_settings import BaseSettings

from service.settings import PREFIX, Limits, Settings


def show_settings() -> None:
    """List all settings and limits as a Markdown table: variable, default, meaning."""
    print("\n".join(settings_table()))


def settings_table() -> Iterator[str]:
    """Lines of the table."""
    yield "| variable | default | meaning |"
    yield "|---|---|---|"
    models: tuple[type[BaseSettings], ...] = (Settings, Limits)
    for model in models:
        for name, field in model.model_fields.items():
            yield f"| `{PREFIX}{name.upper()}` | {_spell(field.default)} | {field.description} |"


def _spell(default: Any) -> str:
    if default in (None, "") or default is PydanticUndefined:
        return "-"
    if isinstance(default, bool):
        return f"`{str(default).lower()}`"
    return f"`{default:g}`" if isinstance(default, float) else f"`{default}`"
