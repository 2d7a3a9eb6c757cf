"""The output of a run: on a real terminal, in a log, and its last line."""

import os
import re
import shlex
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from people import name, number
from pty_support import run_on_terminal
from run_support import wait_until
from wire_support import fault, set_limits

from pipeline.__main__ import repeat_lost_interrupt
from pipeline.cli.app import main
from pipeline.clock import SystemClock
from pipeline.support.terminal_text import join, measure_width, quote

HERE = Path(__file__).parents[2]
COLOUR = re.compile(r"\x1b\[[0-9;]*m")


def on_a_terminal(hospital, *arguments, columns=120, language="en"):
    """Run the command line on a pseudo-terminal; return its exit code and all that was written to it."""
    words = hospital.command(*arguments, language=language)
    return run_on_terminal(words, columns=columns, output=os.devnull, NO_COLOR="1")


def screen(seen):
    """Return the lines that stand there in the end: a carriage return writes over its line."""
    return [line.rstrip("\r").rsplit("\r", 1)[-1].rstrip() for line in seen.split("\n")]


@pytest.mark.skipif(os.name == "nt", reason="a pseudo-terminal is needed")
def test_the_bar_shows_rate_share_time_left_and_counts(hospital_with):
    hospital = hospital_with(faults=[fault("reset_after", nth=(9,))])
    hospital.doctors(30)
    set_limits(hospital, 30, 8)
    code, seen = on_a_terminal(hospital, "run", "--yes")
    assert code == 3
    bars = [bar for bar in re.split(r"[\r\n]+", seen) if "/30" in bar]
    assert len(bars) > 5
    for part in ("of the limit", "left", "Sealed", "%"):
        assert part in bars[-1]
    matches = [re.search(r"([\d.]+)/\D+(\d+)%", bar.split("/30", 1)[1]) for bar in bars]
    shares = [(float(match[1]) / 30, int(match[2])) for match in matches if match]
    assert all(abs(rate * 100 - share) <= 1 for rate, share in shares)
    assert 0 < max(share for _, share in shares) <= 115
    assert not COLOUR.search(seen)
    lines = [line for line in screen(seen) if line]
    assert not [line for line in lines if "/30" in line and "|" in line], "the bar goes when it is done"
    assert "\r" not in lines[-1]
    assert lines[-1].endswith(" resolve")


@pytest.mark.skipif(os.name == "nt", reason="a pseudo-terminal is needed")
@pytest.mark.parametrize(
    ("language", "columns", "word"),
    [
        ("zh", 60, r", | · |[\d.]+ 次/秒（上限的 \d+%）|还需 \d:\d\d|[未成败]\S+ \d+"),
        ("en", 80, r", | · |[\d.]+/s \(\d+% of the limit\)|\d:\d\d left|[A-Z][a-z]+ \d+"),
    ],
)
def test_the_bar_is_never_cut_inside_a_word(hospital_with, language, columns, word):
    hospital = hospital_with(latency=0.02, faults=[fault("reset_after", nth=(2, 3))])
    hospital.doctors(12)
    set_limits(hospital, 12, 8)
    _, seen = on_a_terminal(hospital, "run", "--yes", columns=columns, language=language)
    bars = [bar.rstrip() for bar in re.split(r"[\r\n]+", seen) if "/12" in bar]
    assert len(bars) > 3
    for bar in bars:
        assert re.search(rf"/12({word})*$", bar), bar
        assert measure_width(bar) < columns, bar
        assert "12/12" in bar or not bar.endswith("0:00 left"), bar


def test_a_log_gets_a_plain_line_every_thirty_seconds(hospital_with, capfd):
    hospital = hospital_with(latency=0.1)
    hospital.doctors(12)
    set_limits(hospital, 1000, 1)
    assert hospital.go("run") == 0
    stderr_text = capfd.readouterr().err
    assert "\r" not in stderr_text
    assert "\x1b" not in stderr_text
    lines = [line for line in stderr_text.splitlines() if line.startswith("done ")]
    assert len(lines) >= 2
    for line in lines:
        assert re.fullmatch(
            r"done \d+/12 \(\d+%\) [\d.]+/s \(\d+% of the limit\) · \d+:\d\d left( · Sealed \d+)?", line
        ), line


@pytest.mark.parametrize("language", ["zh", "en"])
def test_the_last_line_is_the_next_command_and_it_works(hospital, capfd, language):
    hospital.doctors(1)
    for command, then in (  # none before `doctor` makes a ledger
        ("status", "check"),
        ("resolve", "check"),
        ("ledger check", "check"),
        ("retry", "check"),
        ("doctor --offline", "check"),
        ("check", "run"),
        ("run", "run"),
    ):
        main(hospital.command(*command.split(), language=language), clock=SystemClock())
        last = capfd.readouterr().err.rstrip("\n").splitlines()[-1]
        config = hospital.folder / "config.yaml"
        assert last.endswith(f" --config {config} {then}"), command


def test_the_last_line_can_be_typed_where_the_folder_has_a_blank(hospital, capfd):
    hospital.doctors(2, file="out of 'hours'.xlsx")
    roster = hospital.folder / "inbox" / "out of 'hours'.xlsx"
    assert hospital.go("check", str(roster)) == 0
    last = capfd.readouterr().err.rstrip("\n").splitlines()[-1]
    typed = shlex.split(last)
    assert "run" in typed
    assert str(roster) in typed


def test_after_a_halt_the_last_line_is_a_command(hospital, capfd):
    hospital.doctors(2)
    (hospital.folder / "secrets" / "tencent__secret_key").write_text("wrong")
    assert hospital.go("run") == 4
    assert capfd.readouterr().err.rstrip("\n").splitlines()[-1].endswith(" run")
    (hospital.folder / "secrets" / "tencent__secret_key").unlink()
    assert hospital.go("run") == 4
    assert capfd.readouterr().err.rstrip("\n").splitlines()[-1].endswith(" doctor")


def test_quiet_prints_errors_alone(hospital, capfd):
    hospital.doctors(1)
    assert hospital.go("-q", "run") == 0
    assert capfd.readouterr() == ("", "")


def test_windows_quotes_in_its_own_way():
    for word, typed in (
        (r"C:\out\results.xlsx", r"C:\out\results.xlsx"),
        (r"C:\我的 文件\a.xlsx", '"C:\\我的 文件\\a.xlsx"'),
        (r"C:\a&b", '"C:\\a&b"'),
        ("D:\\a b\\", '"D:\\a b\\\\"'),
        ("", '""'),
    ):
        assert quote(word, windows=True) == typed
        assert join(["retry", word], windows=True) == f"retry {typed}"
        assert shlex.split(join(["retry", word], windows=False)) == ["retry", word]


NUMBER_PATH = "11010119900307" + "0011"


@pytest.mark.parametrize(
    ("arguments", "then"),
    [
        (("run", "--out", f"out-{NUMBER_PATH}"), " run$"),
        (("run", f"{NUMBER_PATH}.xlsx"), " run --help$"),
        (("check", f"{NUMBER_PATH}.xlsx", "--seals", "seals"), " run --help$"),
        (("run", f"gone-{NUMBER_PATH}.xlsx"), ""),
        (("ledger", "restore", f"gone-{NUMBER_PATH}.db"), ""),
    ],
)
def test_a_path_that_is_masked_is_never_suggested(hospital, capfd, monkeypatch, arguments, then):
    monkeypatch.chdir(hospital.folder)
    hospital.doctors(2, file="a.xlsx")
    rows = [("王五", "1101", None, "9", None)] if "check" not in arguments else []
    hospital.roster(rows or [(name(1), number(1), None, "00001", None)], file="two.xlsx")
    (hospital.folder / f"{NUMBER_PATH}.xlsx").write_bytes(
        (hospital.folder / "inbox" / "two.xlsx").read_bytes()
    )
    main(["--lang", "en", *arguments], clock=SystemClock())
    stderr_text = capfd.readouterr().err
    assert NUMBER_PATH not in stderr_text
    *_, last = stderr_text.splitlines()
    assert re.search(then, last) if then else "esign-import" not in stderr_text


# A Ctrl-C just before the system call that waits does not interrupt it. One that another thread takes does not either:
# it is sent as soon as the main thread waits for an answer (read of stdin, or select).
INTERRUPTED_AT_THE_QUESTION = """
import os, re, signal, threading, time
from pathlib import Path

def interrupt():
    waits = Path(f"/proc/self/task/{os.getpid()}/syscall")
    numbers = r"63 0x0 |72 " if os.uname().machine == "aarch64" else r"0 0x0 |(23|270) "
    while not re.match(numbers, waits.read_text()):
        time.sleep(0.01)
    signal.pthread_kill(threading.get_ident(), signal.SIGINT)

signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell ignores it for what it starts in the background
threading.Thread(target=interrupt, daemon=True).start()
from pipeline.__main__ import main
main()
"""


@pytest.mark.skipif(not Path("/proc/self/syscall").exists(), reason="it has to be seen waiting")
@pytest.mark.parametrize("words", [("run",), ("init", "new")])
def test_ctrl_c_at_a_question_ends_the_command_also_just_before_it_waits(hospital, words):
    import pty

    hospital.doctors(1)
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-c", INTERRUPTED_AT_THE_QUESTION, *hospital.command(*words)],
        stdin=theirs,
        stderr=subprocess.PIPE,
        cwd=hospital.folder,
        env={**os.environ, "PYTHONPATH": str(HERE)},
    )
    os.close(theirs)
    try:
        _, printed = process.communicate(timeout=30)
    finally:
        process.kill()
        os.close(ours)
    assert process.returncode == 130
    assert b"Interrupted;" in printed
    assert not hospital.service.received


# sends itself a Ctrl-C as soon as the event loop runs: the first module that is loaded there is looked for
INTERRUPTED_AT_ONCE = """
import asyncio, os, signal, sys

class Interrupt:
    def find_spec(self, name, *_):
        if asyncio._get_running_loop() and not self.sent:
            self.sent = True
            os.kill(os.getpid(), signal.SIGINT)
    sent = False

sys.meta_path.insert(0, Interrupt())
from pipeline.__main__ import main
main()
"""


def test_ctrl_c_before_anything_is_sent_does_not_wait_for_the_event_loop(hospital):
    hospital.doctors(1)
    command = [sys.executable, "-c", INTERRUPTED_AT_ONCE, *hospital.command("run", "--yes")]
    ended = subprocess.run(command, cwd=HERE, capture_output=True, text=True, check=False)
    assert ended.returncode == 130
    assert "Interrupted;" in ended.stderr
    assert "Seals to create" not in ended.stderr
    assert not hospital.service.received


def test_a_ctrl_c_in_code_that_cannot_raise_is_not_lost(monkeypatch):
    class Import:
        def __del__(self):
            raise KeyboardInterrupt

    monkeypatch.setattr(sys, "unraisablehook", repeat_lost_interrupt)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    Import()
    with pytest.raises(KeyboardInterrupt):
        wait_until(bool, 5)
