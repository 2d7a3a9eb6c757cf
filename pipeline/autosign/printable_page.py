"""The page that is printed and handed out: six doctors an A4 sheet, each with a QR code of the link.

It shows name and department, never a number: it is made for a notice board or a ward meeting.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from pathlib import Path

from markupsafe import Markup

from pipeline.errors import UsageError
from pipeline.reports.html_pages import write_page
from pipeline.reports.link_list import ListedLink
from pipeline.reports.presenter import Presenter

DOCTORS_A_SHEET = 6
QUIET_ZONE = 4  # modules of white around a QR code, as its standard asks


def require_qr_codes() -> None:
    """Raise UsageError, with the command that helps, where the extra is not installed."""
    try:
        import segno  # noqa: F401, PLC0415
    except ImportError as error:
        raise UsageError("autosign.no_segno") from error


def write_printable_page(path: Path, links: Sequence[ListedLink], presenter: Presenter) -> Path:
    """Write the page; every link has a QR code."""
    render = presenter.render
    sheets = list(_list_sheets(links, presenter))
    words = {
        "title": render("autosign.page.title"),
        "lead": render("autosign.page.lead", n=len(links), sheets=len(sheets)),
        "print": render("autosign.page.print"),
        "foot": render("autosign.page.foot"),
    }
    return write_page(path, "links.html", presenter.language, {"words": words, "sheets": sheets})


def _list_sheets(links: Sequence[ListedLink], presenter: Presenter) -> Iterator[dict[str, object]]:
    starts = range(0, len(links), DOCTORS_A_SHEET)
    for number, start in enumerate(starts, 1):
        doctors = links[start : start + DOCTORS_A_SHEET]
        yield {
            "number": presenter.render("autosign.page.sheet", n=number, total=len(starts)),
            "doctors": [_describe_doctor(link, presenter) for link in doctors],
        }


def _describe_doctor(link: ListedLink, presenter: Presenter) -> dict[str, object]:
    return {
        "name": link.name,
        "department": link.department or "",
        "code": Markup(draw_qr_code(link.url)),  # noqa: S704 - drawn here, of squares alone
        "until": presenter.render("autosign.page.until", until=link.until_shown),
        "how": presenter.render(f"autosign.page.how_{link.kind}", seal_name=link.seal_name),
    }


def draw_qr_code(text: str) -> str:
    """Return a QR code as an SVG element that scales with its frame."""
    import segno  # noqa: PLC0415 - an extra

    drawn = io.BytesIO()
    code = segno.make_qr(text, error="m")
    code.save(drawn, kind="svg", border=QUIET_ZONE, xmldecl=False, svgns=True, omitsize=True, nl=False)
    return drawn.getvalue().decode()
