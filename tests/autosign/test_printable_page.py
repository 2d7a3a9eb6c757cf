"""The page of QR codes as it is printed: A4 by Chromium, read back by a decoder."""

import re
import subprocess

import pytest
import zxingcpp
from desktop import find_program
from PIL import Image

from pipeline.autosign.printable_page import write_printable_page
from pipeline.reports.link_list import ListedLink
from pipeline.reports.presenter import Presenter

pytestmark = pytest.mark.browser

UNTIL = 1_798_000_000.0
LONG = (
    "https://res.ess.tencent.invalid/cdn/h5-activity/jump-mp.html?to=AUTO_SIGN_MODIFY&channel=autoSign&identityChange=0"
    "&organizationId=yD0123456789abcdefghijklmnopqrst&sceneKey=E_PRESCRIPTION_AUTO_SIGN&confToken=yD9876543210abcdefghijkl"
)
DOCTORS = (
    ("张伟", "心血管内科"),
    ("欧阳娜娜", "急诊医学科（含院前急救与胸痛中心）"),
    ("买买提·阿不都热依木·艾合买提江", "重症医学科"),
    ("李静", None),
    ("王<b>&芳", "中医骨伤科"),
    ("迪丽热巴·迪力木拉提", "儿科"),
    ("赵六", "口腔科"),
)


@pytest.fixture
def links():
    return [
        ListedLink(
            name=name,
            department=department,
            kind="seal_link" if number % 2 else "enable_link",
            url=LONG if number == 2 else f"https://essurl.invalid/Ab{number}dEfGh9Zz",
            until=UNTIL,
            seal_name=f"{name}处方章",
            by_sms=False,
        )
        for number, (name, department) in enumerate(DOCTORS)
    ]


def print_page(page, folder):
    """Print a page as a person does; return its sheets as pictures, 150 dots an inch, and its text."""
    pdf = folder / "printed.pdf"
    subprocess.run(
        [find_program("chromium"), "--headless", "--no-sandbox", "--disable-gpu", "--no-pdf-header-footer",
         f"--user-data-dir={folder / 'browser'}", f"--print-to-pdf={pdf}", page.as_uri()],
        check=True, capture_output=True, timeout=120,
    )  # fmt: skip
    subprocess.run(
        [find_program("pdftoppm"), "-r", "150", "-png", str(pdf), str(folder / "sheet")], check=True
    )
    words = [find_program("pdftotext"), "-layout", str(pdf), "-"]
    text = subprocess.run(words, check=True, capture_output=True, text=True)
    return [Image.open(path) for path in sorted(folder.glob("sheet-*.png"))], text.stdout


def test_the_printed_page_is_a4_with_six_codes_a_sheet_that_a_decoder_reads(tmp_path, links):
    page = write_printable_page(tmp_path / "links.html", links, Presenter("zh"))
    sheets, text = print_page(page, tmp_path)
    assert len(sheets) == 2
    for sheet in sheets:  # 210 x 297 mm at 150 dots an inch
        assert abs(sheet.width - 1240) <= 2
        assert abs(sheet.height - 1754) <= 2
    read = [list(zxingcpp.read_barcodes(sheet)) for sheet in sheets]
    assert [sorted(code.text for code in codes) for codes in read] == [
        sorted(link.url for link in links[:6]),
        [links[6].url],
    ]
    # each code stands under its own doctor: three rows of two, in the order of the list
    by_place = sorted(read[0], key=lambda code: (code.position.top_left.y // 580, code.position.top_left.x))
    assert [code.text for code in by_place] == [link.url for link in links[:6]]
    assert all(code.position.top_right.x - code.position.top_left.x > 150 for code in by_place), (
        "an inch or more"
    )
    compact = re.sub(r"\s", "", text)
    for link in links:
        assert link.name in compact
        assert (link.department or "") in compact
    assert not re.search(r"\d{4}(?![-\d])", text), "the date is the only long number"


def test_a_long_name_in_english_leaves_every_code_readable(tmp_path, links):
    page = write_printable_page(tmp_path / "links.html", links, Presenter("en"))
    assert page.stat().st_mode & 0o777 == 0o600
    sheets, text = print_page(page, tmp_path)
    assert sum(len(zxingcpp.read_barcodes(sheet)) for sheet in sheets) == len(links)
    assert "Sheet 2 of 2" in text
