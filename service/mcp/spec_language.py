"""The language of experiments, part by part, read off the service's OpenAPI document."""

import re
from collections.abc import Iterator, Mapping, Sequence
from difflib import get_close_matches
from typing import Any

from service.errors import RankwardError

Schema = Mapping[str, Any]
RUN, EXPERIMENT = "RunSpec", "ExperimentRequest"
_REFERENCE = re.compile(r"#/components/schemas/(.+)")


class UnknownPart(RankwardError):
    """The spec has no such part"""


def describe(document: Schema, part: str | None = None) -> dict[str, Any]:
    """An outline of an experiment and of a run, or the schema of one part with all that it refers to.

    Args:
        document: the OpenAPI document.
        part: a field of a run, a kind, or `experiment`; `optimizer.adam` tells kinds of the same name apart.

    Raises:
        UnknownPart: there is none of this name; says which are like it.
    """
    schemas: dict[str, Any] = document["components"]["schemas"]
    if part is None:
        return {
            "experiment": {name: _brief(schemas, field) for name, field in schemas[EXPERIMENT]["properties"].items()},
            "run": {name: _brief(schemas, field) for name, field in schemas[RUN]["properties"].items()},
            "required_in_a_run": schemas[RUN]["required"],
        }
    if part == "experiment":
        return {"schema": schemas[EXPERIMENT]}  # what it refers to is the outline
    fields, kinds = schemas[RUN]["properties"], _kinds(schemas)
    field, _, kind = part.partition(".")
    if field in fields and not kind:
        return _field(schemas, field, fields[field])
    of_field = set(_names(fields.get(field, {})))
    wanted = [name for name in kinds.get(kind or field, ()) if not kind or name in of_field]
    if not wanted:
        raise UnknownPart(_unknown(part, [*fields, *kinds, "experiment"]))
    return {"schemas": [schemas[name] for name in wanted], "definitions": _reached(schemas, wanted)}


def _field(schemas: Schema, name: str, field: Schema) -> dict[str, Any]:
    """Of a field with kinds, what each is for; of another one, its schema."""
    brief = _brief(schemas, field)
    if "kinds" in brief:
        return {**brief, "more": f"Ask for a kind, e.g. {name}.{next(iter(brief['kinds']))}, for its fields."}
    direct = list(_names(field))
    definitions = {referred: schemas[referred] for referred in direct} | _reached(schemas, direct)
    return {"schema": field, "definitions": definitions}


def _brief(schemas: Schema, field: Schema) -> dict[str, Any]:
    """A field in a few words: its kinds with a sentence each, or what it is."""
    direct = list(_names(field))
    kinds = {kind: _sentence(schemas[name]) for name in direct if (kind := _kind(schemas[name]))}
    if kinds:
        return {"kinds": kinds}
    about = field.get("description") or " ".join(_sentence(schemas[name]) for name in direct)
    said = {key: field[key] for key in ("type", "enum", "default", "anyOf") if key in field and not direct}
    return {**said, **({"about": about} if about else {})}


def _kinds(schemas: Schema) -> dict[str, list[str]]:
    """Names of schemas by the kind that they are of."""
    kinds: dict[str, list[str]] = {}
    for name, schema in schemas.items():
        if kind := _kind(schema):
            kinds.setdefault(kind, []).append(name)
    return kinds


def _kind(schema: Schema) -> str | None:
    return schema.get("properties", {}).get("kind", {}).get("const")


def _names(schema: Any) -> Iterator[str]:
    """Names of the schemas that a schema refers to, in its order, each once."""
    yield from dict.fromkeys(_references(schema))


def _references(schema: Any) -> Iterator[str]:
    if isinstance(schema, Mapping):
        for key, value in schema.items():
            if key == "$ref" and (named := _REFERENCE.fullmatch(str(value))):
                yield named[1]
            elif key != "discriminator":
                yield from _references(value)
    elif isinstance(schema, list):
        for value in schema:
            yield from _references(value)


def _reached(schemas: Schema, names: Sequence[str]) -> dict[str, Any]:
    """All schemas that some refer to, however far, without themselves."""
    reached: dict[str, Any] = {}
    waiting = list(names)
    while waiting:
        for name in _names(schemas[waiting.pop()]):
            if name not in reached and name not in names:
                reached[name] = schemas[name]
                waiting.append(name)
    return reached


def _sentence(schema: Schema) -> str:
    """The first paragraph of a schema's description, on one line."""
    return " ".join(schema.get("description", "").partition("\n\n")[0].split())


def _unknown(part: str, known: list[str]) -> str:
    close = get_close_matches(part.rpartition(".")[2], known, n=1)
    guess = f" Did you mean {close[0]!r}?" if close else ""
    return f"There is no part {part!r} in a spec.{guess} Parts and kinds are: {', '.join(sorted(set(known)))}."
