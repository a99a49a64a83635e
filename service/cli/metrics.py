"""`rankward metrics`: every metric, its type, which runs have it and its definition; the table in docs/metrics.md."""

from collections.abc import Iterator

from workers.runs.metrics import CATALOGUE


def show_metrics() -> None:
    """List all metrics as a Markdown table: name, type, which runs have it, definition."""
    print("\n".join(metrics_table()))


def metrics_table() -> Iterator[str]:
    """Lines of the table."""
    yield "| metric | type | of | runs | definition |"
    yield "|---|---|---|---|---|"
    for metric in CATALOGUE:
        of = "points" if metric.of_points else "summary"
        runs = f"{metric.runs}, on request" if metric.on_request else metric.runs
        definition = metric.source.replace("|", "\\|")
        yield f"| `{metric.name}` | {metric.type} | {of} | {runs} | {definition} |"
