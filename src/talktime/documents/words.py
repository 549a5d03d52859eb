"""What stands on the documents, in English and German.

The rule: every word of one language has its twin in the other; a test holds the two against each other.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from talktime.documents.figures import Language


@dataclass(frozen=True, slots=True)
class Words:
    """The words of one language. Braces are filled in by the renderers."""

    page: str
    # Invoices
    invoice: str
    credit_note: str
    number: str
    issued: str
    delivered: str
    corrects: str
    your_vat_id: str
    description: str
    quantity: str
    net: str
    vat_rate: str
    vat: str
    gross: str
    sum_net: str
    vat_on: str
    total: str
    refunded_total: str
    paid: str
    refunded: str
    unpaid: str
    payment_reference: str
    vat_id: str
    tax_number: str
    reverse_charge: str
    # Statements
    statement: str
    times_in: str
    opening: str
    closing: str
    sums: str
    seq: str
    at: str
    kind: str
    amount: str
    balance: str
    credit: str
    credits: str
    nothing_happened: str
    # Receipts
    receipt: str
    call: str
    began: str
    answered: str
    not_answered: str
    ended: str
    talk_time: str
    carrier_time: str
    seconds: str
    price: str
    per_minute: str
    connection_fee: str
    free_below: str
    how_counted: str
    counted_in: str
    in_steps: str
    billed: str
    sum: str
    rounded_up: str
    corrected: str
    unbilled: str
    charged: str
    not_charged: str
    too_short: str
    no_more_time: str
    measured: str
    ledger: str
    balance_before_after: str
    kinds: Mapping[str, str]
    reasons: Mapping[str, str]
    endings: Mapping[str, str]

    def credits_of(self, number: int, figure: str) -> str:
        """So many credits, whose figure is written already."""
        return (self.credit if abs(number) == 1 else self.credits).format(figure=figure)

    def kind_of(self, kind: str) -> str:
        """A kind of ledger line; one that this version does not know is shown as it is."""
        return self.kinds.get(kind, kind.replace("_", " ").capitalize())

    def reason_of(self, reason: str) -> str:
        """Why a call costs nothing; the same."""
        return self.reasons.get(reason, reason.replace("_", " "))

    def ending_of(self, reason: str) -> str:
        """Why a call got no more time; the same."""
        return self.endings.get(reason, reason.replace("_", " "))

    def because(self, reason: str) -> str:
        """The reason of a ledger line. The books say it in English: what they say by themselves is known here, and
        what a person wrote stays as it is."""
        if waived := re.fullmatch(r"not charged: ([a-z_]+)", reason):
            return self.reason_of(waived[1])
        if measured := re.fullmatch(r"the carrier measured ([0-9]+) s, we ([0-9]+) s", reason):
            return self.measured.format(carrier=measured[1], ours=measured[2])
        return reason.replace("_", " ")


ENGLISH = Words(
    page="Page {number} of {count}",
    invoice="Invoice",
    credit_note="Credit note",
    number="Number",
    issued="Date",
    delivered="Delivered",
    corrects="Corrects invoice",
    your_vat_id="Your VAT ID",
    description="Description",
    quantity="Quantity",
    net="Net",
    vat_rate="VAT",
    vat="VAT amount",
    gross="Gross",
    sum_net="Net at {rate}",
    vat_on="VAT {rate}",
    total="Total",
    refunded_total="Total returned",
    paid="Paid on {day}",
    refunded="Returned on {day}",
    unpaid="Not paid yet",
    payment_reference="Payment reference: {reference}",
    vat_id="VAT ID {id}",
    tax_number="Tax number {id}",
    reverse_charge="Reverse charge: the recipient is liable for the VAT (Article 196 of Directive 2006/112/EC).",
    statement="Statement of credits",
    times_in="Times are those of {zone}.",
    opening="Opening balance",
    closing="Closing balance",
    sums="Sums by kind",
    seq="Line",
    at="When",
    kind="Kind",
    amount="Credits",
    balance="Balance",
    credit="{figure} credit",
    credits="{figure} credits",
    nothing_happened="No credits were bought or used in this month.",
    receipt="Receipt of a call",
    call="Call",
    began="Rang",
    answered="Answered",
    not_answered="not answered",
    ended="Ended",
    talk_time="Talk time, by our clock",
    carrier_time="By the phone company's clock",
    seconds="{figure} s",
    price="Price",
    per_minute="{credits} a minute",
    connection_fee="Connection fee",
    free_below="Free below",
    how_counted="How it is counted",
    counted_in="Counted in",
    in_steps="the first {initial} s, then steps of {increment} s",
    billed="Billed time",
    sum="Sum",
    rounded_up="rounded up to {credits}",
    corrected="Corrected afterwards",
    unbilled="Not billed: more than was set aside for this call, so you do not pay it",
    charged="Charged",
    not_charged="Not charged: {reason}.",
    too_short="a call shorter than {seconds} s is free",
    no_more_time="It got no more time",
    measured="the phone company measured {carrier} s, we {ours} s",
    ledger="In your ledger",
    balance_before_after="Balance before and after",
    kinds={
        "PURCHASE": "Credits bought",
        "CALL_USAGE": "Call",
        "GRACE_USAGE": "Call, below zero",
        "ADMIN_ADJUSTMENT": "Adjustment",
        "REFUND": "Refund",
        "DISPUTE": "Payment dispute",
    },
    reasons={
        "": "nothing was used",
        "no_credit": "the agent did not answer, because there was no credit",
        "too_many_calls": "the agent did not answer, because too many calls were running",
        "debt": "the agent did not answer, because the account owes credits",
        "blocked": "the agent did not answer, because the account is blocked",
        "no_price": "the agent did not answer, because there is no price",
        "never answered": "the call was never answered",
        "not answered yet": "the phone is still ringing",
        "day_limit": "the agent did not answer, because the limit for a day was reached",
        "call_limit": "the agent did not answer, because the limit for a call is too low for one",
        "caller_limit": "the agent did not answer, because the limit for a caller was reached",
        "platform_fault": "the fault was ours",
        "wrong_number": "it was a wrong number",
        "spam": "it was spam",
        "not_a_call": "nobody was there",
    },
    endings={
        "no_credit": "there was no credit left to go on with",
        "debt": "the account owes credits",
        "blocked": "the account is blocked",
        "day_limit": "the limit for a day was reached",
        "call_limit": "the limit for a call was reached",
        "caller_limit": "the limit for a caller was reached",
    },
)

GERMAN = Words(
    page="Seite {number} von {count}",
    invoice="Rechnung",
    credit_note="Rechnungskorrektur",
    number="Nummer",
    issued="Datum",
    delivered="Leistungsdatum",
    corrects="Korrigiert Rechnung",
    your_vat_id="Ihre USt-IdNr.",
    description="Beschreibung",
    quantity="Menge",
    net="Netto",
    vat_rate="USt.",
    vat="Steuerbetrag",
    gross="Brutto",
    sum_net="Netto zu {rate}",
    vat_on="Umsatzsteuer {rate}",
    total="Gesamtbetrag",
    refunded_total="Erstatteter Betrag",
    paid="Bezahlt am {day}",
    refunded="Erstattet am {day}",
    unpaid="Noch nicht bezahlt",
    payment_reference="Zahlungsreferenz: {reference}",
    vat_id="USt-IdNr. {id}",
    tax_number="Steuernummer {id}",
    reverse_charge="Steuerschuldnerschaft des Leistungsempfängers (Artikel 196 der Richtlinie 2006/112/EG).",
    statement="Kontoauszug",
    times_in="Alle Zeiten in der Zeitzone {zone}.",
    opening="Anfangsstand",
    closing="Endstand",
    sums="Summen nach Art",
    seq="Zeile",
    at="Wann",
    kind="Art",
    amount="Credits",
    balance="Stand",
    credit="{figure} Credit",
    credits="{figure} Credits",
    nothing_happened="In diesem Monat wurden keine Credits gekauft oder verbraucht.",
    receipt="Beleg für einen Anruf",
    call="Anruf",
    began="Geklingelt",
    answered="Angenommen",
    not_answered="nicht angenommen",
    ended="Beendet",
    talk_time="Gesprächszeit nach unserer Uhr",
    carrier_time="Nach der Uhr der Telefongesellschaft",
    seconds="{figure} s",
    price="Preis",
    per_minute="{credits} pro Minute",
    connection_fee="Verbindungsgebühr",
    free_below="Kostenlos unter",
    how_counted="So wird gezählt",
    counted_in="Gezählt wird",
    in_steps="zuerst {initial} s, dann in Schritten von {increment} s",
    billed="Berechnete Zeit",
    sum="Rechenweg",
    rounded_up="aufgerundet auf {credits}",
    corrected="Nachträglich korrigiert",
    unbilled="Nicht berechnet: mehr, als für diesen Anruf zurückgelegt war; das bezahlen Sie nicht",
    charged="Abgebucht",
    not_charged="Nicht berechnet: {reason}.",
    too_short="ein Anruf unter {seconds} s ist kostenlos",
    no_more_time="Nicht verlängert",
    measured="die Telefongesellschaft hat {carrier} s gemessen, wir {ours} s",
    ledger="In Ihrem Kontobuch",
    balance_before_after="Stand vorher und nachher",
    kinds={
        "PURCHASE": "Credits gekauft",
        "CALL_USAGE": "Anruf",
        "GRACE_USAGE": "Anruf, unter null",
        "ADMIN_ADJUSTMENT": "Korrektur",
        "REFUND": "Erstattung",
        "DISPUTE": "Rückbuchung",
    },
    reasons={
        "": "es wurde nichts verbraucht",
        "no_credit": "nicht angenommen, weil kein Guthaben da war",
        "too_many_calls": "nicht angenommen, weil zu viele Anrufe liefen",
        "debt": "nicht angenommen, weil das Konto im Minus ist",
        "blocked": "nicht angenommen, weil das Konto gesperrt ist",
        "no_price": "nicht angenommen, weil kein Preis hinterlegt ist",
        "never answered": "der Anruf wurde nie angenommen",
        "not answered yet": "das Telefon klingelt noch",
        "day_limit": "nicht angenommen, weil die Tagesgrenze erreicht war",
        "call_limit": "nicht angenommen, weil die Grenze je Anruf dafür zu niedrig ist",
        "caller_limit": "nicht angenommen, weil die Grenze für diesen Anrufer erreicht war",
        "platform_fault": "der Fehler lag bei uns",
        "wrong_number": "es war falsch verbunden",
        "spam": "es war ein Werbeanruf",
        "not_a_call": "es war niemand in der Leitung",
    },
    endings={
        "no_credit": "es war kein Guthaben mehr da",
        "debt": "das Konto ist im Minus",
        "blocked": "das Konto ist gesperrt",
        "day_limit": "die Tagesgrenze war erreicht",
        "call_limit": "die Grenze je Anruf war erreicht",
        "caller_limit": "die Grenze für diesen Anrufer war erreicht",
    },
)

_WORDS = {"en": ENGLISH, "de": GERMAN}


def words_of(language: Language) -> Words:
    """The words of a language."""
    return _WORDS[language]
