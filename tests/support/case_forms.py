"""The forms of the waiting decisions, filled in and sent as a browser does."""

import html
import re

FORM = re.compile(r'<form method="post" action="/cases/decide".*?</form>', re.DOTALL)


def list_cases(text):
    """Return the text of each case by the doctor's name."""
    parts = text.split('<section class="card case">')[1:]
    return {html.unescape(re.search(r"<h2>(.*?) <span", part)[1]): part for part in parts}


def read_fields(form):
    """Return the hidden fields of a form but for its token, which a client adds."""
    return {
        name: html.unescape(value)
        for name, value in re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)">', form)
        if name != "change_token"
    }


def read_forms(text):
    """Return the hidden fields of each form by the kind of its decision."""
    forms = [read_fields(form) for form in FORM.findall(text)]
    return {fields["kind"]: fields for fields in forms}


def fill_in(inside, who, kind, **values):
    """Return a form of a doctor's case as it is shown now, filled in; of a kind that has no form: that of another one."""
    forms = read_forms(list_cases(inside.get("/cases/list").text)[who])
    fields = forms.get(kind) or next(iter(forms.values()))
    return {**fields, "kind": kind, **values}


def decide(inside, who, kind, *, confirmed=True, **values):
    """Send a form, and confirm it where it is asked again; return the last answer."""
    answer = inside.post("/cases/decide", fill_in(inside, who, kind, **values))
    again = FORM.search(answer.text)
    if again is not None and confirmed:
        answer = inside.post("/cases/decide", read_fields(again[0]))
    return answer


def withdraw(inside, key, *, confirmed=True, **values):
    """Send the form of a doctor's history that withdraws the last decision, and confirm it where it is asked again."""
    form = read_forms(inside.get(f"/doctors/{key}").text)["withdraw"]
    answer = inside.post("/cases/decide", {**form, **values})
    again = FORM.search(answer.text)
    if again is not None and confirmed:
        answer = inside.post("/cases/decide", read_fields(again[0]))
    return answer


def read_doctor(answer):
    """Return the key of the doctor whose history an answer links."""
    return re.search(r'href="/doctors/([0-9a-f]+)"', answer.text)[1]


def read_answer(answer):
    """Return the sentences of an answer."""
    banner = re.search(r'<div class="banner \w+">(.*?)</div>', answer.text, re.DOTALL)
    return [html.unescape(text) for text in re.findall(r"<p>([^<]*)</p>", banner[1])]
