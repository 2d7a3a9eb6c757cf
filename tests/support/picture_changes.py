"""What may change in a hospital's pictures between two runs, each drawn by chance: see random_changes.py."""

from __future__ import annotations

import io
import os
import shutil
import zipfile
from pathlib import Path

from changing_hospital import SERIALS, ChangingHospital
from PIL import Image
from run_support import draw_seal, name, number


def list_pictures(hospital: ChangingHospital) -> list[Path]:
    return sorted(path for path in hospital.seals.rglob("*") if path.is_file() and not path.is_symlink())


def draw_picture(hospital: ChangingHospital) -> None:
    """Put a picture under one of the names that a doctor's may have."""
    dice = hospital.dice
    serial, drawn = dice.choice(SERIALS), dice.choice([*SERIALS, *range(40, 50)])
    if dice.random() < 0.5:
        drawn = serial
    stem = dice.choice([f"{serial:05d}", number(serial), name(serial), f"{name(serial)}印章", "没有人"])
    folder = hospital.seals / dice.choice(["", "", "内科", "外科"])
    folder.mkdir(exist_ok=True)
    path = folder / f"{stem}{dice.choice(['.png', '.png', '.bmp', '.jpg', '.gif', '.PNG'])}"
    path.unlink(missing_ok=True)
    draw_seal(path, drawn)
    hospital.log.append(f"  picture {drawn} at {path.relative_to(hospital.seals)}")


def draw_odd_picture(hospital: ChangingHospital) -> None:
    path = hospital.seals / f"{hospital.dice.choice(SERIALS):05d}.png"
    path.unlink(missing_ok=True)
    kind = hospital.dice.choice(
        ["large", "blank", "tiny", "cut", "empty", "text", "huge", "cmyk", "named like it"]
    )
    hospital.log.append(f"  {kind}: {path.name}")
    buffer = io.BytesIO()
    draw_seal(path, 3)
    if kind == "large":
        Image.open(path).resize((1400, 700)).save(path)
    elif kind == "blank":
        Image.new("RGB", (120, 60), "white").save(path)
    elif kind == "tiny":
        Image.new("RGB", (3, 3), "red").save(path)
    elif kind == "cut":
        path.write_bytes(path.read_bytes()[:-40])
    elif kind == "cmyk":
        Image.open(path).convert("CMYK").save(buffer, "JPEG")
        path.write_bytes(buffer.getvalue())
    elif kind == "huge":
        os.truncate(path, 70_000_000)  # takes no blocks
    elif kind != "named like it":
        path.write_bytes(b"" if kind == "empty" else b"no picture")


def replace_content(hospital: ChangingHospital) -> None:
    """Put another drawing of the same size and time in a picture's place."""
    if pictures := list_pictures(hospital):
        path = hospital.dice.choice(pictures)
        status, data = path.stat(), bytearray(path.read_bytes()[:100_000])
        fresh = path.with_name("fresh.png")
        draw_seal(fresh, hospital.dice.choice([*SERIALS, 60, 61]))
        drawn = fresh.read_bytes()
        fresh.unlink()
        path.write_bytes(drawn[: len(data)] + b"\0" * (len(data) - len(drawn)))
        os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


def touch_picture(hospital: ChangingHospital) -> None:
    if pictures := list_pictures(hospital):
        path = hospital.dice.choice(pictures)
        status = path.stat()
        os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns + hospital.dice.choice([-5 * 10**9, 0])))


def swap_pictures(hospital: ChangingHospital) -> None:
    pictures = list_pictures(hospital)
    if len(pictures) > 1:
        one, other = hospital.dice.sample(pictures, 2)
        third = one.with_name("third")
        one.rename(third)
        other.rename(one)
        third.rename(other)


def rename_picture(hospital: ChangingHospital) -> None:
    if pictures := list_pictures(hospital):
        path, serial = hospital.dice.choice(pictures), hospital.dice.choice(SERIALS)
        stem = hospital.dice.choice([f"{serial:05d}", number(serial), name(serial), f"{name(serial)}(2)"])
        path.rename(path.with_name(stem + path.suffix))


def copy_picture(hospital: ChangingHospital) -> None:
    """Give two doctors one picture: a copy that keeps its time, a hard link, or a link."""
    if pictures := list_pictures(hospital):
        path, serial = hospital.dice.choice(pictures), hospital.dice.choice(SERIALS)
        target = hospital.seals / f"{serial:05d}{path.suffix}"
        if path == target:
            return
        target.unlink(missing_ok=True)
        hospital.dice.choice([shutil.copy2, os.link, os.symlink])(path, target)


def delete_picture(hospital: ChangingHospital) -> None:
    if pictures := list_pictures(hospital):
        hospital.dice.choice(pictures).unlink()


def restore_pictures(hospital: ChangingHospital) -> None:
    """Put the folder of pictures in order again."""
    if hospital.seals.is_symlink():
        hospital.seals.unlink()
    shutil.rmtree(hospital.seals, ignore_errors=True)
    shutil.rmtree(hospital.folder / "copied", ignore_errors=True)
    hospital.seals.mkdir()
    for roster, position in hospital.lines:
        serial = roster.rows[position]["serial"]
        draw_seal(hospital.seals / f"{serial:05d}.png", serial)


def move_folder(hospital: ChangingHospital) -> None:
    """Swap two folders of pictures, rename one, or put a link to a copy in the place of all."""
    kind = hospital.dice.choice(["swap", "rename", "link", "garbled"])
    one, other, third = (hospital.seals / stem for stem in ("内科", "外科", "旧"))
    garbled = Path(os.fsdecode(os.fsencode(hospital.seals) + b"/" + "内科".encode("gb18030")))
    if kind == "swap" and one.exists() and other.exists():
        one.rename(third)
        other.rename(one)
        third.rename(other)
    elif kind == "rename" and one.exists() and not other.exists():
        one.rename(other)
    elif kind == "garbled" and one.exists() and not garbled.exists():
        one.rename(garbled)
    elif kind == "garbled" and garbled.exists() and not one.exists():
        garbled.rename(one)
    elif kind == "link":
        copy = hospital.folder / "copied"
        if hospital.seals.is_symlink():
            hospital.seals.unlink()
            copy.rename(hospital.seals)
        else:
            hospital.seals.rename(copy)
            hospital.seals.symlink_to(copy)


def zip_pictures(hospital: ChangingHospital) -> None:
    pictures = list_pictures(hospital)
    if pictures:
        path = hospital.dice.choice(pictures)
        with zipfile.ZipFile(hospital.seals / "照片.zip", "w") as archive:
            archive.write(path, path.name)
        if hospital.dice.random() < 0.5:
            path.unlink()


def add_other_file(hospital: ChangingHospital) -> None:
    path = hospital.seals / f"{name(hospital.dice.choice(SERIALS))}.pdf"
    if path.exists():
        path.unlink()
    else:
        path.write_bytes(b"%PDF")
