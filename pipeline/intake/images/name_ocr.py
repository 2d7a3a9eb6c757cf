"""The name in a picture, read with the extra ``ocr`` (rapidocr, its models in the wheel): a cross-check, never a proof.

Only a picture that clearly shows another doctor of the same roster is refused. What was read is kept in ``work/ocr``
under the picture's digest, so that a picture is read once. No network is used, and nothing is written outside that
folder.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
import json
import os
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cached_property, partial
from pathlib import Path
from typing import Any

from pipeline.domain.roster import Doctor, Field, ImageFile, Problem
from pipeline.errors import NotReadNow, UsageError, isolate_row_failure
from pipeline.intake.images.image_files import mask_file_name, read_regular_file, replace_file
from pipeline.intake.images.ocr_layout import WHOLE
from pipeline.intake.images.prepare import draw_ocr_views
from pipeline.messages.problems import build_problem

_VIEWS = 1  # raised when the views of a picture change
_PARTS = ("det", "cls", "rec")  # the models that find lines, turn them, read them
_PACKAGES = ("rapidocr", "onnxruntime")
# measured on drawn seals: lines are found best, and six times as fast, in pictures that are not drawn larger than 320
# pixels for it; several threads on one small picture only wait for each other
_SETTINGS: Mapping[str, object] = {
    "Global.log_level": "critical",
    "Det.limit_side_len": 320,
    "EngineConfig.onnxruntime.intra_op_num_threads": 1,
}
# shares of a name's characters: so many must be seen of another's, and no more of one's own
_CLEAR, _ABSENT = 0.67, 0.34
_SHORTEST = 2  # characters of a name that can be recognized by them


def check_names_in_images(
    doctors: Sequence[Doctor], *, context: Sequence[Doctor] = (), work: Path
) -> list[Doctor]:
    """Return the doctors, IMAGE_NAME_MISMATCH added where the picture clearly shows another one's name.

    ``context`` are rows of the roster whose names count and whose pictures are not read. Raises UsageError without the
    extra, OSError where ``work`` cannot be written.
    """
    reader = _TextReader(work / "ocr")
    names = {doctor.name for doctor in (*doctors, *context) if doctor.name}
    return [
        isolate_row_failure(
            partial(_check_doctor, doctor, names, reader),
            partial(_add_failure, doctor),
            stage="ocr",
            row_id=doctor.row_id,
        )
        for doctor in doctors
    ]


def _add_failure(doctor: Doctor, failure: Problem) -> Doctor:
    return replace(doctor, problems=(*doctor.problems, replace(failure, field=Field.PICTURE)))


def _check_doctor(doctor: Doctor, names: Collection[str], reader: _TextReader) -> Doctor:
    if doctor.picture is None or doctor.name is None:
        return doctor
    known = reader.read_known_texts(doctor.picture)
    texts = dict(known)
    cell = doctor.row.address(Field.PICTURE)
    try:
        shown = find_mismatched_name(doctor.name, names, reader.read_texts(doctor.picture, texts))
    except NotReadNow as trouble:
        file = mask_file_name(doctor.picture.path.name)
        unread = build_problem(
            "IMAGE_NOT_READ", Field.PICTURE, cell, file=file, severity=None, **trouble.words
        )
        return replace(doctor, problems=(*doctor.problems, unread))
    if texts != known:
        reader.keep_texts(doctor.picture, texts)
    if shown is None:
        return doctor
    mismatch = build_problem("IMAGE_NAME_MISMATCH", Field.PICTURE, cell, found=shown)
    return replace(doctor, problems=(*doctor.problems, mismatch))


def find_mismatched_name(own: str, names: Collection[str], texts: Iterable[str]) -> str | None:
    """Return the name among ``names`` that the texts clearly show in place of ``own``, None in every case of doubt.

    The texts are readings of one picture; each name counts by its best. They are taken one by one, and no further once
    enough of the own name was seen.
    """
    if len(_drop_dots(own)) < _SHORTEST:
        return None
    others = {name: 0.0 for name in names if name != own and len(_drop_dots(name)) >= _SHORTEST}
    for text in texts:
        if get_share_seen(own, text) > _ABSENT:
            return None
        others = {name: max(best, get_share_seen(name, text)) for name, best in others.items()}
    clearest = max(others, key=lambda name: (others[name], len(name), name), default=None)
    return clearest if clearest is not None and others[clearest] >= _CLEAR else None


def get_share_seen(name: str, text: str) -> float:
    """Return the share of a name's characters that a text holds, in any order: seals are read in several."""
    characters = _drop_dots(name)
    return sum(character in text for character in characters) / len(characters)


def _drop_dots(name: str) -> str:
    return name.replace("·", "")


class _TextReader:
    """Reads pictures, and keeps what it read; the models are loaded when the first new picture comes."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._version = _describe_version()

    def read_texts(self, image: ImageFile, texts: dict[str, str]) -> Iterator[str]:
        """Yield the text of a picture in each of its views: those in ``texts``, then the others, which are added to it."""
        yield from tuple(texts.values())
        if WHOLE in texts:  # the last of them
            return
        for kind, view in draw_ocr_views(image):
            if kind not in texts:
                is_whole = kind == WHOLE
                result = self._engine(view, use_det=is_whole, use_cls=is_whole, use_rec=True)
                texts[kind] = "".join(result.txts or ())
                yield texts[kind]

    def read_known_texts(self, image: ImageFile) -> dict[str, str]:
        """Return the texts that were read of a picture before, by view; nothing where that cannot be trusted."""
        try:
            kept = json.loads(read_regular_file(self._get_path(image)))
        except (NotReadNow, OSError, ValueError, RecursionError):
            return {}
        if not isinstance(kept, dict) or kept.get("version") != self._version:
            return {}
        texts = kept.get("texts")
        if not isinstance(texts, dict) or not all(isinstance(text, str) for text in texts.values()):
            return {}
        return texts

    def keep_texts(self, image: ImageFile, texts: Mapping[str, str]) -> None:
        """Keep what was read, for the owner alone; written whole or not at all."""
        payload = json.dumps({"version": self._version, "texts": texts}, ensure_ascii=False)
        replace_file(self._get_path(image), payload.encode("utf-8"))

    def _get_path(self, image: ImageFile) -> Path:
        return self._folder / f"{image.sha256}.json"

    @cached_property
    def _engine(self) -> Any:
        """Load the models that the package holds: named one by one, none is ever fetched.

        onnxruntime reports its use to Microsoft and leaves a device number in the home folder unless that is forbidden
        before it is loaded (its Privacy.md).
        """
        os.environ["ORT_DISABLE_TELEMETRY"] = "1"
        from rapidocr import RapidOCR  # noqa: PLC0415 -- an extra, and slow to load

        params = dict(_SETTINGS)
        for part, path in _find_models().items():
            params[f"{part.title()}.model_path"] = str(path)
        return RapidOCR(params=params)


def _describe_version() -> str:
    """Return what decides how a picture is read: the packages, the models, our views. Raises UsageError."""
    try:
        packages = [f"{name} {importlib.metadata.version(name)}" for name in _PACKAGES]
    except importlib.metadata.PackageNotFoundError:
        raise UsageError("usage.no_ocr") from None
    return ", ".join([*packages, *(path.name for path in _find_models().values()), f"views {_VIEWS}"])


def _find_models() -> dict[str, Path]:
    """Return the model files in the package, by what they do. Raises UsageError where one is missing."""
    spec = importlib.util.find_spec("rapidocr")
    folder = Path(spec.origin).parent / "models" if spec and spec.origin else None
    models = {part: sorted(folder.glob(f"*_{part}_*.onnx")) if folder else [] for part in _PARTS}
    if any(len(files) != 1 for files in models.values()):
        raise UsageError("usage.no_ocr")
    return {part: files[0] for part, files in models.items()}
