"""A doctor: the search by words, the story, and that nothing typed or recorded is shown whole or runs."""

import re

import pytest
from page_support import PageThread
from people import make_row, name, number

HOSTILE = '<script>document.title="owned"</script>'


@pytest.fixture
def inside(hospital, page):
    hospital.seal_doctors(3)
    return page.enter()


def search(client, words, **headers):
    return client.post("/doctors", {"query": words}, **headers).text


def test_a_name_and_a_staff_number_lead_to_the_story(inside):
    for words in (name(2), "00002", f"{name(2)} 00002"):
        text = search(inside, words)
        assert f"<h2>{name(2)} " in text
        assert "已有印章" in text
        assert re.search(r"TraceId [0-9a-f-]{36}", text)
    assert "A SealId" not in text


def test_numbers_are_masked_also_where_one_was_typed(inside):
    text = search(inside, number(2))
    assert f"<h2>{name(2)} " in text
    assert number(2) not in text
    assert f"{'*' * 14}{number(2)[-4:]}" in text
    assert make_row(2)[2] not in text
    assert number(9) not in search(inside, number(9))


def test_similar_words_are_offered_and_several_doctors_are_listed(hospital, inside):
    text = search(inside, name(2)[:2])
    assert f'name="query" value="{name(2)}"' in text
    hospital.doctors(3)
    hospital.roster([make_row(1), make_row(2), make_row(3), make_row(4, name=name(2))])
    hospital.go("run")
    text = search(inside, name(2))
    assert "2 位医生相符" in text
    first, second = re.findall(r'href="(/doctors/[0-9a-f]+)"', text)
    stories = {re.search(r"<h2>(\S+) ", inside.get(path).text)[1] for path in (first, second)}
    assert stories == {name(2)}
    assert first != second


def test_only_the_part_that_changed_goes_to_htmx(inside):
    text = search(inside, name(1), HX_Request="true")
    assert "<html" not in text
    assert f"<h2>{name(1)} " in text
    assert "<html" in search(inside, name(1))


def test_a_search_stands_in_no_address(inside):
    assert inside.get(f"/doctors?query={number(2)}").text.count(number(2)) == 0
    text = search(inside, name(2))
    assert not re.search(r'(href|action|hx-get|hx-post)="[^"]*' + name(2), text)


def test_a_key_that_is_none_leads_nowhere(inside):
    for key in ("0" * 32, "x", "..", "%2e%2e%2f", "%00", "'%20OR%201=1%20--", "%25", "_"):
        assert inside.get(f"/doctors/{key}").status == 404, key


def test_a_doctor_whose_name_is_a_script_is_a_text(hospital):
    hospital.doctors(2)
    hospital.roster([make_row(1, department=HOSTILE), make_row(2, name=HOSTILE)])
    hospital.go("run")
    with PageThread(hospital.folder / "config.yaml") as page:
        inside = page.enter()
        for words in (name(1), "00002", HOSTILE):
            text = search(inside, words)
            assert "<script>document" not in text
            assert "&lt;script&gt;" in text
        assert page.failures == []


def test_a_doctor_without_a_usable_number_has_a_story_too(hospital, page):
    hospital.doctors(1)
    hospital.roster([make_row(1), make_row(5, number="12")])
    hospital.go("run")
    text = search(page.enter(), name(5), Accept_Language="en")
    assert f"<h2>{name(5)} " in text
    assert "ID_LENGTH" in text


def test_without_a_ledger_it_says_so(page):
    answer = page.enter().post("/doctors", {"query": "x"})
    assert answer.status == 503
    assert "台账" in answer.text
