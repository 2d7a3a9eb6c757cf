"""What the least work is: the bare libraries, and nothing in between. Run as processes: ``python -m bench.baselines NAME``.

Imports stand inside the functions: each process pays for its own alone.
"""

from __future__ import annotations

import socket
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

COLUMNS = 15  # of the workbook


def copy_roster(roster: str, target: str) -> None:
    """Read a roster with calamine and write as many rows × 15 columns with XlsxWriter."""
    import xlsxwriter
    from python_calamine import CalamineWorkbook

    rows = list(CalamineWorkbook.from_path(roster).get_sheet_by_index(0).iter_rows())
    with xlsxwriter.Workbook(target, {"constant_memory": True}) as book:
        sheet = book.add_worksheet()
        for line, cells in enumerate(rows):
            for column in range(COLUMNS):
                sheet.write_string(line, column, cells[column % len(cells)])


def check_hospital(folder: str) -> None:
    """Copy the roster, and decode the pictures with Pillow."""
    from PIL import Image

    copy_roster(f"{folder}/inbox/roster.xlsx", f"{folder}/bare.xlsx")
    for path in sorted((Path(folder) / "seals").iterdir()):
        with Image.open(path) as picture:
            picture.load()


def count_seals(ledger: str) -> None:
    """Ask the ledger how many seals there are."""
    import sqlite3
    from contextlib import closing

    with closing(sqlite3.connect(ledger)) as connection:
        print(connection.execute("SELECT count(*) FROM attempt WHERE state = 'sealed'").fetchone())


def serve_bytes(path: str) -> None:
    """Answer every request with the bytes of a file, by aiohttp alone, until the process is killed."""
    from aiohttp import web

    content = Path(path).read_bytes()

    async def answer(_: web.Request) -> web.Response:
        return web.Response(body=content, content_type="text/html")

    async def announce(_: web.Application) -> None:
        print(f"http://127.0.0.1:{listener.getsockname()[1]}/", flush=True)

    listener = socket.create_server(("127.0.0.1", 0))
    app = web.Application()
    app.router.add_get("/", answer)
    app.on_startup.append(announce)
    web.run_app(app, sock=listener, print=None)


BASELINES: Mapping[str, Callable[..., None]] = {
    "copy": copy_roster,
    "check": check_hospital,
    "count": count_seals,
    "serve": serve_bytes,
}

if __name__ == "__main__":
    BASELINES[sys.argv[1]](*sys.argv[2:])
