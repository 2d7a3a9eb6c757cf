"""Mistakes of a first week: each with its exit code and what is printed about it."""

import os
import re
import shutil
import zipfile
from dataclasses import dataclass
from pathlib import Path

import openpyxl
import pytest
from command_lines import require_typable
from people import make_row
from run_support import draw_seal

from pipeline.cli.app import main
from pipeline.sandbox.gateway import SANDBOX

CONFIG = f"""\
api:
  endpoint: http://127.0.0.1:9
  app_id: {SANDBOX.app_id}
  organization_open_id: {SANDBOX.organization_open_id}
  operator_open_id: {SANDBOX.operator_open_id}
roster: [inbox]
seals: seals
seal_name: "{{name}}处方章"
secrets_dir: secrets
"""
HEADERS = ("姓名", "证件号码", "手机号", "工号", "科室")


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A hospital's folder, in which the commands are typed."""
    for variable in [name for name in os.environ if name.startswith(("TENCENTCLOUD_", "ESIGN_IMPORT_"))]:
        monkeypatch.delenv(variable)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    folder = tmp_path / "hospital"
    for name in ("inbox", "seals", "secrets"):
        (folder / name).mkdir(parents=True)
    write_config(folder)
    write_roster(folder / "inbox" / "roster.xlsx")
    draw_seal(folder / "seals" / "00001.png", 1)
    monkeypatch.chdir(folder)
    return folder


def write_config(folder: Path, old: str = "", new: str = "", *, encoding: str = "utf-8") -> None:
    assert old in CONFIG
    (folder / "config.yaml").write_text(CONFIG.replace(old, new, 1) if old else CONFIG, encoding)


def write_roster(path: Path, headers: tuple[str, ...] = HEADERS, *, rows: int = 1) -> None:
    book = openpyxl.Workbook()
    for row in (headers, *(make_row(serial) for serial in range(1, rows + 1))):
        book.active.append(row)
    book.save(path)


def write_rows(path: Path, *changes: dict[str, str]) -> None:
    """Write a roster with a row for each of these; a row without a change is that of another doctor."""
    book = openpyxl.Workbook()
    book.active.append(HEADERS)
    for serial, change in enumerate(changes, start=1):
        row = dict(zip(HEADERS, make_row(serial), strict=True)) | change
        book.active.append([row[title] for title in HEADERS])
    book.save(path)


def write_pictured_rows(folder: Path, *changes: dict[str, str]) -> None:
    """Write a roster as `write_rows` does, and a picture for each doctor's name."""
    write_rows(folder / "inbox" / "roster.xlsx", *changes)
    (folder / "seals" / "00001.png").unlink()
    for serial in range(1, len(changes) + 1):
        draw_seal(folder / "seals" / f"{make_row(serial)[0]}.png", serial)


def write_untitled_roster(path: Path) -> None:
    book = openpyxl.Workbook()
    book.active.append(["填写说明"])
    sheet = book.create_sheet("医师名单")
    for serial in range(1, 4):
        sheet.append(make_row(serial))
    book.save(path)


def write_package(path: Path, part: str) -> None:
    with zipfile.ZipFile(path, "w") as package:
        package.writestr(part, "<document/>")


def change(old: str, new: str):
    """Return what writes the configuration with one mistake."""
    return lambda folder: write_config(folder, old, new)


def leave(folder: Path) -> None:
    """Leave the folder as it is."""


@dataclass(frozen=True)
class Mistake:
    """A mistake, the command that meets it, and its exit code and sentence."""

    make: object
    command: str
    exit_code: int
    zh: str
    en: str


def mistype(command: str, zh: str, en: str) -> Mistake:
    """Return the mistake of a command that is typed wrongly in a folder that is in order."""
    return Mistake(leave, command, 2, zh, en)


OFFLINE = "doctor --offline"
MISTAKES = {
    "no configuration": Mistake(
        lambda folder: (folder / "config.yaml").unlink(), "run", 2, "还没有就用 init", "create it with init"
    ),
    "configuration misspelt": mistype("--config konfig.yaml run", "是不是 config.yaml", "Did you mean config.yaml?"),
    "configuration is another folder": mistype("-c inbox run", "没有 config.yaml，也没有", "has no config.yaml, and no"),
    "configuration of Notepad": Mistake(
        lambda folder: write_config(folder, encoding="gbk"), "run", 2, "编码选 UTF-8", "with encoding UTF-8"
    ),
    "colon forgotten": Mistake(
        change("app_id:", "app_id"), "run", 2, "config.yaml:3：YAML 写法有误。", "config.yaml:3: not valid YAML"
    ),
    "full-width colon": Mistake(
        change("seals:", "seals："), "run", 2, "config.yaml:7：冒号要用半角", "config.yaml:7: this colon is full-width"
    ),
    "quotation mark left open": Mistake(
        change("seals: seals", 'seals: "seals'), "run", 2, "config.yaml:8：YAML 写法有误。请检查这一行和上一行：", "config.yaml:8: not valid YAML"
    ),
    "folder that is not there": Mistake(
        change("seals: seals", "seals: seels"), OFFLINE, 4, "config.yaml:7：seals：找不到", "config.yaml:7: seals: seels does not exist"
    ),
    "roster misspelt": mistype("check inbox/rooster.xlsx", "是不是 inbox/roster.xlsx", "Did you mean inbox/roster.xlsx?"),
    "roster for the configuration": mistype("-c inbox/roster.xlsx run", "inbox/roster.xlsx 不是配置文件", "inbox/roster.xlsx is not a configuration file"),
    "field of a column misspelt": Mistake(
        change("secrets_dir", "columns: {年龄: igonre}\nsecrets_dir"), "run", 2, "没有“igonre”这个字段；是不是 ignore？", "unknown field “igonre”; did you mean ignore?"
    ),
    "secrets that are nowhere": Mistake(
        change("secrets_dir: secrets", "secrets_dir: secret"), OFFLINE, 4, "config.yaml:9：secrets_dir：找不到", "config.yaml:9: secrets_dir: "
    ),
    "folder of backups that is not there": Mistake(
        change("secrets_dir: secrets", "backup: {folder: nosuch}"), OFFLINE, 4, "没有备份用的文件夹", "There is no folder"
    ),
    "picture for its folder": mistype("check --seals seals/00001.png", "请写文件夹或 .zip", "specify a folder or a .zip"),
    "star of the shell": Mistake(
        leave, "check config.yaml inbox seals", 7, "下次只写名单", "Next time, name only the rosters"
    ),
    "Word for Excel": Mistake(
        lambda folder: write_package(folder / "list.xlsx", "word/document.xml"),
        "check list.xlsx", 7, "Word (.docx)", "Word (.docx)",
    ),
    "picture named as a roster": Mistake(
        lambda folder: draw_seal(folder / "list.png", 1),
        "check list.png", 7, "这是一张图片（PNG）", "This is a picture (PNG)",
    ),
    "archive next to a roster": Mistake(
        lambda folder: write_package(folder / "pack.zip", "roster.csv"),
        "check pack.zip inbox", 7, "请解压", "unpack it",
    ),
    "folder without pictures": Mistake(
        leave, "check --seals inbox", 3, "inbox 里没有图片，1 行", "inbox holds none"
    ),
    "title of a further column misspelt": Mistake(
        lambda folder: write_roster(folder / "inbox" / "roster.xlsx", ("姓名", "证件号码", "手机号吗", *HEADERS[3:])),
        "check", 0, "列名可能写错了：C 手机号吗 → 手机号码", "because of their titles: C 手机号吗 → 手机号码",
    ),
    "column misspelt": Mistake(
        lambda folder: write_roster(folder / "inbox" / "roster.xlsx", ("姓名", "身份证号玛", *HEADERS[2:])),
        "check", 7, "是不是 B1 身份证号玛 → 身份证号码？", "did you mean B1 身份证号玛 → 身份证号码?",
    ),
    "no titles, and a sheet of explanations": Mistake(
        lambda folder: write_untitled_roster(folder / "inbox" / "roster.xlsx"),
        "check", 7, "工作表“医师名单”第 1 行已经是数据", "in sheet 医师名单, row 1 already contains data",
    ),
    "titles alone": Mistake(
        lambda folder: write_roster(folder / "inbox" / "roster.xlsx", rows=0),
        "check", 0, "每位医生填一行，保存后运行", "fill in a row for each doctor",
    ),
    "empty inbox": Mistake(
        lambda folder: (folder / "inbox" / "roster.xlsx").unlink(),
        "run", 0, "请把名单放到那里", "Put it there, or write its file name",
    ),
    "inbox gone": Mistake(
        lambda folder: shutil.rmtree(folder / "inbox"),
        "run", 0, "inbox 不存在：请建好并放入名单", "inbox does not exist: create it",
    ),
    "half of the credentials": Mistake(
        lambda folder: (folder / "secrets" / "tencent__secret_id").write_text("AKID"),
        "run", 4, "只缺 SecretKey，请把它写进 secrets/tencent__secret_key。", "Only the SecretKey is missing. Write it into secrets/tencent__secret_key.",
    ),
    "credentials that are empty": Mistake(
        lambda folder: [(folder / "secrets" / f"tencent__secret_{part}").touch() for part in ("id", "key")],
        "run", 4, "请把密钥写进 secrets/tencent__secret_id", "Write the keys into secrets/tencent__secret_id",
    ),
    "no credentials": Mistake(
        leave, "run", 4, "secrets/tencent__secret_key（", "secrets/tencent__secret_key ("
    ),
    "backup of what was never there": mistype("ledger backup a.bak", "还没有提交过任何内容", "nothing has been sent"),
    "lock file of Excel next to the roster": Mistake(
        lambda folder: (folder / "inbox" / "~$roster.xlsx").touch(),
        "check", 0, "保存并关闭后再检查一次", "Save and close it, then check again",
    ),
    "results for a roster": Mistake(
        lambda folder: (main(["check"]), shutil.copy(next(folder.glob("out/*/results.xlsx")), folder / "inbox")),
        "check", 7, "results.xlsx 是本程序的结果表，不是名单：请把它移出 inbox", "move results.xlsx out of inbox",
    ),
    "ledger where none can be": Mistake(
        change("secrets_dir: secrets", "ledger: /proc/x"), "run", 74, "无法在 /proc", "cannot be created in /proc"
    ),
    "ledger below a file": Mistake(
        change("secrets_dir: secrets", "ledger: config.yaml/x.sqlite3"), "run", 74,
        "config.yaml 是文件，不是文件夹", "config.yaml is a file, not a folder",
    ),
    "seal name without quotes": Mistake(
        change('"{name}处方章"', "{name}处方章"), "run", 2, "config.yaml:8：YAML 写法有误。",
        "config.yaml:8: not valid YAML",
    ),
    "sandbox without http": Mistake(
        change("http://127.0.0.1:9", "127.0.0.1:9"), "run", 2, "要写 http://127.0.0.1:9", "write http://127.0.0.1:9"
    ),
    "lock file of Excel alone": Mistake(
        lambda folder: (folder / "inbox" / "roster.xlsx").rename(folder / "inbox" / "~$roster.xlsx"),
        "run", 0, "~$roster.xlsx 只是 Excel 或 WPS 的临时文件", "~$roster.xlsx there is only a temporary file",
    ),
    "no folder of pictures": Mistake(
        lambda folder: shutil.rmtree(folder / "seals"), "check", 3, "建好文件夹并放入图片", "IT: create it and put the picture there"
    ),
    "fault file misspelt": Mistake(
        lambda folder: (folder / "faults.yaml").write_text("faults: []"),
        "sandbox --port 0 --faults fault.yaml", 2, "是不是 faults.yaml", "Did you mean faults.yaml?",
    ),
    "fault that does not exist": Mistake(
        lambda folder: (folder / "faults.yaml").write_text("faults:\n  - match: {}\n    do: throtle\n"),
        "sandbox --port 0 --faults faults.yaml", 2, "faults.yaml：faults.0.kind：这里不能写“throtle”",
        "faults.yaml: faults.0.kind: “throtle” does not fit here",
    ),
    "the configuration for a fault file": mistype("sandbox --port 0 --faults config.yaml", "这里不能写“api”", "“api” does not fit here"),
    "nothing here": Mistake(
        lambda folder: [shutil.rmtree(folder / "inbox"), (folder / "config.yaml").unlink()],
        "check", 0, "没有 config.yaml，也没有放名单的 inbox", "has neither config.yaml nor a folder inbox",
    ),
    "picture for a roster": Mistake(
        lambda folder: (folder / "inbox" / "roster.xlsx").rename(folder / "inbox" / "00001.png"),
        "run", 0, "那里的 00001.png 不是名单", "Found there, but no roster: 00001.png",
    ),
    "path with a blank": Mistake(
        lambda folder: write_roster(folder / "new doctors.xlsx"),
        "check new doctors.xlsx", 2, "路径里有空格时整个加引号", "quote paths that contain spaces",
    ),
    "certificate that is not there": Mistake(
        change("api:", "api:\n  ca_file: hospital.pem"), OFFLINE, 4, "config.yaml:2：api.ca_file：找不到", "Put the hospital's CA certificate (PEM) there"
    ),
    "PDF for Excel": Mistake(
        lambda folder: (folder / "list.pdf").write_bytes(b"%PDF-1.7"),
        "check list.pdf", 7, "把里面的表格复制到 Excel 里保存", "copy the table into Excel and save it",
    ),
    "picture with the name of a roster": Mistake(
        lambda folder: draw_seal(folder / "seals" / "x.png", 1) or (folder / "seals" / "x.png").rename(folder / "list.xlsx"),
        "check list.xlsx", 7, "文件名以 .xlsx 结尾，内容却是一张图片（PNG）", "The name ends in .xlsx, but the content is a picture (PNG)",
    ),
    "rosters that are not there": mistype("check nosuch doctors.csv", "找不到 nosuch（", "nosuch does not exist"),
    "option misspelt": mistype("run --limt=1 --yes", "命令行有误", "'--limit'"),
    "command misspelt": mistype("chekc inbox/roster.xlsx", "命令行有误", "Did you mean 'check'"),
    "hospital that is not there": mistype("run --profile east --limit 1", "没有医院 east", "has no hospital east"),
    "word too many": mistype("export everything", "命令行有误", "unexpected extra argument"),
    "choice that is none": mistype("init --environment=mars", "命令行有误", "is not one of"),
    "file for a folder": mistype("init config.yaml", "命令行有误", "is a file"),
    "worker of one host": mistype("enqueue", "本机", "is a file on this host"),
    "decision about no doctor": mistype("resolve --not-created", "没有写是哪位医生", "No doctor was named"),
    "hospital that is there": mistype("init ../hospital --yes", "已经存在，没有改动", "exists already"),
    "file for the folder of backups": Mistake(
        lambda folder: (folder / "b.bak").write_bytes(b""),
        "ledger backup b.bak --keep 3", 2, "b.bak 是文件", "b.bak is a file",
    ),
    "no backup": mistype("ledger restore config.yaml", "不是本程序的备份", "is not a backup of this program"),
    "picture under another name": Mistake(
        lambda folder: (folder / "seals" / "00001.png").rename(folder / "seals" / "qian.png"),
        "check", 3, "没配上的图片（qian.png，见工作表“未配对印章”）", "that no row matched (qian.png; sheet “Unpaired pictures”)",
    ),
    "two doctors of one staff number": Mistake(
        lambda folder: write_pictured_rows(folder, {"工号": "7"}, {"工号": "7"}, {"工号": "8"}),
        "check", 0, "（STAFF_NO_DUPLICATE，roster.xlsx 第 2 行和第 3 行）", "(STAFF_NO_DUPLICATE, roster.xlsx rows 2 and 3)",
    ),
    "two columns for one field": Mistake(
        lambda folder: write_roster(folder / "inbox" / "roster.xlsx", (*HEADERS[:4], "身份证号")),
        "check", 7, "roster.xlsx 未读取：工作表“Sheet”第 1 行有两列", "was not read: Sheet Sheet, row 1 has two columns",
    ),
    "two names for one number": Mistake(
        lambda folder: write_rows(folder / "inbox" / "roster.xlsx", {}, {"证件号码": make_row(1)[1]}),
        "check", 3, "2 行 同一证件号码有两个姓名（ID_NAME_CONFLICT，roster.xlsx 第 2 行和第 3 行）",
        "2 × One number with two names (ID_NAME_CONFLICT, roster.xlsx rows 2 and 3)",
    ),
    "mobile with a digit too few": Mistake(
        lambda folder: write_rows(folder / "inbox" / "roster.xlsx", {"手机号": "1540000000"}),
        "check", 3, "（MOBILE_INVALID，roster.xlsx 第 2 行）", "(MOBILE_INVALID, roster.xlsx row 2)",
    ),
    "wrong mobile in a roster of this folder": Mistake(
        lambda folder: write_rows(folder / "roster.xlsx", {"手机号": "1540000000"}),
        "check roster.xlsx", 3, "/hospital，代替原名单", "/hospital in place of the roster",
    ),
}  # fmt: skip


@pytest.mark.parametrize("mistake", MISTAKES.values(), ids=MISTAKES)
def test_a_mistake_is_named_with_its_cure(folder, capfd, mistake):
    mistake.make(folder)
    for language, sentence in (("zh", mistake.zh), ("en", mistake.en)):
        shutil.rmtree(folder / "state", ignore_errors=True)
        capfd.readouterr()
        assert main([*mistake.command.split(), "--lang", language]) == mistake.exit_code
        listed, printed = capfd.readouterr()
        assert sentence in listed + printed
        for line in printed.splitlines():
            if re.match(r" {5}(esign-import|\S+ -m pipeline) ", line):
                require_typable(line.strip())


@pytest.mark.parametrize(
    ("mistake", "then"),
    [
        ("no configuration", "init"),
        ("colon forgotten", OFFLINE),
        ("ledger below a file", OFFLINE),
        ("no backup", "status"),
        ("option misspelt", None),
    ],
)
def test_an_error_ends_with_the_command_that_helps_where_there_is_one(folder, capfd, mistake, then):
    MISTAKES[mistake].make(folder)
    assert main(MISTAKES[mistake].command.split()) == MISTAKES[mistake].exit_code
    last = capfd.readouterr().err.rstrip().splitlines()[-1]
    assert last.startswith("     ") == bool(then)
    assert last.endswith(f" {then or ''}".rstrip())


def test_a_misspelt_title_is_corrected_before_anything_is_sent(folder, capfd):
    titles = ("姓名", "证件号码", "手机号吗", *HEADERS[3:])
    write_roster(folder / "inbox" / "roster.xlsx", titles)
    for language in ("zh", "en"):
        assert main(["check", "--lang", language]) == 0
        printed = capfd.readouterr().err
        assert {"zh": "写 ignore", "en": "write ignore under columns:"}[language] in printed
        assert " run" not in printed.partition("report.html")[2]
    write_config(folder, "secrets_dir", "columns: {手机号吗: ignore}\nsecrets_dir")
    assert main(["check"]) == 0
    assert capfd.readouterr().err.rstrip().endswith(" run")


@pytest.mark.parametrize("language", ["zh", "en"])
def test_each_row_is_counted_for_one_reason(folder, capfd, language):
    rows = ({"证件号码": make_row(2)[1], "手机号": "1540000000"}, {}, {"手机号": "1", "工号": "33"})
    write_rows(folder / "inbox" / "roster.xlsx", *rows)
    assert main(["check", "--lang", language]) == 3
    counts = re.findall(r"^      (\d+) (?:×|行) .*[A-Z]_[A-Z]", capfd.readouterr().err, re.MULTILINE)
    assert sum(map(int, counts)) == len(rows)


MOBILES = {
    "1540000000": ("有 10 位数字，应为 11 位；请核对号码", "has 10 digits instead of 11; correct it"),
    "12345678901": ("的开头不是 13 到 19", "does not start with 13 to 19"),
    "1540000000x": ("含有数字以外的字符", "contains other characters than digits"),
}


@pytest.mark.parametrize("mobile", MOBILES)
def test_the_error_of_a_mobile_names_its_cause(folder, mobile):
    write_rows(folder / "inbox" / "roster.xlsx", {"手机号": mobile})
    for language, sentence in zip(("zh", "en"), MOBILES[mobile], strict=True):
        out = folder / language
        assert main(["check", "--lang", language, "--out", str(out)]) == 3
        (line,) = (out / "plan.jsonl").read_text("utf-8").splitlines()
        assert sentence in line
