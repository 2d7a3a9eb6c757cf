"""No message uses a retired word: the same word for the same thing, in both languages."""

import re

from catalogue_support import PAIRS

# word -> what messages say instead
RETIRED_ENGLISH = {
    r"nobody|somebody|whoever|everybody": "the person or role, or nothing",
    r"tells?|told|says?|said": "show, contain, report; or quote the text",
    r"nights?|tonight": "run",
    r"settled?|settling": "resolve",
    r"verdicts?": "result",
    r"mend|put right|once that is": "correct, after fixing this",
    r"judged?|judgements?": "review, mark",
    r"desk|past|manner|under way": "plain words",
    r"give up the seal|given up": "abandon",
    r"drawings?|images?": "picture",
    r"a human|humans": "person",
    r", type:": "run:",
}
RETIRED_CHINESE = {
    "[这今明一]晚|当晚|各晚": "本次运行",
    "(?<!原)自动签": "授权签（原自动签）",
    "说不清|读不懂|没有读成|走完|放行": "plain words",
    "印章图像": "图片",
}


def find_retired(text: str, words: dict[str, str]) -> list[str]:
    pattern = r"\b(?:{})\b" if words is RETIRED_ENGLISH else "(?:{})"
    plain = re.sub(r"\{\w*\}|`[^`]*`", "", text)
    return [result[0] for word in words for result in re.finditer(pattern.format(word), plain, re.IGNORECASE)]


def test_no_message_uses_a_retired_word():
    findings = {
        key: words
        for key, zh, en in PAIRS
        if (words := find_retired(en, RETIRED_ENGLISH) + find_retired(zh, RETIRED_CHINESE))
    }
    assert findings == {}


def test_a_retired_word_is_found():
    assert find_retired("Nobody tells what stood {night}.", RETIRED_ENGLISH) == ["Nobody", "tells"]
    assert find_retired("这一晚没有自动签，授权签（原自动签）", RETIRED_CHINESE) == ["一晚", "自动签"]
