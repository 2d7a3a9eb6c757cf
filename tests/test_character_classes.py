"""Patterns and tables in a quick form take the same characters as in the plain one."""

import re
import sys
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.intake.readers.xlsx import copying
from pipeline.reports import styles

EVERY_CHARACTER = "".join(map(chr, range(sys.maxunicode + 1)))
XML = st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs"), include_characters="\t\n"))


@pytest.mark.parametrize(
    ("quick", "plain"),
    [
        (styles._UNREADABLE, "[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]"),
    ],
    ids=["unreadable"],
)
def test_a_quick_class_takes_what_the_plain_one_takes(quick, plain):
    """`re` visits every character of a range, so a class of few characters is compiled sooner."""
    taken = quick.findall(EVERY_CHARACTER)
    assert taken == re.findall(plain, EVERY_CHARACTER)
    assert len(taken) > 1


@given(XML, XML)
@settings(max_examples=30)
def test_a_written_formula_reads_as_it_was(attribute, text):
    element = f'<f a="{attribute.translate(copying._IN_ATTRIBUTES)}">{text.translate(copying._IN_TEXT)}</f>'
    parsed = ET.fromstring(element)
    assert (parsed.get("a"), parsed.text or "") == (attribute, text)
