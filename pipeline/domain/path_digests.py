"""Digests of the paths of rosters, by which a later run knows them again. A name may hold an identity number: no path is stored."""

from __future__ import annotations

import os
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from pipeline.domain.site_key import SiteKey


@dataclass(frozen=True, slots=True)
class PathDigests:
    """Makes the digests of paths, which stay the same when a hospital's folder is moved with its rosters."""

    site_key: SiteKey
    folders: tuple[Path, ...]  # of config.yaml, and of the results: one of them moves along with the rosters

    def digest(self, path: Path) -> str:
        """Return the digests of a path: of the whole path, and of the way to it from each folder."""
        whole = os.path.normpath(path.absolute())
        ways = [whole]
        for folder in self.folders:
            way = whole
            with suppress(ValueError):  # on another drive of Windows
                way = os.path.relpath(whole, folder)
            ways.append(way)
        return " ".join(map(self.site_key.digest, ways))

    def digest_all(self, paths: Iterable[Path]) -> tuple[str, ...]:
        """Return the digests of paths, those of each path once."""
        return tuple(dict.fromkeys(map(self.digest, paths)))


def is_same_path(first: str, second: str) -> bool:
    """Return whether two digests are of one path, also where its folder was moved in between."""
    return any(one == other for one, other in zip(first.split(), second.split(), strict=True))
