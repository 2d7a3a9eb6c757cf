"""The architecture rules that import-linter (pyproject.toml) does not hold: libraries, the clock, sizes of files and folders."""

import ast
import re
import subprocess
import sys
from collections import Counter
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path

from source_trees import list_nodes, parse_module

REPOSITORY = Path(__file__).parents[1]
PIPELINE = REPOSITORY / "pipeline"
MODULES = sorted(PIPELINE.rglob("*.py"))
MAX_LINES = 600  # of one module
MAX_MODULES = 25  # in one folder, __init__.py not counted
HOME_OF_LIBRARY = {
    "PIL": "intake/images/",
    "aiohttp": ("esign/client.py", "hosts/worker_server.py", "sandbox/server.py", "web/"),
    "click": "cli/",
    "cryptography": ("hosts/operator_secret.py",),
    "defusedxml": "intake/readers/",
    "filelock": "ledger/lock.py",
    "jinja2": ("operations/", "reports/"),
    "msoffcrypto": "intake/readers/compound_files.py",
    "olefile": "intake/readers/compound_files.py",
    "openpyxl": ("operations/", "reports/"),
    "pandas": "reports/",
    "pillow_heif": "intake/images/formats.py",
    "platformdirs": "ledger/places.py",
    "pydantic": ("api/", "config/", "sandbox/faults.py"),
    "procrastinate": "hosts/",
    "psutil": ("intake/readers/rare_formats.py", "ledger/disk.py", "support/own_program.py"),
    "python_calamine": (),  # in tests and bench alone
    "psycopg": "hosts/",
    "sqlite3": ("ledger/", "hosts/load.py"),
    "tencentcloud": "esign/role.py",
    "time": "clock.py",
    "tqdm": "cli/",
    "xlrd": "intake/readers/child/xls.py",
    "xlsxwriter": "reports/",
}


def path_in_package(path: Path) -> str:
    return path.relative_to(PIPELINE).as_posix()


@cache
def list_package_imports(path: Path) -> tuple[str, ...]:
    """Return the full names that a module imports."""
    names: list[str] = []
    for node in list_nodes(path):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path_in_package(path)}: imports are absolute"
            names += [f"{node.module}.{alias.name}" for alias in node.names]
    return tuple(names)


def test_one_library_is_imported_in_one_package():
    for path in MODULES:
        for name in list_package_imports(path):
            home = HOME_OF_LIBRARY.get(name.split(".")[0])
            if home is not None:
                assert path_in_package(path).startswith(home), f"{name} in {path_in_package(path)}"


def name_module(path: Path) -> str:
    """Return the dotted name of a module; a package's is that of its folder."""
    return ".".join(path.relative_to(REPOSITORY).with_suffix("").parts).removesuffix(".__init__")


def test_no_files_import_one_another_in_a_circle():
    """An import in a function or for type checkers alone counts as well: it only hides the circle."""
    names = {name_module(path): list_package_imports(path) for path in MODULES}
    imports = {
        module: {name if name in names else name.rpartition(".")[0] for name in imported} - {module}
        for module, imported in names.items()
    }
    TopologicalSorter(imports).prepare()  # a CycleError names the modules of the circle


def test_only_the_clock_reads_time_or_waits():
    for path in MODULES:
        if path_in_package(path) != "clock.py":
            text = path.read_text("utf-8")
            reads = re.findall(r"asyncio\.sleep|datetime\.now|date\.today|\.utcnow|time\.time\(", text)
            assert reads == [], path_in_package(path)


def test_a_module_has_a_docstring_and_a_bounded_length():
    for path in MODULES:
        text = path.read_text("utf-8")
        assert ast.get_docstring(parse_module(path)), f"{path_in_package(path)} has no docstring"
        assert text.count("\n") <= MAX_LINES, path_in_package(path)


def test_a_folder_holds_a_bounded_number_of_modules():
    folders = Counter(path.parent for path in MODULES if path.name != "__init__.py")
    assert {path_in_package(folder): count for folder, count in folders.items() if count > MAX_MODULES} == {}


def test_importing_the_package_imports_nothing_heavy():
    heavy = {"aiohttp", "pandas", "PIL", "openpyxl", "pydantic", "tencentcloud", "click", "tqdm"}
    code = f"import sys, pipeline; print(sorted({heavy} & set(sys.modules)))"
    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == "[]"


def test_no_registry_is_named_in_a_tracked_file():
    names = ["py" + "pi.org", "python" + "hosted.org", "npm" + "js.org"]
    command = ["git", "grep", "-lIE", "|".join(names)]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert done.stdout == ""


def test_a_new_meaning_has_to_be_decided_in_every_match():
    """A wildcard would hide a new meaning of an answer from mypy, which checks that a match is exhaustive."""
    for path in MODULES:
        if path_in_package(path).startswith(("sending/", "esign/")):
            matches = [node for node in list_nodes(path) if isinstance(node, ast.Match)]
            wildcards = [
                case for match in matches for case in match.cases if ast.unparse(case.pattern) == "_"
            ]
            assert wildcards == [], path_in_package(path)


def test_no_mocks():
    banned = re.compile(r"unittest\.mock|MagicMock|mocker\b|aioresponses|\bpatch\(")
    for path in (REPOSITORY / "tests").rglob("*.py"):
        if path != Path(__file__):
            assert not banned.search(path.read_text("utf-8")), path.name


def test_mypy_takes_the_alternatives_for_the_protocols(tmp_path):
    """Only the files concerned are read, so that this takes seconds; a method that differs fails it."""
    command = [
        *(sys.executable, "-m", "mypy", "--strict", "--follow-imports=skip"),
        *("--config-file", "", "--cache-dir", str(tmp_path), "--python-version", "3.11"),
        *(
            f"pipeline/{path}"
            for path in (
                "ledger/lock.py",
                "support/rights.py",
                "domain/run.py",
                "domain/seals.py",
                "domain/roster.py",
                "esign/rate_limiter.py",
                "clock.py",
            )
        ),
    ]
    completed = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert completed.stdout.startswith("Success"), completed.stdout
