"""Hospitals are folders with one config.yaml each, several of them in one folder.

`common.yaml` of the folder above a hospital's lies under its config.yaml.
"""

from __future__ import annotations

import os
from pathlib import Path

from pipeline.errors import UsageError

CONFIG = "config.yaml"
COMMON = "common.yaml"


def get_config_file(path: Path) -> Path:
    """Return the file of a hospital that is named by its folder, or by the file itself."""
    return path / CONFIG if path.is_dir() else path


def get_common_file(file: Path) -> Path:
    """Return the file that lies under a hospital's file; it need not exist."""
    return get_folder(file).parent / COMMON


def get_folder(file: Path) -> Path:
    """Return the folder of a hospital's file, by a path that ends with its name."""
    folder = file.parent
    return folder.resolve() if folder.name in {"", ".."} else folder


def require_no_common_file(file: Path) -> None:
    """Raise UsageError where other keys would lie under a sandbox's file: they name real ledgers and channels."""
    common_file = get_common_file(file)
    if os.path.lexists(common_file):
        raise UsageError("hospitals.no_sandbox", folder=file.parent, file=common_file)


def list_hospitals(path: Path) -> dict[str, Path]:
    """Return the files of the hospitals that a path names, by the names of their folders.

    The path is that of one hospital's file, of its folder, or of a folder of such folders. Raises UsageError for a folder that
    is both: its hospitals would silently be left out.
    """
    file = get_config_file(path)
    if not path.is_dir() or os.path.lexists(file):
        if file.name == CONFIG and os.path.lexists(file.with_name(COMMON)):
            raise UsageError("hospitals.is_both", folder=file.parent)
        return {get_folder(file).name: file}
    folders = sorted(folder for folder in path.iterdir() if _holds_config(folder))
    return {folder.name: folder / CONFIG for folder in folders}


def _holds_config(folder: Path) -> bool:
    try:
        (folder / CONFIG).lstat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError:  # a folder that may not be entered is not left out: its turn reports it
        return True
    return True
