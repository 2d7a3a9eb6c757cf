"""Invented doctors: names of every kind, checksum-valid made-up numbers of adults, mobiles that no telephone answers.

The check digit is that of tests/support/people.py, written apart from the program's own on purpose.
"""

import random
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime

from people import compute_check_digit

ID, PERMIT, RESIDENCE = "ID_CARD", "HONGKONG_AND_MACAO", "HONGKONG_MACAO_AND_TAIWAN"
CARD_WORDS = {
    ID: ("身份证", "居民身份证", "二代身份证", "中华人民共和国居民身份证"),
    PERMIT: ("港澳居民来往内地通行证", "回乡证", "港澳通行证"),
    RESIDENCE: ("港澳台居民居住证", "台湾居民居住证"),
}
DEPARTMENTS = ("内科", "外科", "儿科", "骨科", "妇产科", "急诊科", "眼科", "口腔科", "中医科", "麻醉科")
SURNAMES = "王李张刘陈杨赵黄周吴徐孙胡朱高林何郭马罗梁宋郑谢韩唐冯于董萧程曹袁邓许傅沈曾彭吕苏卢蒋蔡贾丁魏薛叶阎余潘杜戴夏钟汪田任姜范方石姚谭廖邹熊金陆郝孔白崔康毛邱秦江史顾侯邵孟龙万段雷钱汤尹黎易常武乔贺赖龚"
GIVEN = "伟芳娜敏静丽强磊军勇艳杰娟涛明超秀霞平刚桂英华玉兰红建国志海波辉飞鹏宇浩然子涵轩怡佳雨欣思琪梦瑶俊晨阳博雪莹婷慧玲琳萍春梅珍凤云莲荣爱月莺媛瑞凡嘉聪澜纯毓悦昭冰爽琬茗羽宁馨"
COMPOUND = ("欧阳", "诸葛", "司马", "上官", "尉迟", "东方", "夏侯", "皇甫")
# names as registers hold them: rare and four-byte characters, traditional ones, long ones with a dot
RARE = ("㼆明远", "䶮文海", "王𠮷安", "李𫖯思", "𬭎子宁", "周喆堃", "马骉云", "𰻞承宇", "𡇙书云")
TRADITIONAL = ("陳嘉儀", "黃詠詩", "歐陽慧嫻", "鄧麗華", "羅志強", "劉偉傑")
ETHNIC = (
    "阿依古丽·买买提",
    "古丽娜尔·阿不都热依木",
    "次仁·多吉",
    "艾力·吐尔逊",
    "热依汗古丽·阿布都克里木",
    "扎西·旺堆",
)
# their counties were never given out
PREFIXES = (
    "110199",
    "319915",
    "330199",
    "449901",
    "510199",
    "420199",
    "619913",
    "370299",
    "659902",
    "329983",
)
NO_OPERATOR = ("154", "160", "161", "163", "164", "168", "169", "174", "179")


def today() -> date:
    """Return the local day, to which ages are counted."""
    return datetime.now(UTC).astimezone().date()


@dataclass(frozen=True)
class Person:
    """One doctor; ``serial`` is unique in a corpus and makes the picture."""

    serial: int
    name: str
    number: str
    card: str
    mobile: str
    staff_no: str
    department: str

    @property
    def card_word(self) -> str:
        """What a clerk calls the card."""
        return CARD_WORDS[self.card][self.serial % len(CARD_WORDS[self.card])]

    @property
    def seal_name(self) -> str:
        """What the template ``{name}处方章`` makes."""
        return f"{self.name}处方章"


def lifetime(number: str) -> str:
    """Return what stays with a person for life: a permit's last two digits count its renewals."""
    return number[:9] if number[:1] in "HM" else number


class Crowd:
    """Deals out people no two of whom share a name, a number, a mobile or a staff number unless asked to."""

    def __init__(self, dice: random.Random) -> None:
        self.dice = dice
        self._taken: set[str] = set()
        self._serial = 0
        self._staff = dice.sample(range(2000, 9999), 7000)
        self._rare = {kind: list(names) for kind, names in (("rare", RARE), ("ethnic", ETHNIC))}
        self._rare["traditional"] = list(TRADITIONAL)
        for names in self._rare.values():
            dice.shuffle(names)

    def person(self, *, name: str | None = None, card: str = ID, **fixed: str) -> Person:
        """Return a new person; what is given is taken as it is."""
        self._serial += 1
        person = Person(
            self._serial,
            name or self._once(self._name),
            self.number(card),
            card,
            self._once(lambda: f"{self.dice.choice(NO_OPERATOR)}{self.dice.randrange(10**8):08}"),
            f"0{self._staff.pop()}",
            self.dice.choice(DEPARTMENTS),
        )
        return replace(person, **fixed)

    def special(self, kind: str) -> Person:
        """Return a person with a rare, traditional or ethnic name; new ones are put together when they run out."""
        stock = self._rare[kind]
        if stock:
            name = stock.pop()
        elif kind == "ethnic":
            name = "·".join("".join(self.dice.sample("阿力古丽提买尔木依不都克汗", 4)) for _ in range(2))
        else:
            name = self.dice.choice(SURNAMES) + self.dice.choice("喆堃㙓䶮𠮷𫖯") + self.dice.choice(GIVEN)
        return self.person(name=self._once(lambda: name)) if name not in self._taken else self.special(kind)

    def stranger(self) -> str:
        """Return the name of somebody who is no doctor; it may be one of theirs."""
        return self._name()

    def namesakes(self, count: int = 2) -> list[Person]:
        """Return different people with one name."""
        first = self.person()
        return [first, *(self.person(name=first.name) for _ in range(count - 1))]

    def number(self, card: str = ID, *, ends: str | None = None, born: date | None = None) -> str:
        """Return a number nobody in the corpus has; ``ends`` wants that check character."""
        while True:
            number = self._permit() if card == PERMIT else self._eighteen(card, born)
            fits = ends is None or number[-1] == ends
            if fits and number[-2:] != "00" and number not in self._taken:
                self._taken.add(number)
                return number

    def claim(self, text: str) -> str:
        """Return the text, a name or number made outside, so that nobody else gets it."""
        if text in self._taken:
            raise ValueError(f"{text} is somebody's")
        self._taken.add(text)
        return text

    def knows(self, text: str) -> bool:
        """Tell whether somebody has it."""
        return text in self._taken

    def _permit(self) -> str:
        return f"{self.dice.choice('HM')}{self.dice.randrange(10**7, 10**8)}{self.dice.randrange(1, 9):02}"

    def _eighteen(self, card: str, born: date | None) -> str:
        region = self.dice.choice(("810000", "820000", "830000") if card == RESIDENCE else PREFIXES)
        day = born or date(self.dice.randint(1955, 2000), self.dice.randint(1, 12), self.dice.randint(1, 28))
        first = f"{region}{day:%Y%m%d}{self.dice.randrange(1000):03}"
        return first + compute_check_digit(first)

    def _name(self) -> str:
        if self.dice.random() < 0.04:
            return self.dice.choice(COMPOUND) + self.dice.choice(GIVEN)
        given = "".join(self.dice.sample(GIVEN, self.dice.choice((1, 2, 2, 2))))
        return self.dice.choice(SURNAMES) + given

    def _once(self, make) -> str:
        while (made := make()) in self._taken:
            pass
        self._taken.add(made)
        return made


def lost_tails(dice: random.Random) -> Iterator[str]:
    """Yield numbers that lost their last three digits to a spreadsheet and still pass the check digit."""
    while True:
        day = date(dice.randint(1955, 2000), dice.randint(1, 12), dice.randint(1, 28))
        first = f"{dice.choice(PREFIXES)}{day:%Y%m%d}{dice.randrange(10)}00"
        if compute_check_digit(first) == "0":
            yield f"{first}0"
