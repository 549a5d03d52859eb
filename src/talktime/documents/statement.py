"""A month of credits as pages: where it began, every line of the ledger, where it ended.

The rule: a statement that does not add up is refused (`sums.check_sums`); every line that came in is on a page.
"""

from talktime.documents.faces import Weight
from talktime.documents.figures import Figures, Language, language_of, zone_of
from talktime.documents.fitting import wrap
from talktime.documents.footer import finish
from talktime.documents.pdf import draw
from talktime.documents.sheet import BODY, LEFT, LOW_BOTTOM, SMALL, TOP, WIDTH, Column, Ink, Sheet, Table, Tint
from talktime.documents.sums import check_sums
from talktime.documents.values import StatementDocument
from talktime.documents.words import words_of

_SIZE = 7.8
_PADDING = 2.6


def render_statement_pdf(statement: StatementDocument, locale: str) -> bytes:
    """The statement as a PDF on A4, in English or German. Raises DoesNotSum."""
    check_sums(statement)
    return _Statement(statement, language_of(locale)).render()


class _Statement:
    def __init__(self, statement: StatementDocument, language: Language) -> None:
        self._statement = statement
        self._language = language
        self._words = words_of(language)
        self._figures = Figures(language)
        self._zone = zone_of(statement.zone)
        self._sheet = Sheet(bottom=LOW_BOTTOM)
        self._title = f"{self._words.statement}, {self._figures.month(statement.month)}"

    def render(self) -> bytes:
        self._head()
        self._balances()
        self._totals()
        self._lines()
        running = f"{self._title} · {self._statement.user_name}"
        pages = finish(self._sheet, self._words, running=running, columns=[[self._title]])
        return draw(
            pages,
            title=self._title,
            author=self._statement.user_name,
            language=self._language,
            dated=self._statement.month,
        )

    def _head(self) -> None:
        sheet, words = self._sheet, self._words
        sheet.rule(TOP - 14, width=26, height=2.4, tint=Tint.GREEN)
        sheet.put(self._title, LEFT, TOP + 14, size=19, weight=Weight.STRONG)
        name = wrap(self._statement.user_name, WIDTH, 11, lines_max=3)
        y = sheet.stack(name, LEFT, TOP + 36, size=11)
        zone = words.times_in.format(zone=self._zone.key)
        sheet.y = sheet.stack(wrap(zone, WIDTH, SMALL), LEFT, y, size=SMALL, ink=Ink.FAINT) + 10

    def _balances(self) -> None:
        """The two figures that matter most, beside each other."""
        sheet, words = self._sheet, self._words
        sheet.field(sheet.y, 50)
        halves = ((words.opening, self._statement.opening_balance), (words.closing, self._statement.closing_balance))
        for index, (label, balance) in enumerate(halves):
            x = LEFT + 14 + index * WIDTH / 2
            sheet.put(label, x, sheet.y + 18, size=SMALL + 0.5, ink=Ink.FAINT)
            figure = words.credits_of(balance, self._figures.whole(balance))
            sheet.put(figure, x, sheet.y + 37, size=14, weight=Weight.STRONG)
        sheet.y += 80

    def _totals(self) -> None:
        sheet, totals = self._sheet, self._statement.totals
        if not totals:
            return
        sheet.put(self._words.sums, LEFT, sheet.y, size=10.5, weight=Weight.STRONG)
        sheet.y += 6
        for kind, total in totals.items():
            sheet.make_room(18)
            sheet.y += 15
            sheet.stack(wrap(self._words.kind_of(kind), 180, BODY, lines_max=1), LEFT, sheet.y, ink=Ink.GREY)
            sheet.figure(self._figures.change(total), LEFT + 260, sheet.y, 70)
        sheet.y += 26

    def _lines(self) -> None:
        words, figures = self._words, self._figures
        if not self._statement.lines:
            self._sheet.put(words.nothing_happened, LEFT, self._sheet.y + 6, ink=Ink.GREY)
            return
        columns = (
            Column(words.at, 62, lines_max=1, ink=Ink.GREY),
            Column(words.kind, 82, lines_max=2),
            Column(words.description, 196, ink=Ink.GREY),
            Column(words.seq, 34, is_figure=True, ink=Ink.FAINT),
            Column(words.amount, 48, is_figure=True),
            Column(words.balance, 54, is_figure=True),
        )
        table = Table(self._sheet, columns, size=_SIZE, padding=_PADDING)
        for line in self._statement.lines:
            table.row(
                (
                    figures.short_moment(line.at, self._zone),
                    words.kind_of(line.kind),
                    line.description,
                    figures.whole(line.seq),
                    figures.change(line.amount),
                    figures.whole(line.balance_after),
                )
            )
