"""The receipt of one call: every figure that a person needs to do the sum again.

The rule: what is printed can be redone with a pencil. Seconds lead to billed seconds by the rule that is spelled out,
those to credits by the formula, and those to the lines of the ledger (`sums.check_receipt`).
"""

from talktime.documents.faces import Weight
from talktime.documents.figures import Figures, Language, language_of, zone_of
from talktime.documents.fitting import wrap
from talktime.documents.footer import finish
from talktime.documents.pdf import draw
from talktime.documents.sheet import (
    BODY,
    LEADING,
    LEFT,
    LOW_BOTTOM,
    RIGHT,
    SMALL,
    TOP,
    WIDTH,
    Column,
    Ink,
    Sheet,
    Table,
    Tint,
)
from talktime.documents.sums import check_receipt, increments
from talktime.documents.values import ReceiptDocument
from talktime.documents.words import words_of

_VALUES_X = LEFT + 190
_ROW = 17.0


def render_receipt_pdf(receipt: ReceiptDocument, locale: str) -> bytes:
    """The receipt as a PDF on A4, in English or German. Raises DoesNotSum."""
    check_receipt(receipt)
    return _Receipt(receipt, language_of(locale)).render()


class _Receipt:
    def __init__(self, receipt: ReceiptDocument, language: Language) -> None:
        self._receipt = receipt
        self._language = language
        self._words = words_of(language)
        self._figures = Figures(language)
        self._zone = zone_of(receipt.zone)
        self._sheet = Sheet(bottom=LOW_BOTTOM)

    def render(self) -> bytes:
        receipt, words = self._receipt, self._words
        self._head()
        self._facts()
        self._section(words.how_counted)
        self._sum()
        if receipt.lines:
            self._section(words.ledger)
            self._ledger()
        title = f"{words.receipt} {receipt.reference}"
        pages = finish(self._sheet, words, running=f"{title} · {receipt.business_name}", columns=[[title]])
        return draw(
            pages,
            title=title,
            author=receipt.business_name,
            language=self._language,
            dated=receipt.ended_at.astimezone(self._zone).date(),
        )

    def _head(self) -> None:
        sheet = self._sheet
        sheet.rule(TOP - 14, width=26, height=2.4, tint=Tint.GREEN)
        sheet.put(self._words.receipt, LEFT, TOP + 14, size=19, weight=Weight.STRONG)
        y = sheet.stack(wrap(self._receipt.business_name, WIDTH, 11, lines_max=3), LEFT, TOP + 36, size=11)
        zone = self._words.times_in.format(zone=self._zone.key)
        sheet.y = sheet.stack(wrap(zone, WIDTH, SMALL), LEFT, y, size=SMALL, ink=Ink.FAINT) + 8

    def _facts(self) -> None:
        receipt, words, figures = self._receipt, self._words, self._figures
        self._row(words.call, receipt.reference)
        self._row(words.began, figures.moment(receipt.began_at, self._zone))
        answered = receipt.answered_at
        self._row(words.answered, figures.moment(answered, self._zone) if answered else words.not_answered)
        self._row(words.ended, figures.moment(receipt.ended_at, self._zone))
        self._row(words.talk_time, self._seconds(receipt.seconds))
        if receipt.carrier_seconds is not None:
            self._row(words.carrier_time, self._seconds(receipt.carrier_seconds))
        if receipt.final_reason:
            self._row(words.no_more_time, words.ending_of(receipt.final_reason))

    def _sum(self) -> None:
        """From the seconds to the credits, step by step."""
        receipt, words, figures = self._receipt, self._words, self._figures
        self._row(words.price, words.per_minute.format(credits=self._credits(receipt.credits_per_minute)))
        in_steps = words.in_steps.format(initial=receipt.initial_seconds, increment=receipt.increment_seconds)
        self._row(words.counted_in, in_steps)
        if receipt.connection_fee:
            self._row(words.connection_fee, self._credits(receipt.connection_fee))
        if receipt.free_seconds:
            self._row(words.free_below, self._seconds(receipt.free_seconds))
        if receipt.billable_seconds:
            self._row(words.billed, self._steps())
            self._row(words.sum, self._formula())
        else:
            self._row("", words.not_charged.format(reason=self._why_free()))
        if receipt.correction:
            self._row(words.corrected, figures.change(receipt.correction))
        if receipt.unbilled:
            self._row(words.unbilled, figures.whole(-receipt.unbilled))
        self._charged()

    def _charged(self) -> None:
        sheet = self._sheet
        sheet.make_room(48)
        sheet.y += 10
        sheet.field(sheet.y, 32, tint=Tint.GREEN_SOFT)
        sheet.put(self._words.charged, LEFT + 14, sheet.y + 20, size=11, weight=Weight.STRONG, ink=Ink.GREEN)
        charged = self._credits(self._receipt.charged)
        sheet.figure(charged, RIGHT - 14, sheet.y + 20, 250, size=11, weight=Weight.STRONG, ink=Ink.GREEN)
        sheet.y += 32

    def _ledger(self) -> None:
        words, figures = self._words, self._figures
        columns = (
            Column(words.seq, 50, lines_max=1, ink=Ink.GREY),
            Column(words.at, 124, lines_max=1, ink=Ink.GREY),
            Column(words.kind, 142),
            Column(words.amount, 50, is_figure=True),
            Column(words.balance_before_after, 110, is_figure=True),
        )
        table = Table(self._sheet, columns)
        for line in self._receipt.lines:
            before = figures.whole(line.balance_after - line.amount)
            table.row(
                (
                    figures.whole(line.seq),
                    figures.moment(line.at, self._zone),
                    words.kind_of(line.kind) + (f": {words.because(line.reason)}" if line.reason else ""),
                    figures.change(line.amount),
                    f"{before} → {figures.whole(line.balance_after)}",
                )
            )

    def _steps(self) -> str:
        """`60 s + 1 × 60 s = 120 s`"""
        receipt = self._receipt
        steps = increments(receipt)
        more = f" + {self._figures.whole(steps)} × {receipt.increment_seconds} s" if steps else ""
        return f"{receipt.initial_seconds} s{more}{f' = {self._seconds(receipt.billable_seconds)}' if more else ''}"

    def _formula(self) -> str:
        """`5 + 120 ÷ 60 × 15 = 35 credits`, or `75 ÷ 60 × 31 = 38.75, rounded up to 39 credits`."""
        receipt, figures = self._receipt, self._figures
        fee = f"{figures.whole(receipt.connection_fee)} + " if receipt.connection_fee else ""
        rate, seconds = receipt.credits_per_minute, receipt.billable_seconds
        formula = f"{fee}{figures.whole(seconds)} ÷ 60 × {figures.whole(rate)}"
        exact = receipt.connection_fee * 60 + rate * seconds
        if exact % 60 == 0:
            return f"{formula} = {self._credits(receipt.rated)}"
        about = "=" if exact * 100 % 60 == 0 else "≈"
        rounded = self._words.rounded_up.format(credits=self._credits(receipt.rated))
        return f"{formula} {about} {figures.hundredths(exact * 100 // 60)}, {rounded}"

    def _why_free(self) -> str:
        receipt, words = self._receipt, self._words
        if not receipt.not_charged_reason and 0 < receipt.seconds < receipt.free_seconds:
            return words.too_short.format(seconds=receipt.free_seconds)
        return words.reason_of(receipt.not_charged_reason)

    def _section(self, label: str) -> None:
        self._sheet.make_room(80)
        self._sheet.y += 26
        self._sheet.put(label, LEFT, self._sheet.y, size=11.5, weight=Weight.STRONG)
        self._sheet.y += 8

    def _row(self, label: str, value: str) -> None:
        sheet = self._sheet
        labels = wrap(label, _VALUES_X - LEFT - 14, BODY)
        values = wrap(value, RIGHT - _VALUES_X, BODY, lines_max=6)
        height = _ROW + (max(len(labels), len(values), 1) - 1) * BODY * LEADING
        sheet.make_room(height)
        sheet.stack(labels, LEFT, sheet.y + 12.5, ink=Ink.GREY)
        sheet.stack(values, _VALUES_X, sheet.y + 12.5)
        sheet.y += height
        sheet.rule(sheet.y)

    def _seconds(self, seconds: int) -> str:
        return self._words.seconds.format(figure=self._figures.whole(seconds))

    def _credits(self, number: int) -> str:
        return self._words.credits_of(number, self._figures.whole(number))
