"""Units of time and lengths of it, in words."""

import pytest

from retention_models.core.dates import check_time_unit, span_name, unit_plural


@pytest.mark.parametrize(
    ("length", "time_unit", "span", "units"),
    [
        (26, "W", "26 weeks", "weeks"),
        (1, "D", "1 day", "days"),
        (1.5, "h", "1.5 hours", "hours"),
        (9, "M", "9 months", "months"),
        (1, "Q", "1 quarter", "quarters"),
        (3, "Y", "3 years", "years"),
        (2, "30D", "2 times 30D", "units of 30D"),
    ],
)
def test_lengths_and_units_of_time_in_words(length, time_unit, span, units):
    assert (span_name(length, time_unit), unit_plural(time_unit)) == (span, units)
    check_time_unit(time_unit)


@pytest.mark.parametrize("wrong", ["months", "m", "", "-3D", "14 days and more"])
def test_a_unit_that_is_none_is_refused(wrong):
    with pytest.raises(ValueError, match=r"time_unit must be one of 'W', .*'Y' or a fixed length such as '30D', not"):
        check_time_unit(wrong)
