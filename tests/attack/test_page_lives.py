"""Random hospitals on the page; ``make lives`` plays LIVES of them from SEED on and prints a line for each."""

from __future__ import annotations

import os
from dataclasses import asdict
from random import Random

import pytest
from attack.page_life import PageLife
from attack.stage import LONG

LIVES = int(os.environ.get("LIVES", "10" if LONG else "3"))
SEED = int(os.environ.get("SEED", "1"))
STEPS = 40 if LONG or "LIVES" in os.environ else 12


@pytest.mark.parametrize("seed", range(SEED, SEED + LIVES))
def test_no_page_gives_a_doctor_another_doctors_picture(open_pages, seed, record_property):
    story = PageLife(open_pages, Random(f"page {seed}"))
    story.counts.seed = seed
    story.live(STEPS)
    record_property("life", asdict(story.counts))
    story.assert_clean()
