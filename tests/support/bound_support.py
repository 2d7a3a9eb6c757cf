"""A process that rights bind: the tests may run as root, whom no mode keeps from a file."""

import os
import shutil
import subprocess

import pytest

_POWERS = "-dac_override,-dac_read_search,-fowner,-net_bind_service"
_IS_ROOT = hasattr(os, "geteuid") and os.geteuid() == 0
BOUND = ("setpriv", f"--bounding-set={_POWERS}", f"--inh-caps={_POWERS}") if _IS_ROOT else ()


def _binds() -> bool:
    if os.name == "nt":
        return False
    if not _IS_ROOT:
        return True
    return (
        shutil.which("setpriv") is not None and not subprocess.run([*BOUND, "true"], check=False).returncode
    )


needs_rights = pytest.mark.skipif(not _binds(), reason="no way to start a process that rights bind")
