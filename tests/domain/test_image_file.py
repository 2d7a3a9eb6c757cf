"""A picture keeps its path, though it holds no path object."""

import os
import pickle
from pathlib import Path

from hypothesis import assume, example, given
from hypothesis import strategies as st

from pipeline.domain.masking import Masker
from pipeline.domain.roster import ImageFile

NAMES = st.text(st.characters(exclude_characters="\0"), min_size=1, max_size=4)
PARTS = st.lists(
    st.sampled_from([".", "..", "/", "a.xlsx", "内科!H12", "\udcd5\udcc5.png"]) | NAMES, max_size=4
)


@given(PARTS)
@example(["a.png"])
@example(["/", "a.png"])
@example(["//", "a.png"])
@example([".", "内科", "张伟.png"])
def test_a_picture_keeps_its_path(parts):
    path = Path(*parts)
    assume(path.name)
    image = ImageFile.from_path(path, "sha256", 1)
    assert (image.path, image.file, image.location, image.name) == (path, path, str(path), path.name)
    assert Masker().mask_path(image.location) == Masker().mask_path(path)
    assert pickle.loads(pickle.dumps(image)) == image
    assert ImageFile.from_path(path, "sha256", 1, Path("kept")).file == Path("kept")


def test_pictures_of_one_folder_share_its_name():
    one, other = (ImageFile.from_path(Path(f"seals{os.sep}内科", name), "", 1) for name in ("a.png", "b.png"))
    assert one.folder is other.folder
