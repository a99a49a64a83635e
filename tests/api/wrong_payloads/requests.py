"""Wrong requests around a run: fields at the top, names, tags, sweeps."""

from tests.api.wrong_payloads.payloads import Cases, changed
from tests.helpers.specs import BASIC

CASES: Cases = {
    "unknown field at the top": ({"run": BASIC, "colour": 1}, "/colour", "Unknown field"),
    "no run": ({"name": "x"}, "/run", "required"),
    "negative tolerance": (
        {"run": BASIC, "sweep": [{"model": [{"kind": "nuclear_norm", "tolerance": -1.0}]}]},
        "/sweep/0/model/0/tolerance",
        "greater than or equal to 0",
    ),
    "fused engine for measurements": (
        changed("problem", {"kind": "random_regression", "samples": 3, "dimension": 2, "outputs": 2})
        | {"sweep": [{"engine": ["fused"]}]},
        "/sweep/0/engine/0",
        "measures each of its rows",
    ),
    "too many runs": (
        {"run": BASIC, "sweep": [{"seed": list(range(101))}]},
        "/sweep",
        "RANKWARD_MAX_RUNS_PER_EXPERIMENT",
    ),
    "too many runs by far": (
        {"run": BASIC, "sweep": [{f"p{i}": list(range(100))} for i in range(50)]},
        "/sweep",
        "RANKWARD_MAX_RUNS_PER_EXPERIMENT",
    ),
    "axis of unequal lengths": (
        {"run": BASIC, "sweep": [{"seed": [1, 2], "init.std": [1.0]}]},
        "/sweep/0/init.std",
        "move together",
    ),
    "wrong value in a sweep": (
        {"run": BASIC, "sweep": [{"seed": [1]}, {"init.std": [0.1, -1]}]},
        "/sweep/1/init.std/1",
        "greater than 0",
    ),
    "wrong path in a sweep": ({"run": BASIC, "sweep": [{"model.dept": [1]}]}, "/sweep/0/model.dept/0", "Unknown field"),
    "huge integer in a sweep": (
        {"run": BASIC, "sweep": [{"model.depth": [1, 10**30]}]},
        "/sweep/0/model.depth/1",
        "not exact",
    ),
    "misspelt parent in a sweep": ({"run": BASIC, "sweep": [{"modle.depth": [1]}]}, "/sweep/0/modle.depth", "Unknown"),
    "empty step of a path": ({"run": BASIC, "sweep": [{"a..b": [1]}]}, "/sweep/0/a..b", "Unknown field"),
    "tag without a name": ({"run": BASIC, "tags": {"": "x"}}, "/tags/", "at least 1 character"),
    "sweep that is no list": ({"run": BASIC, "sweep": {"seed": [1]}}, "/sweep", "list"),
    "tag that is no text": ({"run": BASIC, "tags": {"a": 1}}, "/tags/a", "string"),
    "name that is too long": ({"run": BASIC, "name": "x" * 201}, "/name", "200"),
    "NUL in the name": ({"run": BASIC, "name": "a\0b"}, "/name", "\\u0000"),
    "NUL in a tag": ({"run": BASIC, "tags": {"a": "\0"}}, "/tags/a", "\\u0000"),
    "NUL in the name of a tag": ({"run": BASIC, "tags": {"\0": "a"}}, "/tags", "\\u0000"),
    "NUL in the sweep": ({"run": BASIC, "sweep": [{"model.kind": ["\0"]}]}, "/sweep/0/model.kind/0", "\\u0000"),
}
