"""How the day goes, as plain values: four figures, and the talk of four weeks as a chart with its table.

The rule: nothing here reads the database or the clock. A day is one on the reader's clock.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from talktime.calls.today import Today
from talktime.calls.usage import UsedDay
from talktime.web import local, words
from talktime.web.calls.views import seconds_of
from talktime.web.charts import Bar, Chart, bars
from talktime.web.language import _

WEEKS = 4
DAYS_READ = 7 * WEEKS + 1
"""So that four of each weekday lie behind today."""


@dataclass(frozen=True, slots=True)
class Figure:
    """One of the figures on top."""

    label: str
    value: str
    note: str


@dataclass(frozen=True, slots=True)
class Day:
    """One day of all agents together."""

    calls: int = 0
    seconds: int = 0
    credits: int = 0


def by_day(used: Sequence[UsedDay]) -> dict[date, Day]:
    """What was used, of all agents together."""
    sums: dict[date, list[int]] = {}
    for each in used:
        here = sums.setdefault(each.day, [0, 0, 0])
        here[0] += each.calls
        here[1] += each.seconds
        here[2] += each.credits
    return {day: Day(*each) for day, each in sums.items()}


def figures(today: date, now: Today, used: Mapping[date, Day], reply_milliseconds: float | None) -> list[Figure]:
    """Calls today, what the agent answered of them, talk and credits, and how fast it answers."""
    here = used.get(today, Day())
    share = f"{round(now.answered * 100 / now.settled)} %" if now.settled else "–"
    put_through = _("{count} put through to a person").format(count=local.figure(now.put_through))
    of_all = _("{answered} of {calls} calls").format(
        answered=local.figure(now.answered), calls=local.figure(now.settled)
    )
    reply = seconds_of(reply_milliseconds) if reply_milliseconds is not None else "–"
    return [
        Figure(_("Calls today"), local.figure(now.calls), _usual(today, used)),
        Figure(_("Answered by the agent"), share, (put_through if now.put_through else of_all) if now.settled else ""),
        Figure(_("Talk today"), _minutes(here.seconds), words.credits_in_words(here.credits)),
        Figure(_("Reply time"), reply, _("median, last word to voice") if reply_milliseconds is not None else ""),
    ]


def talk_chart(today: date, used: Mapping[date, Day]) -> Chart:
    """Minutes of talk for each day of the last four weeks."""
    days = [today - timedelta(days=away) for away in reversed(range(7 * WEEKS))]
    seconds = [used.get(day, Day()).seconds for day in days]
    return bars(
        _("Talk time of the last four weeks, by day"),
        [_bar(day, today, used.get(day, Day())) for day in days],
        series=[_("minutes of talk")],
        heads=[_("Day"), _("Talk time"), _("Calls"), _("Credits used")],
        highest=_("up to {minutes}").format(minutes=_minutes(max(seconds))),
    )


def _bar(day: date, today: date, used: Day) -> Bar:
    cells = [_minutes(used.seconds), local.figure(used.calls), local.figure(used.credits)]
    return Bar(_("today") if day == today else local.short_day(day), [used.seconds], cells)


def _usual(today: date, used: Mapping[date, Day]) -> str:
    """`31 on a usual Monday`, told from those of the last four weeks; "" for an account that has none behind it."""
    first = min(used, default=today)
    before = [today - timedelta(weeks=away) for away in range(1, WEEKS + 1)]
    calls = [used.get(day, Day()).calls for day in before if day >= first]
    if not calls:
        return ""
    usual = round(sum(calls) / len(calls))
    return _("{count} on a usual {weekday}").format(count=local.figure(usual), weekday=words.weekday(today))


def _minutes(seconds: int) -> str:
    """`48 min`; less than one is said in seconds."""
    return f"{local.figure(round(seconds / 60))} min" if seconds >= 60 or not seconds else f"{seconds} s"
