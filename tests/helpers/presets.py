"""Presets, run over HTTP."""

from typing import Any

from service.client.api import Rankward


def finished(client: Rankward, preset: str, **values: list[Any]) -> list[dict[str, Any]]:
    """The runs of a preset, which must succeed, once they are over; of fields of its sweep those with these values."""
    payload = client.preset(preset)
    for name, some in values.items():
        (number,) = (number for number, axis in enumerate(payload["sweep"]) if name in axis)
        axis = payload["sweep"][number]
        kept = [index for index, value in enumerate(axis[name]) if value in some]
        payload["sweep"][number] = {field: [column[index] for index in kept] for field, column in axis.items()}
    experiment = client.submit(payload)
    assert client.wait(experiment["id"])["status"] == "succeeded"
    return list(client.runs(experiment["id"]))
