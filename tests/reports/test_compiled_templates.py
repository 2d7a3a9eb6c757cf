"""Templates that were compiled earlier give the pages of the templates as they are; a cache that cannot be used costs time alone."""

import sys
from pathlib import Path

import pytest
from jinja2 import Environment

from pipeline.reports.html_pages import TEMPLATES, build_environment

PAGES = sorted(path.name for path in TEMPLATES.glob("*.html"))


def load_code(folder: Path) -> list[object]:
    """Return the code of every page, from a new environment with this cache."""
    environment = build_environment(folder)
    pages = [environment.get_template(name) for name in PAGES]
    return [part.__code__ for page in pages for part in (page.root_render_func, *page.blocks.values())]


@pytest.fixture(autouse=True)
def _keep_compiled(monkeypatch):
    monkeypatch.setattr(sys, "dont_write_bytecode", False)


def test_a_template_is_compiled_once(tmp_path, monkeypatch):
    first = load_code(tmp_path / "cache")
    assert len(list((tmp_path / "cache").iterdir())) == len(PAGES) == 3
    monkeypatch.delattr(Environment, "compile")
    assert load_code(tmp_path / "cache") == first


def test_a_changed_template_is_compiled_again(tmp_path):
    for text in ("old", "new"):
        (tmp_path / "page.html").write_text(text)
        assert build_environment(tmp_path / "cache", tmp_path).get_template("page.html").render() == text


def test_pages_of_other_options_are_not_taken(tmp_path):
    plain = load_code(tmp_path)
    unescaped = build_environment(tmp_path).overlay(autoescape=False)
    assert unescaped.get_template("report.html").root_render_func.__code__ not in plain
    assert load_code(tmp_path) == plain


@pytest.mark.parametrize("length", [0, 3, 20, 60, 2000])
def test_a_damaged_file_is_compiled_again(tmp_path, length):
    plain = load_code(tmp_path)
    for path in tmp_path.iterdir():
        path.write_bytes(path.read_bytes()[:length])
    assert load_code(tmp_path) == plain
    assert min(path.stat().st_size for path in tmp_path.iterdir()) > length


def test_pages_are_written_where_nothing_can_be_kept(tmp_path, monkeypatch):
    plain = load_code(tmp_path / "cache")
    (tmp_path / "file").touch()
    assert load_code(tmp_path / "file") == plain
    assert load_code(tmp_path / "missing" / "cache") == plain
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    assert load_code(tmp_path / "forbidden") == plain
    assert sorted(path.name for path in tmp_path.iterdir()) == ["cache", "file"]
