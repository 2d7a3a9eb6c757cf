"""What stands in the picture column: file names, words that are none, and attempts to reach out of the folder."""

from generated_rosters.cast import Cast, Register
from generated_rosters.truth import refused, sent

TRAPS = Register()

# entry -> how the file lies in the folder and how the column names it
NAMED = {
    "base name": ("{stem}.png", "{stem}.png"),
    "without extension": ("{stem}.png", "{stem}"),
    "extension in another case": ("{stem}.PNG", "{stem}.png"),
    "in a sub-folder, base name alone": ("新增/{stem}.png", "{stem}.png"),
    "in a sub-folder, with it": ("新增/{stem}.png", "新增/{stem}.png"),
    "in a sub-folder, with a backslash": ("新增/{stem}.png", "新增\\{stem}.png"),
    "from here": ("{stem}.png", "./{stem}.png"),
    "spaces around": ("{stem}.png", " {stem}.png "),
    "a drive of another computer": ("{stem}.png", "C:\\印章\\{stem}.png"),
    "a share": ("{stem}.png", "\\\\server\\share\\{stem}.png"),
}
REACHING = {
    "URL": "https://example.invalid/{stem}.png",
    "parent folder": "../{stem}.png",
    "parent folder, backslash": "..\\..\\{stem}.png",
    "absolute": "/etc/{stem}",
    "drive": "C:\\印章\\..\\{stem}.png",
    "file URL": "file:///tmp/{stem}.png",
}


def _named(name: str, path: str, written: str) -> None:
    @TRAPS(f"picture column: {name}", "+picture")
    def build(cast: Cast, tables) -> None:
        person = cast.person()
        made = cast.png(person)
        stem = f"扫描{cast.seed}{person.serial:04}"
        cast.add_file(path.format(stem=stem), made.data)
        reported = ["IMAGE_NAME_FUZZY"] if written.startswith(("C:", "\\\\")) else []
        accept = [sent(person, made, must=reported)]
        if cast.way != "folder" and "/" in path:  # the zip may hold all pictures in a folder of its own
            accept.append(refused("IMAGE_MISSING", "picture"))
        cast.add(tables[0], person, accept, picture=written.format(stem=stem))


for _name, _case in NAMED.items():
    _named(_name, *_case)


def _reaching(name: str, written: str) -> None:
    @TRAPS(f"picture column: {name}", "+picture")
    def build(cast: Cast, tables) -> None:
        person = cast.person()
        cast.give(person, tables[0], "name")  # an older picture must not stand in for what was written
        entry = written.format(stem=person.name)
        cast.add(tables[0], person, refused("IMAGE_PATH_REJECTED", "picture"), picture=entry)


for _name, _written in REACHING.items():
    _reaching(_name, _written)


@TRAPS("picture column: a file that is not there, beside one of the name", "+picture")
def absent(cast, tables):
    person = cast.person()
    cast.give(person, tables[0], "name")
    cast.add(tables[0], person, refused("IMAGE_MISSING", "picture"), picture=f"{person.name}-新章.png")


@TRAPS("picture column: the file that bears another doctor's name", "+picture", tables=2)
def borrowed(cast, tables):
    """One picture, two doctors: nobody gets it."""
    person, other = cast.person(), cast.person()
    cast.add_file(f"{other.name}.png", cast.png(other).data)
    cast.add(tables[0], person, refused("IMAGE_SHARED IMAGE_AMBIGUOUS"), picture=f"{other.name}.png")
    cast.add(tables[1], other, refused("IMAGE_SHARED IMAGE_AMBIGUOUS"))


@TRAPS("picture column: a word that means no file", "+picture")
def word(cast, tables):
    person = cast.person()
    made = cast.give(person, tables[0])
    written = cast.dice.choice(("已交", "√", "有", "已提供"))
    cast.add(tables[0], person, sent(person, made), picture=written)


@TRAPS("picture column: the file of another doctor's name", "+picture", tables=2)
def others(cast, tables):
    """The column wins: the picture is this doctor's; the other one has a file of his number."""
    person, other = cast.person(), cast.person()
    made = cast.png(person)
    own = cast.give(other, tables[1], "number")
    stem = f"{person.name}新"
    cast.add_file(f"{stem}.png", made.data)
    cast.add(tables[0], person, sent(person, made), picture=f"{stem}.png")
    cast.add(tables[1], other, sent(other, own))
