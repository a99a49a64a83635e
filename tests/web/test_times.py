"""Times and time spans: in UTC, which is said, wherever the server, the database and the reader are."""

import json
import re
import time
from datetime import UTC, datetime, timedelta, timezone

import pytest
import sqlalchemy as sa

from service.cli.keys import list_all
from service.store.tables import runs
from service.use_cases.keys import create_key, list_keys
from service.web.formats import duration, moment
from tests.helpers.databases import BOTH_DATABASES
from tests.helpers.html import parsed
from tests.web.posts import FOUR, posted

TOKYO = timezone(timedelta(hours=9))
UTC_TIME = re.compile(r"\d{1,2} \w{3} \d{4}, \d\d:\d\d UTC")


def test_a_time_says_its_zone_without_scripts_and_its_seconds_in_the_tooltip():
    text = str(moment(datetime(2026, 2, 1, 8, 30, 59, 999, tzinfo=TOKYO)))
    assert text == (
        '<time datetime="2026-01-31T23:30:59Z" title="2026-01-31 23:30:59 UTC">31 Jan 2026, 23:30 UTC</time>'
    )


@BOTH_DATABASES
def test_every_time_on_a_page_is_in_utc_wherever_the_service_is(api, finish, monkeypatch):
    monkeypatch.setenv("PGTZ", "Asia/Tokyo")  # read by connections to PostgreSQL
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    time.tzset()
    try:
        before = datetime.now(UTC).replace(microsecond=0)
        finished = finish(FOUR)
        run = api.get("/v1/runs").json()["items"][0]
        pages = ["/", f"/experiments/{finished['id']}", f"/runs/{run['id']}", "/compare"]
        found = [one for path in pages for one in parsed(api.get(path).text).all("time")]
        after = datetime.now(UTC)
    finally:
        monkeypatch.undo()
        time.tzset()
    assert len(found) == 5
    for one in found:
        written = datetime.fromisoformat(one.attributes["datetime"])
        assert before <= written <= after
        assert one.attributes["title"] == f"{written:%Y-%m-%d %H:%M:%S} UTC"
        assert UTC_TIME.fullmatch(one.text)
    assert finished["created_at"].endswith("Z")
    assert run["started_at"].endswith("Z")


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0 ms"),
        (0.0123, "12 ms"),
        (3.14, "3.1 s"),
        (9.96, "10 s"),
        (59.6, "1 min"),
        (61, "1 min 1 s"),
        (3600, "1 h"),
        (3661, "1 h 1 min"),
        (90_000, "1 d 1 h"),
        (86_400 * 12 + 59, "12 d"),
        (-1, "0 ms"),
    ],
)
def test_a_time_span_in_its_largest_units(seconds, text):
    assert str(duration(timedelta(seconds=seconds))).replace("\u202f", " ") == text


def test_how_long_runs_and_experiments_took_and_how_fast_they_went(api, database):
    public_id = posted(api)["id"]
    start = datetime(2026, 1, 31, 12, tzinfo=UTC)
    waiting = parsed(api.get(f"/experiments/{public_id}").text)
    assert "steps/s" not in waiting.all("p", **{"class": "counts"})[0].text
    with database.writing() as connection:
        for index in range(4):
            took = {"status": "succeeded", "outcome": "converged", "step": 1000 * (index + 1), "compute_seconds": 0.5}
            span = {
                "started_at": start + timedelta(seconds=index),
                "finished_at": start + timedelta(seconds=20 + index),
            }
            connection.execute(sa.update(runs).where(runs.c.index == index).values(took | span))
    page = parsed(api.get(f"/experiments/{public_id}").text)
    assert "23 s, 434.8 steps/s" in page.all("p", **{"class": "counts"})[0].text.replace("\u202f", " ")
    heads = [one.text for one in page.all("thead")[0].all("th")]
    rows = [[cell.text for cell in row.content if not isinstance(cell, str)] for row in page.all("tbody")[0].all("tr")]
    assert [row[heads.index("duration")] for row in rows] == ["20\u202fs"] * 4
    assert [row[heads.index("steps/s")] for row in rows] == ["2000", "4000", "6000", "8000"]
    run = api.get("/v1/runs").json()["items"][3]["id"]
    facts = parsed(api.get(f"/runs/{run}").text).all("dl", **{"class": "facts"})[0]
    said = {one.all("dt")[0].text: one.all("dd")[0].text for one in facts.all("div")}
    assert (said["Duration"], said["Steps per second"]) == ("20\u202fs", "8000")


def test_keys_say_the_zone_of_their_times(settings, database, monkeypatch, capsys):
    create_key(database, "a\nb", ["read"], {})
    monkeypatch.setenv("RANKWARD_DATABASE_URL", settings.url)
    monkeypatch.setenv("COLUMNS", "120")
    list_all()
    assert "made (UTC)" in capsys.readouterr().out
    list_all(as_json=True)
    (key,) = json.loads(capsys.readouterr().out)
    assert datetime.fromisoformat(key["created_at"]) == list_keys(database)[0]["created_at"]
    assert key["created_at"].endswith("Z")
