"""An invoice, or a credit note, as a page to print or to file.

The rule: a document that does not add up is refused (`sums.check_invoice`); what is printed is what came in, and a name
of any length or alphabet breaks neither the page nor its neighbours.
"""

from talktime.documents.faces import Weight
from talktime.documents.figures import Figures, Language, language_of
from talktime.documents.fitting import ELLIPSIS, paragraphs, wrap
from talktime.documents.footer import finish
from talktime.documents.pdf import draw
from talktime.documents.sheet import BODY, LEADING, LEFT, RIGHT, SMALL, TOP, WIDTH, Column, Ink, Sheet, Table, Tint
from talktime.documents.sums import check_invoice, totals_per_rate
from talktime.documents.values import InvoiceDocument, InvoiceKind
from talktime.documents.words import Words, words_of

_ADDRESS_Y = 138.0
"""Where the window of an envelope begins (DIN 5008, form B: 45 mm from the top)."""
_ADDRESS_WIDTH = 240.0
_ADDRESS_LINES_MAX = 8
_TITLE_Y = 282.0
_DETAILS_X = 352.0
_VALUES_X = 446.0
_SUMS_X = 318.0


def render_invoice(document: InvoiceDocument, locale: str) -> bytes:
    """The document as a PDF on A4, in English or German. Raises DoesNotSum."""
    check_invoice(document)
    return _Invoice(document, language_of(locale)).render()


def reverse_charge_note(locale: str) -> str:
    """What an invoice must say when the buyer owes the VAT: for the document's `note`."""
    return words_of(language_of(locale)).reverse_charge


class _Invoice:
    def __init__(self, document: InvoiceDocument, language: Language) -> None:
        self._document = document
        self._language = language
        self._words: Words = words_of(language)
        self._figures = Figures(language)
        self._sheet = Sheet()
        # What a credit note gives back is printed with a minus.
        self._is_credit_note = document.kind == InvoiceKind.CREDIT_NOTE
        kind = self._words.credit_note if self._is_credit_note else self._words.invoice
        self._title = f"{kind} {document.number}"

    def render(self) -> bytes:
        document = self._document
        self._letterhead()
        self._sheet.y = max(self._address(), self._details(), _TITLE_Y)
        for line in wrap(self._title, WIDTH, 19, weight=Weight.STRONG, lines_max=2):
            self._sheet.put(line, LEFT, self._sheet.y, size=19, weight=Weight.STRONG)
            self._sheet.y += 24
        self._lines()
        self._sums()
        self._payment()
        if document.note.strip():
            self._sheet.y += 12
            self._sheet.flow(paragraphs(document.note, WIDTH, BODY), ink=Ink.GREY)
        running = f"{self._title} · {document.seller.name}"
        pages = finish(self._sheet, self._words, running=running, columns=self._small_print())
        return draw(
            pages, title=self._title, author=document.seller.name, language=self._language, dated=document.issued_on
        )

    def _letterhead(self) -> None:
        self._sheet.rule(TOP - 14, width=26, height=2.4, tint=Tint.GREEN)
        name = wrap(self._document.seller.name, WIDTH, 14, weight=Weight.STRONG, lines_max=2)
        self._sheet.stack(name, LEFT, TOP + 10, size=14, weight=Weight.STRONG)

    def _address(self) -> float:
        """Who it is for, where the window of an envelope is; gives the y below."""
        sheet, seller, buyer = self._sheet, self._document.seller, self._document.buyer
        sender = " · ".join([seller.name, *seller.address])
        y = sheet.stack(wrap(sender, _ADDRESS_WIDTH, 6.5, lines_max=1), LEFT, _ADDRESS_Y, size=6.5, ink=Ink.FAINT) + 8
        name = wrap(buyer.name, _ADDRESS_WIDTH, 10, weight=Weight.STRONG, lines_max=6)
        y = sheet.stack(name, LEFT, y, size=10, weight=Weight.STRONG)
        # Without a limit, an address of a thousand lines would push the invoice off its page.
        parts = buyer.address
        if len(parts) > _ADDRESS_LINES_MAX:
            parts = (*parts[: _ADDRESS_LINES_MAX - 1], f"{parts[_ADDRESS_LINES_MAX - 1]} {ELLIPSIS}")
        address = [line for part in parts for line in wrap(part, _ADDRESS_WIDTH, 10, lines_max=2)]
        if buyer.country.upper() != seller.country.upper():
            address += wrap(self._figures.country(buyer.country), _ADDRESS_WIDTH, 10, lines_max=1)
        y = sheet.stack(address, LEFT, y, size=10)
        email = wrap(buyer.email, _ADDRESS_WIDTH, SMALL, lines_max=2)
        return sheet.stack(email, LEFT, y + 2, size=SMALL, ink=Ink.FAINT) + 24

    def _details(self) -> float:
        document, words = self._document, self._words
        details = [
            (words.number, document.number),
            (words.issued, self._figures.day(document.issued_on)),
            (words.delivered, self._figures.day(document.delivered_on)),
            (words.corrects, document.refers_to),
            (words.your_vat_id, document.buyer.vat_id),
        ]
        y = _ADDRESS_Y + 17
        for label, value in details:
            if value:
                self._sheet.put(label, _DETAILS_X, y, size=8.5, ink=Ink.FAINT)
                lines = wrap(value, RIGHT - _VALUES_X, 8.5, lines_max=3)
                y = self._sheet.stack(lines, _VALUES_X, y, size=8.5) + 3
        return y + 24

    def _lines(self) -> None:
        words = self._words
        columns = (
            Column(words.description, 182, lines_max=8),
            Column(words.quantity, 40, is_figure=True),
            Column(words.net, 70, is_figure=True),
            Column(words.vat_rate, 42, is_figure=True, ink=Ink.GREY),
            Column(words.vat, 66, is_figure=True),
            Column(words.gross, 76, is_figure=True),
        )
        table = Table(self._sheet, columns)
        for line in self._document.lines:
            table.row(
                (
                    line.description,
                    self._figures.whole(line.quantity),
                    self._money(line.net_minor),
                    self._figures.percent(line.vat_rate_basis_points),
                    self._money(line.vat_minor),
                    self._money(line.gross_minor),
                )
            )

    def _sums(self) -> None:
        """Net and VAT per rate, then the total; together on one page, as far as that is possible."""
        sheet, words = self._sheet, self._words
        totals = totals_per_rate(self._document.lines)
        sheet.make_room(min(400, 60 + 30 * len(totals)))
        sheet.y += 8
        for total in totals:
            rate = self._figures.percent(total.vat_rate_basis_points)
            self._sum_row(words.sum_net.format(rate=rate), total.net_minor)
            self._sum_row(words.vat_on.format(rate=rate), total.vat_minor)
        sheet.y += 5
        sheet.rule(sheet.y, x=_SUMS_X, width=RIGHT - _SUMS_X, tint=Tint.STRONG, height=0.9)
        sheet.y += 18
        label = words.refunded_total if self._is_credit_note else words.total
        sheet.put(label, _SUMS_X, sheet.y, size=11.5, weight=Weight.STRONG)
        total_text = self._money(self._document.gross_minor)
        sheet.figure(total_text, RIGHT, sheet.y, 110, size=11.5, weight=Weight.STRONG)
        sheet.y += 14

    def _sum_row(self, label: str, minor: int) -> None:
        self._sheet.make_room(BODY * 1.65)
        self._sheet.y += BODY * 1.65
        self._sheet.put(label, _SUMS_X, self._sheet.y, ink=Ink.GREY)
        self._sheet.figure(self._money(minor), RIGHT, self._sheet.y, 110)

    def _payment(self) -> None:
        """What was paid, when and how, in a field of its own."""
        document, words, sheet = self._document, self._words, self._sheet
        said = words.unpaid
        if document.paid_on is not None:
            said = words.refunded if self._is_credit_note else words.paid
            said = said.format(day=self._figures.day(document.paid_on))
        reference = []
        if document.payment_reference:
            text = words.payment_reference.format(reference=document.payment_reference)
            reference = wrap(text, WIDTH - 28, SMALL + 0.5, lines_max=4)
        height = 28 + len(reference) * (SMALL + 0.5) * LEADING
        sheet.make_room(height + 22)
        sheet.y += 22
        is_settled = document.paid_on is not None
        sheet.field(sheet.y, height, tint=Tint.GREEN_SOFT if is_settled else Tint.SOFT)
        ink = Ink.GREEN if is_settled else Ink.GREY
        sheet.put(said, LEFT + 14, sheet.y + 17.5, weight=Weight.STRONG, ink=ink)
        sheet.stack(reference, LEFT + 14, sheet.y + 31, size=SMALL + 0.5, ink=Ink.GREY)
        sheet.y += height

    def _small_print(self) -> tuple[list[str], list[str], list[str]]:
        seller, words = self._document.seller, self._words
        return (
            [seller.name, *seller.address, self._figures.country(seller.country)],
            [seller.email, seller.web],
            [
                words.vat_id.format(id=seller.vat_id) if seller.vat_id else "",
                words.tax_number.format(id=seller.tax_number) if seller.tax_number else "",
                seller.register,
            ],
        )

    def _money(self, minor: int) -> str:
        sign = -1 if self._is_credit_note else 1
        return self._figures.money(sign * minor, self._document.currency, self._document.decimals)
