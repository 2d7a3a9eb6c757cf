"""Who stands in the sample roster: invented doctors, most of them clean, some with the troubles of real rosters.

Nobody here exists. Identity numbers have a true check digit but a county code that was never given out (``xx99yy``),
mobiles begin with digits that no operator was given (154, 164, 169, 179), the permits have serial numbers that have
not been reached. What each special row is for, and how the program answers, stands in README.md.
"""

from __future__ import annotations

import calendar
import random
from dataclasses import dataclass, replace
from itertools import cycle
from typing import Any

from people import complete_number

ID_CARD = "居民身份证"
PERMIT = "港澳居民来往内地通行证"
RESIDENCE = "港澳台居民居住证"

PROVINCES = ("32", "33", "34", "36", "42", "43", "51", "61")
NO_OPERATOR = ("154", "164", "169", "179")
DEPARTMENTS = {
    "01": "心血管内科",
    "02": "呼吸与危重症医学科",
    "03": "消化内科",
    "04": "神经内科",
    "05": "普通外科",
    "06": "骨科",
    "07": "妇产科",
    "08": "儿科",
    "09": "急诊科",
    "10": "中医科",
    "11": "眼科",
    "12": "口腔科",
    "13": "国际医疗部",
}

# staff number (its first two digits are the department), name, sex, year of birth, title
STAFF = """
01001 沈国梁 男 1966 主任医师
01002 许静怡 女 1975 副主任医师
01003 张伟 男 1984 主治医师
01004 高子墨 男 1994 住院医师
01005 罗秀英 女 1983 主治医师
02001 韩志远 男 1968 主任医师
02002 欧阳慧敏 女 1977 副主任医师
02003 唐一鸣 男 1985 主治医师
02004 冯雪 女 1993 住院医师
02005 曹俊杰 男 1991 住院医师
03001 彭海涛 男 1965 主任医师
03002 董文博 男 1979 副主任医师
03003 袁佳宁 女 1988 主治医师
03004 蒋丽华 女 1992 住院医师
04001 蔡明辉 男 1970 主任医师
04002 余思源 男 1986 主治医师
04003 潘晓琳 女 1989 主治医师
04004 诸葛青云 女 1995 住院医师
05001 杜建平 男 1967 主任医师
05002 魏长庚 男 1974 副主任医师
05003 任宏宇 男 1982 主治医师
05004 姜泽楷 男 1996 住院医师
05005 张伟 男 1990 住院医师
06001 范德胜 男 1964 主任医师
06002 石磊 男 1978 副主任医师
06003 谭振华 男 1981 主治医师
06004 廖志强 男 1987 主治医师
06005 邹凯 男 1997 住院医师
07001 熊淑芬 女 1969 主任医师
07002 李娜 女 1980 副主任医师
07003 孟婉清 女 1986 主治医师
07004 秦月 女 1994 住院医师
07005 阿依古丽·买买提 女 1990 主治医师
08001 尹若兰 女 1972 主任医师
08002 薛童 男 1985 主治医师
08003 李娜 女 1991 住院医师
08004 雷雨晴 女 1993 住院医师
09001 侯勇 男 1976 副主任医师
09002 龙在田 男 1983 主治医师
09003 史可欣 女 1992 住院医师
09004 陶然 男 1995 住院医师
09005 黎小军 男 1988 主治医师
10001 李明 男 1959 主任医师
10002 贺知秋 女 1971 副主任医师
10003 顾修远 男 1961 主任医师
10004 毛雅琴 女 1984 主治医师
10005 万里 男 1989 主治医师
11001 段书瑶 女 1973 副主任医师
11002 龚正 男 1986 主治医师
11003 㼆明远 男 1990 主治医师
12001 邵逸 男 1977 副主任医师
12002 钱友林 男 1982 主治医师
12003 汤晓峰 男 1991 住院医师
12004 洪波 男 1994 住院医师
13001 陳嘉怡 女 1974 副主任医师
13002 何家輝 男 1980 主治医师
13003 金成俊 男 1979 副主任医师
13004 黃詠詩 女 1987 主治医师
13005 林俊宏 男 1985 主治医师
13006 梁思敏 女 1992 住院医师
13007 郑浩然 男 1990 主治医师
13008 田野 男 1993 住院医师
"""


@dataclass(frozen=True, slots=True)
class Look:
    """How a seal is drawn: its shape, its ink, and the file it becomes (clear and white are PNG)."""

    shape: str  # square | relief | strip | plain | column | signature | photo | scan | blank
    ink: str  # red | blue | black
    paper: str  # clear | white | jpg

    @property
    def suffix(self) -> str:
        """The file name's ending."""
        return ".jpg" if self.paper == "jpg" else ".png"


@dataclass(frozen=True, slots=True)
class Drawing:
    """One file of ``seals/``: where it lies, what it says, how it looks."""

    path: str
    words: str
    look: Look


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the roster as the clerk typed it, and the pictures that lie in the folder because of it."""

    staff_no: str
    name: str
    sex: str
    department: str
    title: str
    card: str
    number: str | int  # an int is a cell that Excel took for a number
    mobile: str
    seal_name: str = ""
    picture: str = ""
    note: str = ""
    drawings: tuple[Drawing, ...] = ()


SQUARE = Look("square", "red", "clear")
PHOTO = Look("photo", "red", "jpg")
SCAN = Look("scan", "black", "white")
BLANK = Look("blank", "red", "white")
# dealt out from top to bottom
LOOKS = (
    SQUARE,
    Look("strip", "red", "white"),
    Look("signature", "black", "jpg"),
    Look("column", "red", "clear"),
    Look("square", "red", "jpg"),
    Look("strip", "blue", "clear"),
    Look("relief", "red", "clear"),
    Look("signature", "blue", "clear"),
    Look("plain", "red", "jpg"),
    Look("signature", "black", "clear"),
)
LOOK_OF = {
    "01002": Look("signature", "black", "jpg"),
    "02002": SQUARE,
    "04004": Look("column", "red", "clear"),
    "06003": PHOTO,
    "07005": Look("strip", "red", "clear"),
    "09003": SQUARE,
    "09004": SQUARE,
    "10005": Look("signature", "blue", "clear"),
    "11003": SQUARE,
    "12001": SCAN,
    "12002": BLANK,
}

# how the picture of a doctor is named where it is not the name alone
FILE_OF = {
    "01002": "许静怡手写签名-2026",
    "01003": "{staff_no}",
    "01005": "{number}",
    "04002": "余思原",  # a typing slip: nothing resembles its way to a doctor
    "05005": "{staff_no}",
    "06003": "{staff_no}",
    "06004": "{number}",
    "08001": "{staff_no}",
    "08004": "{name}印章",
    "09002": "{staff_no}",
    "09003": "{staff_no}",
    "09004": "{staff_no}",
    "10001": "{staff_no}",
    "10005": "IMG_20261118_wanli",
    "11001": "2026新增/{name}",
    "11002": "2026新增/{name}",
    "12004": "{staff_no}",
    "13001": "{staff_no}",
}
# a picture that belongs to nobody any more: its doctor has left
LEFT_BEHIND = Drawing("郭永强（已离职）.png", "郭永强", SQUARE)
# residence permits: Hong Kong, Taiwan, Macao
REGIONS = {"13004": "810000", "13005": "830000", "13006": "820000"}


def identity(staff_no: str, sex: str, year: int, region: str = "") -> str:
    """Invent an 18-character number that tells this sex and year of birth."""
    dice = random.Random(f"identity {staff_no}")
    county = f"{dice.choice(PROVINCES)}99{dice.randint(1, 20):02}"
    month = dice.randint(1, 12)
    day = dice.randint(1, calendar.monthrange(year, month)[1])
    order = dice.randrange(900, 1000, 2) + (sex == "男")
    first17 = f"{region or county}{year}{month:02}{day:02}{order}"
    return complete_number(first17)


def mobile(staff_no: str) -> str:
    """Invent a mobile that no telephone answers."""
    dice = random.Random(f"mobile {staff_no}")
    return f"{dice.choice(NO_OPERATOR)}{dice.randrange(10**8):08}"


def roster() -> list[Entry]:
    """Return the lines of the roster from top to bottom."""
    looks = cycle(LOOKS)
    entries = {}
    for line in STAFF.strip().split("\n"):
        staff_no, name, sex, year, title = line.split()
        number = identity(staff_no, sex, int(year), REGIONS.get(staff_no, ""))
        look = LOOK_OF.get(staff_no) or next(looks)
        entry = Entry(
            staff_no, name, sex, DEPARTMENTS[staff_no[:2]], title, ID_CARD, number, mobile(staff_no)
        )
        stem = FILE_OF.get(staff_no, "{name}").format(name=name, staff_no=staff_no, number=number)
        drawing = Drawing(stem + look.suffix, name, look)
        entries[staff_no] = replace(entry, drawings=(drawing,))
    for staff_no, changes in departures(entries).items():
        entries[staff_no] = replace(entries[staff_no], **changes)
    reported_again = replace(entries["02003"], note="补报", drawings=())
    return [*entries.values(), reported_again]


def departures(clean: dict[str, Entry]) -> dict[str, dict[str, Any]]:
    """Return what stands differently in the lines that are not as they should be, or are special and right."""

    def number(staff_no: str) -> str:
        return str(clean[staff_no].number)

    slipped = number("05002")
    old = number("10003")
    same_seal = clean["09003"].drawings[0]
    return {
        # right, and worth a look
        "01002": {"picture": "许静怡手写签名-2026.jpg"},
        "02001": {"seal_name": "韩志远医师专用章"},
        "03003": {"number": spaced(number("03003"), 6, 14)},
        "04001": {"mobile": spaced(clean["04001"].mobile, 3, 7)},
        "04003": {"number": number("04003").lower()},
        "07001": {"mobile": ""},
        "10005": {"picture": "IMG_20261118_wanli.png"},
        "12004": {"name": "洪 波"},
        "13001": {"card": PERMIT, "number": "H9918042601"},
        "13002": {"card": PERMIT, "number": "M9900731502"},
        "13004": {"card": RESIDENCE},
        "13005": {"note": "台胞"},  # the clerk wrote 居民身份证 beside a residence permit
        "13006": {"card": ""},
        # wrong
        "03002": {"number": int(number("03002")[:15]) * 1000},
        "05002": {"number": slipped[:14] + slipped[15] + slipped[14] + slipped[16:]},
        "07002": {"drawings": ()},  # the other 李娜 has the only picture of that name
        "09004": {"drawings": (replace(same_seal, path=clean["09004"].drawings[0].path),)},
        "09005": {"mobile": clean["09005"].mobile[:10]},
        "10001": {"name": "李明（返聘）"},
        "10003": {"number": old[:6] + old[8:17]},
        "13003": {"card": "护照", "number": "M00000000", "note": "韩国籍，多点执业"},
        "13007": {"card": PERMIT, "number": "H99042713"},
        "13008": {"number": number("13008")[:17], "mobile": "内线6203"},
    }


def spaced(digits: str, first: int, second: int) -> str:
    """Set blanks at two places, as people do who read digits aloud."""
    return f"{digits[:first]} {digits[first:second]} {digits[second:]}"
