"""Charts: what is drawn is what the table says."""

import itertools
from decimal import Decimal

from talktime.web.charts import Bar, Chart, bars


def chart(*values: tuple[int, ...], names: int = 1) -> Chart:
    days = [Bar(f"day {no}", value, [str(each) for each in value]) for no, value in enumerate(values, 1)]
    series = [f"series {no}" for no in range(1, names + 1)]
    return bars("A chart", days, series=series, heads=["Day", *series], highest="100")


def test_the_highest_bar_fills_the_plot_and_the_others_are_as_high_as_their_share() -> None:
    drawn = chart((50,), (100,), (25,))
    assert [(piece.y, piece.height) for piece in drawn.pieces] == [("50%", "50%"), ("0%", "100%"), ("75%", "25%")]
    assert [piece.x for piece in drawn.pieces] == ["0%", "33.33%", "66.67%"]


def test_parts_of_a_bar_lie_on_each_other() -> None:
    drawn = chart((30, 50), (10, 10), names=2)
    first = [(piece.kind, piece.y, piece.height) for piece in drawn.pieces[:2]]
    assert first == [("s1", "62.5%", "37.5%"), ("s2", "0%", "62.5%")]


def test_what_is_nothing_or_less_is_not_drawn_but_stands_in_the_table() -> None:
    drawn = chart((0,), (-5,), (10,))
    assert len(drawn.pieces) == 1
    assert drawn.rows == [("day 3", ["10"]), ("day 2", ["-5"]), ("day 1", ["0"])]


def test_a_chart_of_nothing_says_so() -> None:
    assert chart().is_empty and chart((0,), (0,)).is_empty and chart((-1,)).is_empty
    assert chart().labels == [] and chart((0,)).highest == ""


def test_amounts_of_money_are_drawn_without_rounding_them_first() -> None:
    drawn = bars("A chart", [Bar("a", [Decimal("0.01")], ["€0.01"])], series=["Money"], heads=["Day", "Money"])
    assert drawn.pieces[0].height == "100%"


def test_labels_do_not_touch_each_other_and_the_last_day_has_one() -> None:
    drawn = chart(*[(1,)] * 28)
    assert drawn.labels[0][1:] == ("start", "day 1") and drawn.labels[-1] == ("100%", "end", "day 28")
    at = [float(x.rstrip("%")) for x, _anchor, _text in drawn.labels]
    assert all(later - earlier >= 8 for earlier, later in itertools.pairwise(at)) and len(at) <= 7
    assert chart((1,)).labels == [("0%", "start", "day 1")]


def test_a_pointer_finds_what_each_bar_says() -> None:
    assert chart((3, 4), names=2).columns[0].title == "day 1: 3, 4"
