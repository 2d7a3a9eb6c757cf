"""Count the modules that an identity number passes in a run of two doctors. Usage: python tools/trace_number.py [CHECKOUT].

A module counts if a function of it was called with the number in an argument, directly or inside an object. The first
count ends with the first create call (esign/client.py), the second with the run. The sandbox is left out.
"""

import json
import os
import runpy
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

import openpyxl
from PIL import Image, ImageDraw

CHECKOUT = Path(sys.argv[1] if len(sys.argv) > 1 else Path(__file__).parents[1]).resolve()
sys.path.insert(0, str(CHECKOUT))
NUMBERS = ("110199197506060057", "110199198001010016")  # made up
CREDENTIALS = {  # the built-in sandbox's
    "secret_id": "AKIDsandbox0000000000000000000000001",
    "secret_key": "not-a-secret-only-the-sandbox-knows-it",
}
TENANT = {
    "app_id": "yDsandbox00000000000000000000app",
    "organization_open_id": "org_sandbox_hospital",
    "operator_open_id": "sandbox_operator",
}
DEPTH = 5  # of objects that are looked into
PIPELINE = f"{CHECKOUT}/pipeline/"


def contains_number(value: object, depth: int = DEPTH) -> bool:
    """Return whether a value holds one of the numbers, looking into objects to a bounded depth."""
    if isinstance(value, str):
        return any(number in value for number in NUMBERS)
    if isinstance(value, bytes):
        return any(number.encode() in value for number in NUMBERS)
    if depth == 0 or value is None or isinstance(value, (int, float, Path, type)):
        return False
    return any(contains_number(part, depth - 1) for part in list_parts(value))


def list_parts(value: object) -> Iterator[object]:
    """Yield the members of a container or the fields of an object of ours."""
    if isinstance(value, dict):
        yield from value.values()
    elif isinstance(value, (list, tuple, set, frozenset)):
        yield from list(value)[:50]
    elif type(value).__module__.startswith("pipeline"):
        names = [name for kind in type(value).__mro__ for name in getattr(kind, "__slots__", ())]
        for name in {*names, *getattr(value, "__dict__", {})}:
            try:
                yield getattr(value, name)
            except AttributeError:
                continue


class Tracer:
    """Records the modules whose functions got a number, in the order of their first call."""

    def __init__(self) -> None:
        self.modules: dict[str, None] = {}
        self.until_create: int | None = None

    def __call__(self, frame: FrameType, event: str, _argument: object) -> None:
        """Note the module of a call that got a number (sys.setprofile)."""
        if event != "call" or not frame.f_code.co_filename.startswith(PIPELINE):
            return
        module = frame.f_code.co_filename.removeprefix(PIPELINE)
        if module.startswith("sandbox/") or (module in self.modules and module != "esign/client.py"):
            return
        code = frame.f_code
        names = code.co_varnames[: code.co_argcount + code.co_kwonlyargcount + bool(code.co_flags & 4)]
        if any(contains_number(frame.f_locals.get(name)) for name in names):
            self.modules[module] = None
            if module == "esign/client.py" and self.until_create is None:
                self.until_create = len(self.modules)


def make_hospital(folder: Path, url: str) -> None:
    """Write a roster of two doctors, their pictures, a configuration and the sandbox's credentials."""
    for name in ("inbox", "seals", "secrets"):
        (folder / name).mkdir()
    book = openpyxl.Workbook()
    book.active.append(("姓名", "证件号码", "手机号", "工号", "科室"))
    for row, number in enumerate(NUMBERS, start=1):
        book.active.append((f"张{'一二'[row - 1]}", number, f"1541234567{row}", f"0000{row}", "内科"))
        picture = Image.new("RGB", (200, 100), "white")
        ImageDraw.Draw(picture).ellipse((20 * row, 10, 90 * row, 90), outline="red", width=6)
        picture.save(folder / "seals" / f"0000{row}.png")
    book.save(folder / "inbox" / "roster.xlsx")
    for name, secret in CREDENTIALS.items():
        path = folder / "secrets" / f"tencent__{name}"
        path.write_text(secret, "utf-8")
        path.chmod(0o600)
    lines = "".join(f"  {key}: {json.dumps(value)}\n" for key, value in {"endpoint": url, **TENANT}.items())
    (folder / "config.yaml").write_text(f"api:\n{lines}secrets_dir: secrets\n", "utf-8")


@contextmanager
def open_sandbox(port: int) -> Iterator[str]:
    """Start the checkout's sandbox in a process of its own; yield its address once it answers."""
    command = [sys.executable, "-m", "pipeline", "sandbox", "--port", str(port)]
    with subprocess.Popen(
        command, cwd=CHECKOUT, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            while f":{port}" not in (line := process.stderr.readline()):
                assert line, "the sandbox did not start"
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()


def get_free_port() -> int:
    """Return a port of 127.0.0.1 that is free now."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def main() -> None:
    """Run the command line on two doctors against the sandbox and print the modules and the counts."""
    tracer = Tracer()
    with tempfile.TemporaryDirectory() as name, open_sandbox(get_free_port()) as url:
        make_hospital(Path(name), url)
        os.environ["XDG_STATE_HOME"] = name  # the registry of ledgers
        sys.argv = ["esign-import", "--config", f"{name}/config.yaml", "run", "--yes"]
        threading.setprofile(tracer)
        sys.setprofile(tracer)
        try:
            runpy.run_module("pipeline", run_name="__main__")
        except SystemExit as end:
            code = end.code
        finally:
            sys.setprofile(None)
            threading.setprofile(None)
    print("\n".join(tracer.modules))
    print(
        f"exit {code}; modules until the first create: {tracer.until_create}; in all: {len(tracer.modules)}"
    )


if __name__ == "__main__":
    main()
