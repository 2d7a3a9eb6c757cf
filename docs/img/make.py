"""Draws the pictures of the READMEs: the workbook's sheets and the pages of a demo night, in both languages.

`make pictures` calls it. It needs LibreOffice, pdftoppm, pdftotext and Chromium; everything shown is invented.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from PIL import Image, ImageChops

HERE = Path(__file__).resolve().parent
HOUSE = HERE.parents[1]
sys.path[:0] = [str(HOUSE), str(HOUSE / "tests" / "support")]

import desktop  # noqa: E402
from desktop import browser, convert, find_program  # noqa: E402

from pipeline.messages.catalogue import render  # noqa: E402

LANGUAGES = ("zh", "en")
SHEETS = ("summary", "all", "fix")
DOTS = 110  # an inch
COLOURS = 255
HEAVIEST = 200_000  # bytes
ENDS_WITH = 3  # the sample holds troubles on purpose
TALLEST = {"summary": 560, "all": 640, "fix": 560}  # pixels


def main() -> None:
    """Draw all of it."""
    os.environ["REQUIRE_DESKTOP"] = "1"
    os.environ["TZ"] = "Asia/Shanghai"
    with tempfile.TemporaryDirectory() as name:
        for language in LANGUAGES:
            folder = Path(name) / language
            folder.mkdir()
            results = demo(folder, language)
            for sheet, picture in sheets(results / "results.xlsx", folder, language):
                save(cropped(picture, TALLEST[sheet]), f"{sheet}.{language}.png")
            for page, picture in pages(results, unreviewed(folder, language), folder):
                save(picture, f"{page}.{language}.png")
            for page, picture in served_pages(folder, language):
                save(picture, f"{page}.{language}.png")


def demo(folder: Path, language: str) -> Path:
    """Run the demo and return the folder of its results."""
    call(folder, language, "demo")
    return folder / "demo" / "out" / "latest"


def unreviewed(folder: Path, language: str) -> Path:
    """Run the demo's roster as if no run had been, and return the folder of its results: no seal is created."""
    (folder / "before").mkdir()
    config = folder / "before" / "config.yaml"
    config.write_text(read_config(folder) + "\nrequire_review: true\n", "utf-8")
    call(folder, language, "--config", str(config), "run", "--yes")
    return folder / "before" / "out" / "latest"


def make_unsent(folder: Path) -> Path:
    """Return the configuration of the demo's roster as if no run had been."""
    config = folder / "unsent" / "config.yaml"
    config.parent.mkdir()
    config.write_text(read_config(folder), "utf-8")
    return config


def read_config(folder: Path) -> str:
    """Return the demo's configuration for a folder beside it."""
    text = (folder / "demo" / "config.yaml").read_text("utf-8")
    for value in ("secrets_dir: ", "seals: ", "roster: ["):
        text = text.replace(f"\n{value}", f"\n{value}../demo/")
    return text


def call(folder: Path, language: str, *words: str) -> None:
    """Type a command in a folder."""
    ended = subprocess.run(  # noqa: S603
        [get_program(), "-q", *words], cwd=folder, env=make_environment(folder, language), check=False
    )
    if ended.returncode != ENDS_WITH:
        raise SystemExit(f"{words} ended with {ended.returncode}")


def get_program() -> str:
    """Return the program as people type it."""
    return str(Path(sys.executable).parent / "esign-import")


def make_environment(folder: Path, language: str) -> dict[str, str]:
    """Return the environment of the program, with a state folder of its own."""
    return {
        **os.environ,
        "PYTHONPATH": str(HOUSE),
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "ESIGN_IMPORT_LANGUAGE": language,
        "XDG_STATE_HOME": str(folder),
    }


def sheets(workbook: Path, folder: Path, language: str) -> Iterator[tuple[str, Image.Image]]:
    """Yield the first printed page of each sheet; the footer of a page names its sheet."""
    desktop.office_profile = folder / "profile"
    pdf = convert(workbook, "pdf", folder)
    named = subprocess.run(  # noqa: S603
        [find_program("pdftotext"), "-layout", str(pdf), "-"], check=True, capture_output=True, text=True
    ).stdout.split("\f")
    for sheet in SHEETS:
        title = render(f"sheet.{sheet}", language)
        number = next(
            index for index, text in enumerate(named, start=1) if re.search(rf"\s{title}\s*$", text.rstrip())
        )
        target = folder / sheet
        pages = ["-f", str(number), "-l", str(number), "-singlefile"]
        subprocess.run(  # noqa: S603
            [find_program("pdftoppm"), "-r", str(DOTS), *pages, "-png", str(pdf), str(target)], check=True
        )
        yield sheet, Image.open(target.with_suffix(".png")).convert("RGB")


def pages(results: Path, before: Path, folder: Path) -> Iterator[tuple[str, Image.Image]]:
    """Yield what Chromium shows: the report on a desk and on a phone at night, the seals before they are created."""
    with browser() as chromium:
        report = results / "report.html"
        yield "report", shot(chromium, report, folder, size=(1180, 1010), act=lambda page: to(page, "#pace"))
        yield "report-phone", shot(chromium, report, folder, size=(390, 780), scheme="dark", scale=1.5)
        yield "review", shot(chromium, before / "review.html", folder, size=(1180, 820))


def served_pages(folder: Path, language: str) -> Iterator[tuple[str, Image.Image]]:
    """Yield pages of `serve`: what is to be done, a cell that is corrected, what would be sent."""
    with browser() as chromium, serve(folder, folder / "demo" / "config.yaml", language) as url:
        context = chromium.new_context(viewport={"width": 1180, "height": 900}, locale=language)
        page = context.new_page()
        page.goto(url)
        page.wait_for_selector("#last-run")
        yield "page-home", take(page, folder)
        page.goto(f"{url.partition('?')[0]}rows?status=to_fix")
        page.wait_for_selector("table.row-table", timeout=60_000)
        page.click("button.row-name")
        page.wait_for_selector("form.cell input[name=text]")
        yield "page-rows", take(page, folder)
        context.close()
    with browser() as chromium, serve(folder, make_unsent(folder), language) as url:
        context = chromium.new_context(viewport={"width": 1180, "height": 900}, locale=language)
        page = context.new_page()
        page.goto(url)
        page.goto(f"{url.partition('?')[0]}send")
        page.click("main form button")  # nothing was checked yet
        page.wait_for_selector("form[action='/send']", timeout=60_000)
        yield "page-send", take(page, folder)
        context.close()


@contextmanager
def serve(folder: Path, config: Path, language: str) -> Iterator[str]:
    """Serve the page of a configuration; yields the address that lets one browser in."""
    words = [get_program(), "--json", "--config", str(config), "serve", "--listen", "127.0.0.1:0"]
    environment = make_environment(folder, language)
    with subprocess.Popen(words, env=environment, stdout=subprocess.PIPE, text=True) as process:  # noqa: S603
        assert process.stdout is not None
        try:
            yield json.loads(process.stdout.readline())["url"]
        finally:
            process.terminate()


def take(page: Any, folder: Path) -> Image.Image:
    """Return what a window shows."""
    target = folder / "shot.png"
    page.screenshot(path=target)
    return Image.open(target).convert("RGB")


def to(page: Any, part: str) -> None:
    """Scroll to an element."""
    page.evaluate("part => window.scrollTo(0, document.querySelector(part).offsetTop - 14)", part)


def shot(
    chromium: Any,
    page: Path,
    folder: Path,
    *,
    size: tuple[int, int],
    act: Callable[[Any], None] | None = None,
    scheme: str = "light",
    scale: float = 1,
) -> Image.Image:
    """Return a window on a page on which somebody has done ``act``."""
    width, height = size
    context = chromium.new_context(
        viewport={"width": width, "height": height}, color_scheme=scheme, device_scale_factor=scale
    )
    window = context.new_page()
    window.goto(page.as_uri())
    if act:
        act(window)
    target = folder / "shot.png"
    window.screenshot(path=target)
    context.close()
    return Image.open(target).convert("RGB")


def cropped(picture: Image.Image, tallest: int) -> Image.Image:
    """Cut the white margin away, and what lies below ``tallest`` pixels."""
    white = Image.new("RGB", picture.size, "white")
    left_edge, top, right, _ = ImageChops.difference(picture, white).getbbox() or (0, 0, *picture.size)
    without_footer = picture.crop((0, 0, picture.width, round(picture.height * 0.94)))
    bottom = (
        ImageChops.difference(without_footer, white.crop((0, 0, *without_footer.size))).getbbox()
        or (0, 0, 0, 0)
    )[3]
    edge = 14
    return picture.crop(
        (
            max(0, left_edge - edge),
            max(0, top - edge),
            min(picture.width, right + edge),
            min(bottom + edge, top + tallest),
        )
    )


def save(picture: Image.Image, name: str) -> None:
    """Save a small PNG."""
    path = HERE / name
    picture.quantize(COLOURS, kmeans=4, dither=Image.Dither.NONE).save(path, optimize=True)
    if path.stat().st_size > HEAVIEST:
        raise SystemExit(f"{name} has {path.stat().st_size} bytes")


if __name__ == "__main__":
    main()
