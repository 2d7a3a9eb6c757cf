"""The form of a SealId: what is one, what is none."""

import pytest

from pipeline.domain.seals import is_seal_id

SENT = ("张伟", "110101199003070732", "H1234567890", "yDtOJUUckpftturtURxNEFKShAukAd2b", "n9527abc", None, 7)


@pytest.mark.parametrize("text", [
    "yDCYIUUckp7t75mxUxAAGY1B8z3p0AIA", "yDCYIUUckp7t75mxUxAAGY1B8z3p0AI=a", "sealid-1", "0f" * 16, "y" * 64,
    "12345678", "a+/=._-b", "nullable1", "8f3a1c02-1398-4765-9432-1a2b3c4d5e6f",
])  # fmt: skip
def test_what_is_a_seal_id(text):
    assert is_seal_id(text, SENT)


@pytest.mark.parametrize("text", [
    "", "sealid1", "y" * 65, "sealid 12", "sealid-1\n", "印章印章印章印章", "ｓｅａｌｉｄ－１", "sealid-①", "sealid#1",
    "undefined", "UNDEFINED", "__null__", "--None--", "00000000", "........", "-0-0-0-0-",
    "110101199003070732", "11010519491231002X", "h1234567890", "15400000002", "YDTOJUUCKPFTTURTURXNEFKSHAUKAD2B", "N9527ABC",
])  # fmt: skip
def test_text_that_is_no_seal_id(text):
    assert not is_seal_id(text, SENT)
