"""The plan of the house (DESIGN §3), held by reading the imports of every module."""

import ast
import re
import subprocess
import sys
from functools import cache
from pathlib import Path

HOUSE = Path(__file__).parents[1]
PIPELINE = HOUSE / "pipeline"
MODULES = sorted(PIPELINE.rglob("*.py"))
LONGEST = 450  # lines; the catalogue of codes and the shared values are the longest rooms

GROUND = {
    "errors",
    "rights",
    "roster",
    "model",
    "problems",
    "clock",
    "headings",
    "one_row",
    "points",
    "shell",
    "service_codes",
    "advice",
}
ROOMS = {"intake", "esign", "ledger", "results"}
MAY_IMPORT = {
    "words": {"model", "roster"},  # the catalogue, which every room may ask
    "errors": {"rights"},
    "rights": set(),
    "clock": set(),
    "headings": set(),
    "points": set(),
    "shell": set(),
    "environment": set(),
    "addresses": {"ledger"},
    "language": {"environment"},
    "roster": set(),
    "model": {"roster"},
    "problems": {"roster"},
    "one_row": {"errors", "problems", "roster"},
    "service_codes": set(),
    "advice": {"service_codes"},
    "naming": {"model", "roster", "problems"},
    "plan": {"errors", "model", "naming", "one_row", "roster", "problems", "same_person"},
    "same_person": {"model", "roster"},
    "yaml_text": {"errors"},
    "config": {"addresses", "environment", "errors", "model", "roster", "yaml_text", "ledger", "intake"},
    "breaker": GROUND,
    "outage": GROUND | {"breaker"},
    "meter": GROUND,
    "guards": GROUND | {"earlier"},
    "doors": {"esign"},
    "course": GROUND | {"breaker", "guards", "meter", "outage"},
    "line": GROUND | {"esign", "ledger", "course", "meter"},
    "uploading": GROUND | {"esign", "ledger", "course", "line"},
    "sending": GROUND | {"esign", "ledger", "course", "line", "uploading"},
    "submit": GROUND | {"esign", "intake", "ledger", "course", "sending"},
    "sent_sizes": {"model", "roster"},
    "examine": {"model", "roster", "problems", "plan", "submit"},
    "closing": GROUND | {"exits", "ledger", "results"},
    "early_end": GROUND | ROOMS | {"config", "exits", "wiring"},
    "earlier": {"errors", "intake", "ledger", "model"},
    "notices": {"config", "intake", "model", "passwords", "roster"},
    "sealed_corrections": {"ledger", "model", "problems"},
    "exits": {"model", "roster", "results"},
    "review": {"errors", "model"},
    "night": GROUND
    | ROOMS
    | {
        "config",
        "wiring",
        "plan",
        "submit",
        "sending",
        "course",
        "doors",
        "examine",
        "closing",
        "earlier",
        "exits",
        "guards",
        "notices",
        "outage",
        "review",
        "sealed_corrections",
        "sent_sizes",
        "same_person",
    },
    "wiring": GROUND | ROOMS | {"config", "plan", "submit", "guards"},
    "passwords": {"errors", "config"},
    "named_paths": {"errors", "config"},
    "session": GROUND | ROOMS | {"config", "earlier", "wiring", "passwords", "named_paths"},
    "api": GROUND | ROOMS | {"config", "language", "wiring", "session", "night", "named_paths"},
    "recall": GROUND | ROOMS | {"config", "wiring", "plan", "submit", "night"},
    "desk": GROUND | ROOMS | {"desk", "earlier", "config", "wiring", "night", "plan"},
    "sandbox": GROUND | {"sandbox"},
    **{room: GROUND | {room} for room in ROOMS},
}
ONE_ROOM = {
    "aiohttp": {"esign/client.py", "sandbox/server.py"},
    "PIL": {"intake/image/"},
    "pillow_heif": {"intake/image/heic.py"},
    "rapidocr": {"intake/ocr.py"},
    "olefile": {"intake/ole.py"},
    "msoffcrypto": {"intake/encrypted.py"},
    "sqlite3": {"ledger/"},
    "click": {"cli/"},
    "tqdm": {"cli/"},
    "openpyxl": {"intake/"},
    "python_calamine": {"intake/"},
    "defusedxml": {"intake/"},
    "xlsxwriter": {"results/"},
    "pandas": {"results/"},
    "filelock": {"ledger/lock.py"},
    "tencentcloud": {"esign/signing.py"},
    "time": {"clock.py"},
    "pydantic": {"config.py"},
    "jinja2": {"results/"},
}


def place(path: Path) -> str:
    return path.relative_to(PIPELINE).as_posix()


def room(path: Path) -> str:
    return place(path).split("/")[0].removesuffix(".py")


@cache
def imports(path: Path) -> tuple[str, ...]:
    """Return what a module imports, by full name."""
    found: list[str] = []
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{place(path)}: imports are absolute"
            found += [f"{node.module}.{alias.name}" for alias in node.names]
    return tuple(found)


def ours(name: str) -> str | None:
    """Return the room an import goes to; the version in the package itself is no room."""
    parts = name.split(".")
    if parts[0] != "pipeline" or len(parts) < 2 or parts[1] == "__version__":
        return None
    return parts[1]


def test_imports_run_one_way():
    for path in MODULES:
        if room(path) in MAY_IMPORT:
            allowed = MAY_IMPORT[room(path)] | {"words"}
            targets = {target for name in imports(path) if (target := ours(name))}
            assert targets - allowed == set(), place(path)


def test_one_library_one_room():
    for path in MODULES:
        for name in imports(path):
            homes = ONE_ROOM.get(name.split(".")[0])
            if homes is not None:
                assert any(place(path).startswith(home) for home in homes), f"{name} in {place(path)}"


def test_only_the_clock_reads_time_or_waits():
    for path in MODULES:
        if place(path) != "clock.py":
            text = path.read_text("utf-8")
            reads = re.findall(r"asyncio\.sleep|datetime\.now|date\.today|\.utcnow|time\.time\(", text)
            assert reads == [], place(path)


def test_only_the_command_line_knows_the_sandbox():
    for path in MODULES:
        if room(path) not in {"cli", "sandbox"}:
            assert "sandbox" not in {ours(name) for name in imports(path)}, place(path)


def test_a_file_is_one_thing_and_says_which():
    for path in MODULES:
        text = path.read_text("utf-8")
        assert ast.get_docstring(ast.parse(text)), f"{place(path)} has no docstring"
        assert text.count("\n") <= LONGEST, place(path)


def test_the_night_imports_no_command_line():
    for name in ("night.py", "wiring.py", "exits.py", "recall.py", "session.py", "passwords.py", "api.py"):
        assert "cli" not in {ours(each) for each in imports(PIPELINE / name)}


def test_stages_never_see_the_whole_config():
    for path in MODULES:
        if room(path) in ROOMS | {"plan", "submit", "sending", "sandbox"}:
            assert "config" not in {ours(name) for name in imports(path)}


def test_importing_the_package_imports_nothing_heavy():
    heavy = {"aiohttp", "pandas", "PIL", "openpyxl", "pydantic", "tencentcloud", "click", "tqdm"}
    code = f"import sys, pipeline; print(sorted({heavy} & set(sys.modules)))"
    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == "[]"


def test_no_registry_is_named_in_a_tracked_file():
    """No committed file names a package registry's host."""
    names = ["py" + "pi.org", "python" + "hosted.org", "npm" + "js.org"]
    found = subprocess.run(
        ["git", "grep", "-lIE", "|".join(names)], cwd=HOUSE, capture_output=True, text=True, check=False
    )
    assert found.stdout == ""


def test_no_mocks():
    banned = re.compile(r"unittest\.mock|MagicMock|mocker\b|aioresponses|\bpatch\(")
    for path in (HOUSE / "tests").rglob("*.py"):
        if path != Path(__file__):
            assert not banned.search(path.read_text("utf-8")), place(PIPELINE / "cli") + path.name
