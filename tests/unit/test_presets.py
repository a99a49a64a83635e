"""Presets: each says where it comes from and shows what came out."""

import re

import pytest

from benchmarks.gallery import PAGE, PICTURES, page
from service.figures.kinds import KINDS
from service.presets import THEMES, all_presets, picture_name

PRESETS = all_presets()
TAKES_HOURS = {"tensor_order_4_rank_1", "tensor_order_4_rank_3"}


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_has_a_source_and_a_figure(name):
    assert PRESETS[name].source.strip()
    assert PRESETS[name].figure in KINDS


@pytest.mark.parametrize("name", sorted(set(PRESETS) - TAKES_HOURS))
def test_a_preset_has_a_picture_in_each_theme(name):
    for theme in THEMES:
        assert (PICTURES / picture_name(name, theme)).read_bytes().startswith(b"\x89PNG")


def test_no_picture_is_of_a_preset_that_is_gone():
    assert {path.name.partition(".")[0] for path in PICTURES.iterdir()} <= set(PRESETS)


def test_the_works_name_presets_that_there_are():
    rows = [line for line in (PAGE.parent / "field.md").read_text().splitlines() if line.count("|") >= 6]
    named = {name for row in rows for name in re.findall(r"`(\w+)`", row.split("|")[2])}
    assert len(named) >= 27
    assert named <= set(PRESETS)


def test_the_gallery_is_that_of_the_presets():
    assert PAGE.read_text() == page()
