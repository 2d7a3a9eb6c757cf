"""The name in a picture, read with the extra ``ocr`` (rapidocr, its models in the wheel): a cross-check, never a proof.

Only a picture that clearly shows another doctor of the same roster is refused. What was read is kept in ``work/ocr``
under the picture's digest, so that a picture is read once. No network is used, and nothing is written outside that
folder.

The reader expects printed lines, so characters that stand in squares and columns are set side by side. How personal
seals are arranged: two rows of two are read from the right column to the left; a surname may stand large beside the
given name; a column is read from the top.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
import json
import os
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cached_property, partial
from itertools import pairwise
from pathlib import Path
from typing import Any

from PIL import Image, ImageChops, ImageOps

from pipeline.domain.roster import Doctor, Field, ImageFile, Problem
from pipeline.errors import NotReadNow, UsageError, isolate_row_failure
from pipeline.intake.images import ink
from pipeline.intake.images.decode import decoding_file, refusing_faults
from pipeline.intake.images.encode import convert_mode, encode_image
from pipeline.intake.images.image_files import ImageRefused, mask_file_name, read_regular_file, replace_file
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

WHOLE = "whole"  # the picture as it is; all other views are single lines

_SIDE = 640  # pixels of the longer side: more is slower and not read better
_LINE = 64  # pixels of a line's height
_GAP = 8  # pixels between characters
_BORDER = 8  # the part of a side in which a frame may run: an eighth
_SQUARE = (0.7, 1.4)  # width to height
_LONGEST = 8  # characters in a line or column

Box = tuple[int, int, int, int]


def check_names_in_images(doctors: Sequence[Doctor], *, work: Path) -> list[Doctor]:
    """Return the doctors, IMAGE_NAME_MISMATCH added where the picture clearly shows another one's name.

    Raises UsageError without the extra, OSError where ``work`` cannot be written.
    """
    reader = _TextReader(work / "ocr")
    names = {doctor.name for doctor in doctors if doctor.name}
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
        shown = choose_mismatched_name(doctor.name, names, reader.read_texts(doctor.picture, texts))
    except NotReadNow as trouble:
        file = mask_file_name(doctor.picture.name)
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


def choose_mismatched_name(own: str, names: Collection[str], texts: Iterable[str]) -> str | None:
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
        for part, path in _get_model_files().items():
            params[f"{part.title()}.model_path"] = str(path)
        return RapidOCR(params=params)


def _describe_version() -> str:
    """Return what decides how a picture is read: the packages, the models, our views. Raises UsageError."""
    try:
        packages = [f"{name} {importlib.metadata.version(name)}" for name in _PACKAGES]
    except importlib.metadata.PackageNotFoundError:
        raise UsageError("usage.no_ocr") from None
    return ", ".join([*packages, *(path.name for path in _get_model_files().values()), f"views {_VIEWS}"])


def _get_model_files() -> dict[str, Path]:
    """Return the model files in the package, by what they do. Raises UsageError where one is missing."""
    spec = importlib.util.find_spec("rapidocr")
    folder = Path(spec.origin).parent / "models" if spec and spec.origin else None
    models = {part: sorted(folder.glob(f"*_{part}_*.onnx")) if folder else [] for part in _PARTS}
    if any(len(files) != 1 for files in models.values()):
        raise UsageError("usage.no_ocr")
    return {part: files[0] for part, files in models.items()}


def draw_ocr_views(image: ImageFile) -> Iterator[tuple[str, bytes]]:
    """Yield (kind, PNG) of the ways in which a picture's characters may be read; none where it is unreadable or blank.

    The last is of kind ``WHOLE``: the picture as it is. All others hold one line of characters. Raises
    NotReadNow.
    """
    try:
        with decoding_file(image) as decoded:
            seal = cut_seal(decoded.image)
        if seal is not None:
            with refusing_faults():
                yield from draw_views(seal)
    except ImageRefused:
        return


def cut_seal(image: Image.Image) -> Image.Image | None:
    """Return the part of a picture that has ink, on white (RGB); None where it has none."""
    small = ink.scan_image(image).small
    components = ink.list_components(ink.measure_darkness(ink.smooth(small, image.size)))
    if ink.is_blank(components):
        return None
    side = ink.get_cell_side(small.size) * ink.get_step(image.size)
    box = ink.enclose_components(one for one in components if not one.is_speck).grow(1)
    x0, y0 = max(0, box.x0 * side), max(0, box.y0 * side)
    part = image.crop((x0, y0, min(image.width, box.x1 * side), min(image.height, box.y1 * side)))
    part = convert_mode(part, "RGBA")
    part.thumbnail((_SIDE, _SIDE))
    return ink.put_on_white(part)


def draw_views(seal: Image.Image) -> Iterator[tuple[str, bytes]]:
    """Yield (kind, PNG) of the ways in which a seal may be read, the quick ones first."""
    letters = _cut_letters(seal)
    for kind, boxes in _list_arrangements(letters):
        yield kind, encode_image(_join_in_line([letters.crop(box) for box in boxes]), "PNG")
    yield WHOLE, encode_image(_pad_long_seal(seal), "PNG")


def _pad_long_seal(seal: Image.Image) -> Image.Image:
    """Return a very long or high seal with paper beside it: a reader scales the shorter side up to a least."""
    least = max(seal.size) // _LONGEST
    size = (max(seal.width, least), max(seal.height, least))
    return seal if size == seal.size else ImageOps.pad(seal, size, color="white")


def _cut_letters(seal: Image.Image) -> Image.Image:
    """Return the characters alone, black on white (L): no frame, no ground of ink."""
    letters = ImageOps.autocontrast(ink.compute_darkest(seal), cutoff=1)
    letters = _crop_to_ink(letters)
    if _mask_ink(letters).resize((1, 1), Image.Resampling.BOX).tobytes()[0] > 127:  # more ink than paper
        letters = ImageChops.invert(letters)
    return _crop_to_ink(_remove_frame(letters))


def _crop_to_ink(letters: Image.Image) -> Image.Image:
    return letters.crop(_mask_ink(letters).getbbox())


def _mask_ink(letters: Image.Image) -> Image.Image:
    """Return a mask of the points with ink (L, 255)."""
    return ink.mask_below(128, letters)


def _remove_frame(letters: Image.Image) -> Image.Image:
    """Return what is inside a frame; the picture itself where not all four sides have a line."""
    columns, rows = _measure_profiles(letters)
    sides = [_get_line_end(profile) for profile in (columns, rows, columns[::-1], rows[::-1])]
    if not all(sides):
        return letters
    x0, y0, x1, y1 = sides
    return letters.crop((x0, y0, letters.width - x1, letters.height - y1))


def _measure_profiles(letters: Image.Image) -> tuple[bytes, bytes]:
    """Return how much ink each column and each row has, of 255."""
    inked = _mask_ink(letters)
    columns = inked.resize((letters.width, 1), Image.Resampling.BOX).tobytes()
    return columns, inked.resize((1, letters.height), Image.Resampling.BOX).tobytes()


def _get_line_end(profile: bytes) -> int:
    """Return where a line along the edge ends, 0 where there is none."""
    dark = (index + 1 for index in range(len(profile) // _BORDER) if profile[index] > 127)
    return max(dark, default=0)


def _list_arrangements(letters: Image.Image) -> Iterator[tuple[str, Sequence[Box]]]:
    """Yield (kind, boxes in reading order) of every arrangement that a seal of this shape may have."""
    width, height = letters.size
    columns, rows = _measure_profiles(letters)
    yield "line", [(0, 0, width, height)]
    if _SQUARE[0] <= width / height <= _SQUARE[1]:
        middle = _choose_gap(columns, 1 / 2)
        right_half, left_half = _halve_column(letters, middle, width), _halve_column(letters, 0, middle)
        yield "square", [*right_half, *left_half]
        yield "surname right", [(middle, 0, width, height), *left_half]
        yield "surname left", [(0, 0, middle, height), *right_half]
    for count in sorted({height // width, height // width + 1} - {0, 1}):
        if height >= _SQUARE[1] * width and count <= _LONGEST:
            cuts = [0, *(_choose_gap(rows, part / count, 1 / count) for part in range(1, count)), height]
            yield f"column {count}", [(0, y0, width, y1) for y0, y1 in pairwise(cuts)]


def _halve_column(letters: Image.Image, x0: int, x1: int) -> list[Box]:
    """Return the upper and the lower half of a column of the picture."""
    rows = _measure_profiles(letters.crop((x0, 0, x1, letters.height)))[1]
    middle = _choose_gap(rows, 1 / 2)
    return [(x0, 0, x1, middle), (x0, middle, x1, letters.height)]


def _choose_gap(profile: bytes, near: float, reach: float = 1 / 2) -> int:
    """Return where there is the least ink near a share of the length, within a quarter of ``reach`` either way."""
    length = len(profile)
    wanted, most = round(length * near), max(1, round(length * reach / 4))
    candidates = range(max(1, wanted - most), min(length, wanted + most))
    return min(candidates, key=lambda index: (profile[index], abs(index - wanted)), default=wanted)


def _join_in_line(tiles: Sequence[Image.Image]) -> Image.Image:
    """Return the characters in one line, each as high as the line."""
    longest = 2 * _LINE * _LONGEST
    scaled = [
        tile.resize(
            (max(1, min(tile.width * _LINE // tile.height, longest)), _LINE), Image.Resampling.LANCZOS
        )
        for tile in tiles
        if min(tile.size) > 0
    ]
    line = Image.new("L", (sum(tile.width + _GAP for tile in scaled) + _GAP, _LINE + 2 * _GAP), 255)
    x0 = _GAP
    for tile in scaled:
        line.paste(tile, (x0, _GAP))
        x0 += tile.width + _GAP
    return line
