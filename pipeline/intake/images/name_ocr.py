"""The name in a picture, read with the extra ``ocr`` (rapidocr, its models in the wheel): a cross-check, never a proof.

Only a picture that clearly shows another doctor of the same roster is refused (``shown_name``). What was read is kept
in ``work/ocr`` under the picture's digest, so that a picture is read once. No network is used, nothing is reported to
anybody, and nothing is written beside that folder.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
import json
import os
import tempfile
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cached_property, partial
from pathlib import Path
from typing import Any

from pipeline import row_failures
from pipeline.domain.roster import Doctor, Field, ImageFile, Problem
from pipeline.errors import NotReadNow, UsageError
from pipeline.intake.images import prepare
from pipeline.intake.images.displayed_name import find_mismatched_name
from pipeline.intake.pairing import file_names, image_index
from pipeline.messages.problems import problem

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


def check_names_in_images(
    doctors: Sequence[Doctor], *, beside: Sequence[Doctor] = (), work: Path
) -> list[Doctor]:
    """Return the doctors, IMAGE_NAME_MISMATCH added where the picture clearly shows another one's name.

    ``beside`` are rows of the roster whose names count and whose pictures are not read. Raises UsageError without the extra, OSError where ``work`` cannot be written.
    """
    reader = _Reader(work / "ocr")
    names = {doctor.name for doctor in (*doctors, *beside) if doctor.name}
    return [
        row_failures.isolate_row_failure(
            partial(_checked, doctor, names, reader),
            partial(_unchecked, doctor),
            stage="ocr",
            row_id=doctor.row_id,
        )
        for doctor in doctors
    ]


def _unchecked(doctor: Doctor, found: Problem) -> Doctor:
    return replace(doctor, problems=(*doctor.problems, replace(found, field=Field.PICTURE)))


def _checked(doctor: Doctor, names: Collection[str], reader: _Reader) -> Doctor:
    if doctor.picture is None or doctor.name is None:
        return doctor
    known = reader.recall(doctor.picture)
    read = dict(known)
    cell = doctor.row.address(Field.PICTURE)
    try:
        found = find_mismatched_name(doctor.name, names, reader.texts(doctor.picture, read))
    except NotReadNow as trouble:
        file = file_names.shown(doctor.picture.path.name)
        unread = problem("IMAGE_NOT_READ", Field.PICTURE, cell, file=file, severity=None, **trouble.words)
        return replace(doctor, problems=(*doctor.problems, unread))
    if read != known:
        reader.remember(doctor.picture, read)
    if found is None:
        return doctor
    return replace(
        doctor, problems=(*doctor.problems, problem("IMAGE_NAME_MISMATCH", Field.PICTURE, cell, found=found))
    )


class _Reader:
    """Reads pictures, and remembers what it read; the models are loaded when the first new picture comes."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._version = _version()

    def texts(self, picture: ImageFile, read: dict[str, str]) -> Iterator[str]:
        """Yield what a picture says in each of its views: those in ``read``, then the others, which are added to it."""
        yield from tuple(read.values())
        if prepare.WHOLE in read:  # the last of them
            return
        for kind, drawn in prepare.views(picture):
            if kind not in read:
                whole = kind == prepare.WHOLE
                found = self._engine(drawn, use_det=whole, use_cls=whole, use_rec=True)
                read[kind] = "".join(found.txts or ())
                yield read[kind]

    def recall(self, picture: ImageFile) -> dict[str, str]:
        """Return what was read of a picture, by view; nothing where that cannot be trusted."""
        try:
            kept = json.loads(image_index.read(self._path(picture)))
        except (NotReadNow, OSError, ValueError, RecursionError):
            return {}
        if not isinstance(kept, dict) or kept.get("version") != self._version:
            return {}
        texts = kept.get("texts")
        if not isinstance(texts, dict) or not all(isinstance(text, str) for text in texts.values()):
            return {}
        return texts

    def remember(self, picture: ImageFile, texts: Mapping[str, str]) -> None:
        """Keep what was read, for the owner alone; written whole or not at all."""
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        payload = json.dumps({"version": self._version, "texts": texts}, ensure_ascii=False)
        descriptor, temporary = tempfile.mkstemp(dir=self._folder)  # 0600
        try:
            with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                file.write(payload)
            Path(temporary).replace(self._path(picture))
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise

    def _path(self, picture: ImageFile) -> Path:
        return self._folder / f"{picture.sha256}.json"

    @cached_property
    def _engine(self) -> Any:
        """Load the models that the package holds: named one by one, none is ever fetched.

        onnxruntime reports its use to Microsoft and leaves a device number in the home folder unless it is told not to
        before it is loaded (its Privacy.md).
        """
        os.environ["ORT_DISABLE_TELEMETRY"] = "1"
        from rapidocr import RapidOCR  # noqa: PLC0415 -- an extra, and slow to load

        params = dict(_SETTINGS)
        for part, path in _models().items():
            params[f"{part.title()}.model_path"] = str(path)
        return RapidOCR(params=params)


def _version() -> str:
    """Return what decides how a picture is read: the packages, the models, our views. Raises UsageError."""
    try:
        packages = [f"{name} {importlib.metadata.version(name)}" for name in _PACKAGES]
    except importlib.metadata.PackageNotFoundError:
        raise _missing() from None
    return ", ".join([*packages, *(path.name for path in _models().values()), f"views {_VIEWS}"])


def _models() -> dict[str, Path]:
    """Return the model files in the package, by what they do."""
    spec = importlib.util.find_spec("rapidocr")
    if spec is None or spec.origin is None:
        raise _missing()
    folder = Path(spec.origin).parent / "models"
    found = {part: sorted(folder.glob(f"*_{part}_*.onnx")) for part in _PARTS}
    if any(len(files) != 1 for files in found.values()):
        raise _missing()
    return {part: files[0] for part, files in found.items()}


def _missing() -> UsageError:
    return UsageError("usage.no_ocr")
