"""Ids that no database can hold are ids of nothing."""

import pytest

from tests.helpers.databases import BOTH_DATABASES


@BOTH_DATABASES
@pytest.mark.parametrize("path", ["experiments/%00", "runs/a%00b", "runs/%00/trajectory", "experiments/%00/cancel"])
def test_a_nul_character_is_refused_or_not_found(api, path):
    answer = api.post(f"/v1/{path}") if path.endswith("cancel") else api.get(f"/v1/{path}")
    assert answer.status_code in (404, 422)
    assert answer.headers["content-type"] == "application/problem+json"
