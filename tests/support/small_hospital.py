"""A hospital of a few doctors and a sandbox, for tests of what a folder looks like in which the program has run."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from people import make_row
from roster_support import write_roster
from run_support import draw_seal

from pipeline.sandbox.gateway import SANDBOX
from pipeline.sandbox.server import Sandbox, SandboxThread
from pipeline.sandbox.service import FakeService

HEADERS = ("姓名", "证件号码", "手机号", "工号", "科室")


@contextmanager
def open_small_hospital(folder: Path, serials: Sequence[int], *, wrong: int = 0) -> Iterator[None]:
    """Write a configuration, a roster and pictures; the service answers until the end.

    The doctors of the serials are right. ``wrong`` more rows have an identity number that is cut off.
    """
    for name in ("inbox", "seals", "secrets"):
        (folder / name).mkdir(parents=True)
    (folder / "secrets" / "tencent__secret_id").write_text(SANDBOX.secret_id)
    (folder / "secrets" / "tencent__secret_key").write_text(SANDBOX.secret_key)
    for secret in (folder / "secrets").iterdir():
        secret.chmod(0o600)
    rows = [make_row(serial) for serial in serials]
    rows += [make_row(max(serials) + extra, number="1101") for extra in range(1, wrong + 1)]
    write_roster(folder / "inbox" / "roster.xlsx", [HEADERS, *rows])
    for serial in serials:
        draw_seal(folder / "seals" / f"{serial:05d}.png", serial)
    with SandboxThread(Sandbox(FakeService())) as sandbox:
        ids = (
            f"app_id: {SANDBOX.app_id}, organization_open_id: {SANDBOX.organization_open_id},"
            f" operator_open_id: {SANDBOX.operator_open_id}"
        )
        text = f'api: {{endpoint: "{sandbox.url}", {ids}}}\nsecrets_dir: secrets\n'
        (folder / "config.yaml").write_text(text, "utf-8")
        yield
