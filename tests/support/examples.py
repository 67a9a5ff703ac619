"""How many examples Hypothesis tries: enough that each kind of them comes, and with `make soak` many times as many.

They are the same each time (tests/conftest.py), so that what one more shows, it has shown when it was written.
"""

from hypothesis import settings

_times = 1


def set_times(times: int) -> None:
    """Try so many times as many: for tests that are imported from now on."""
    global _times
    _times = times


def examples(number: int) -> settings:
    """Try so many; a decorator of a test."""
    return settings(max_examples=number * _times)
