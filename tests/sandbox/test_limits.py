"""Counting calls in a second, the rolling and the calendar way."""

from pipeline.sandbox.authentication import CallCounter

KEY = ("AKID", "Create")


def excesses(limiter, moments, key=KEY):
    return [limiter.count_call(key, now=moment, steady=moment) for moment in moments]


def test_rolling_lets_the_limit_pass_in_any_second_and_not_one_more():
    spread = [index / 16 for index in range(200)]
    assert not any(excesses(CallCounter("rolling", 16), spread))
    assert excesses(CallCounter("rolling", 15), spread)[:16] == [None] * 15 + [16]


def test_rolling_counts_refused_calls_so_that_hammering_never_ends_it():
    hammer = [index * 0.01 for index in range(500)]
    assert all(excesses(CallCounter("rolling", 20), hammer)[20:])


def test_calendar_starts_again_with_each_second_of_the_wall_clock():
    moments = [100.9] * 20 + [101.0] * 20 + [101.999, 102.0]
    assert excesses(CallCounter("calendar", 20), moments) == [None] * 40 + [21, None]


def test_calendar_shows_refused_calls_in_the_number():
    assert excesses(CallCounter("calendar", 20), [5.5] * 23)[-3:] == [21, 22, 23]


def test_none_lets_everything_pass_and_keys_are_counted_apart():
    assert not any(excesses(CallCounter("none", 1), [0.0] * 100))
    limiter = CallCounter("rolling", 1)
    assert excesses(limiter, [0.0], ("AKID", "Create")) == [None]
    assert excesses(limiter, [0.0], ("AKID", "UploadFiles")) == [None]
    assert excesses(limiter, [0.0], ("AKID", "Create")) == [2]
