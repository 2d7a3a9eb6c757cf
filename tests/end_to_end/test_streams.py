"""stdin, stdout and stderr that are closed, full or read by nobody; a locale that is not UTF-8; an interrupted start."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from desktop import find_program, skip_or_fail
from people import name
from run_support import wait_until
from wire_support import fault

pytestmark = pytest.mark.skipif(os.name == "nt", reason="a POSIX shell")
HERE = Path(__file__).parents[2]


def shell(hospital, redirected: str, *, options: str = "", locale: dict[str, str] | None = None):
    """Run the command line in a shell; ``redirected`` is what stands behind the command there."""
    command = f"{sys.executable} -m pipeline --config {hospital.folder}/config.yaml --lang en {options} {redirected}"
    # unbuffered, Python has nothing left to write at its end
    environment = {**os.environ, "PYTHONUNBUFFERED": "", "LC_ALL": "C.UTF-8", **(locale or {})}
    return subprocess.run(
        ["bash", "-c", command], capture_output=True, check=False, cwd=HERE, env=environment
    )


def test_closed_streams_end_no_run(hospital):
    """As pythonw and `2>&-` have them; and the log does not become stderr."""
    hospital.doctors(1)
    done = shell(hospital, "<&- >&- 2>&-", options="run")
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
    assert hospital.statuses() == {"sealed": 1}
    done = shell(hospital, "2>&-", options="--json status")
    assert done.returncode == 0
    assert done.stdout.startswith(b"{"), "what is said does not turn up in stdout"
    program = "from pipeline.cli.streams import prepare_streams as o; o(); print(open('/dev/null').fileno())"
    done = subprocess.run(
        ["bash", "-c", f'{sys.executable} -c "{program}" <&- 2>&-'], capture_output=True, check=True, cwd=HERE
    )
    assert int(done.stdout) > 2, "no file gets the number of a stream"


def test_a_reader_that_has_gone_gives_no_exit_code_120(hospital):
    hospital.doctors(1)
    for options, redirected, code in (
        ("run", "2>/dev/full", 0),
        ("status", "2>&1 >/dev/null | head -1; exit ${PIPESTATUS[0]}", 0),
        ("status", ">/dev/full", 74),
    ):
        done = shell(hospital, redirected, options=f"--json {options}")
        assert done.returncode == code, done.stderr
        assert b"Exception ignored" not in done.stderr
        assert b"Traceback" not in done.stderr
        assert hospital.statuses() == {"sealed": 1}


def test_a_run_works_under_a_c_or_gbk_locale(hospital, tmp_path):
    """The terminal and the disk speak UTF-8, the locale does not."""
    made = subprocess.run(
        [find_program("localedef"), "-i", "zh_CN", "-f", "GBK", str(tmp_path / "zh_CN.gbk")],
        capture_output=True,
        check=False,
    )
    if made.returncode:
        skip_or_fail("the charset GBK of localedef (Debian: locales)")
    hospital.seal_doctors(2)
    plain = {"PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    gbk = {**plain, "LC_ALL": "zh_CN.gbk", "LOCPATH": str(tmp_path)}
    done = shell(hospital, "", options=f"explain {name(1)}", locale={**plain, "LC_ALL": "C"})
    assert done.returncode == 0, done.stderr
    assert b"00001" in done.stdout + done.stderr
    (hospital.folder / "seals" / "00002.png").rename(hospital.folder / "seals" / "张伟.png")
    done = shell(hospital, "", options="check", locale=gbk)
    assert done.returncode == 0, done.stderr
    assert b"LC_ALL=C.UTF-8" in done.stderr


@pytest.mark.parametrize("command", ["run", "doctor --offline"])
def test_a_ca_file_without_a_certificate_is_a_fault_of_the_configuration(hospital, capsys, command):
    hospital.doctors(1)
    (hospital.folder / "ca.pem").write_text("no usable certificate")
    hospital.configure(ca_file="ca.pem")
    assert hospital.go(*command.split()) == 2
    assert (
        f"{hospital.folder / 'ca.pem'} (api.ca_file in the configuration) contains no usable certificate"
        in "".join(capsys.readouterr())
    )


@pytest.mark.parametrize(
    ("module", "language", "line"),
    [
        ("click", "zh", "已中断；要继续，请再输入一遍命令。\n"),
        ("tomllib", "en", "Interrupted; to continue, enter the command again.\n"),
    ],
)
def test_ctrl_c_while_the_program_starts_prints_one_line(tmp_path, module, language, line):
    """A module that is slow to load stands for a slow disk."""
    (tmp_path / f"{module}.py").write_text(
        "import sys\nprint('loading', flush=True)\nsys.stdin.read()\n"
        f"sys.path.remove({str(tmp_path)!r})\ndel sys.modules['{module}']\nimport {module}\n"
    )
    program = f"import sys\nsys.argv = ['esign-import', '--lang', '{language}', 'status']\nfrom pipeline.__main__ import main\nmain()\n"
    process = subprocess.Popen(
        [sys.executable, "-c", program],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": f"{tmp_path}{os.pathsep}{HERE}"},
    )
    assert process.stdout.readline() == b"loading\n"
    process.send_signal(signal.SIGINT)
    _, stderr_text = process.communicate(timeout=60)
    assert (process.returncode, stderr_text.decode()) == (130, line)


def test_a_second_ctrl_c_prints_a_message_and_ends_the_log(hospital_with):
    hospital = hospital_with(faults=[fault({"delay_after": 60}, nth=(1,))], api={"timeout_seconds": 60})
    hospital.doctors(2)
    with hospital.start("run", "--yes") as run:
        wait_until(hospital.creates)
        run.send_signal(signal.SIGINT)
        while "Stopping" not in run.stderr.readline():
            assert run.poll() is None
        run.send_signal(signal.SIGINT)
        stderr_text = run.stderr.read()
    assert run.returncode == 130
    assert stderr_text.startswith("Quit without waiting for answers.")
    last = json.loads((hospital.runs[-1] / "log.jsonl").read_text("utf-8").splitlines()[-1])
    assert (last["message"], last["exit"]) == ("the run ends", 130)
