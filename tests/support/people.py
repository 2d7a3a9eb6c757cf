"""Invented people for tests, bench and sample data: names, made-up identity numbers, mobiles, rows of the usual roster.

Identity numbers have a true check digit and a county code that was never given out (``110199``).
"""

SURNAMES = "赵钱孙李周吴郑王冯陈褚卫蒋沈韩杨朱秦尤许何吕施张孔曹严华金魏陶姜戚谢邹喻柏水窦章"
GIVEN = "安邦承德恩凡国海静凯丽明宁平强仁思天文欣雅泽"
_WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)  # of GB 11643-1999


def compute_check_digit(first17: str) -> str:
    """Return the eighteenth character of an identity number."""
    total = sum(int(digit) * weight for digit, weight in zip(first17, _WEIGHTS, strict=True))
    return "10X98765432"[total % 11]


def complete_number(first17: str) -> str:
    """Return an identity number of 18 characters."""
    return first17 + compute_check_digit(first17)


def is_valid(number: str) -> bool:
    """Return whether 18 characters pass the check digit; nothing else is looked at."""
    return len(number) == 18 and number[:17].isdecimal() and number[17] == compute_check_digit(number[:17])


def number(serial: int) -> str:
    """Return an identity number, another for each serial up to 21,000."""
    return complete_number(
        f"110199{1970 + serial % 30}{1 + serial % 12:02d}{1 + serial % 28:02d}{serial % 1000:03d}"
    )


def number_without_zeros(serial: int) -> str:
    """Return an identity number without zeros at its end, which look like Excel's damage; another for each serial up to 12,000,000."""
    day = serial // 729
    tail = f"{1 + serial % 9}{1 + serial // 9 % 9}{1 + serial // 81 % 9}"
    return complete_number(f"110199{1950 + day // 336 % 50}{1 + day // 28 % 12:02d}{1 + day % 28:02d}{tail}")


def name(serial: int) -> str:
    """Return a name of three Han characters; a roster of thousands has namesakes, as real ones have."""
    given = GIVEN[serial // len(SURNAMES) % len(GIVEN)] + GIVEN[serial * 7 % len(GIVEN)]
    return SURNAMES[serial % len(SURNAMES)] + given


def make_row(serial: int, **changes: str | None) -> tuple[str | None, ...]:
    """Return a clean row of the usual roster (name, number, mobile, staff number, department), but for the columns that are changed."""
    row = {
        "name": name(serial),
        "number": number(serial),
        "mobile": f"154{serial:08d}",
        "staff_no": f"{serial:05d}",
        "department": "内科",
    }
    return tuple({**row, **changes}.values())
