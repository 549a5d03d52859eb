"""What lies beside an export, for whoever opens it in ten years: in the customer's language."""

from datetime import datetime

from talktime.notices.kinds import language_of

_ENGLISH = """\
Everything that Talktime has of {name}, as of {at:%Y-%m-%d %H:%M} UTC.

account.json             who you are, and when you came
sign-ins.json            the browsers that are signed in
links.json               links that were sent to you
keys.json                keys of programs; never the keys themselves
audit.jsonl              what was done to your account, by whom
notices.jsonl            what you were told by mail
mail-choices.json        what you want to be told by mail
agents.json              your agents, in agent-versions.jsonl what they were published as, and in
                         agent-drafts.json what is being written for them
numbers.json             your phone numbers, and in number-proofs.json those that you proved to be yours
webhooks.json            where your programs are told of what happens; in webhook-events.jsonl,
                         webhook-deliveries.jsonl and webhook-attempts.jsonl what, when, and what they answered
calls.csv, calls.jsonl   your calls, and the parts of them that were put through to a person
turns.jsonl              what was said on them, as it was heard
corrections.jsonl        what an agent should have said, as you noted it
charges.jsonl            what was set aside for each call, at which price, and what became of it
claims.jsonl             calls of which you said that they were none
credit.json              your credits, and the limits you set
prices.json              prices that are yours alone
ledger.csv, ledger.jsonl every line of your ledger
statements/              the same by month; a very long month is there as a table only
purchases.jsonl          what you bought
refunds.jsonl            what went back, and in refund-requests.jsonl and other-payments.json
top-up.json              what may be bought while you are away
billing-details.json     what stands on your invoices
invoices/                your invoices and credit notes, and in invoices.jsonl what stands on them
recordings/              recordings of calls; there are none

Times are in UTC. A file .jsonl holds one JSON document a line, .json a list, .csv a table (RFC 4180, UTF-8); a text
in a table that a spreadsheet would take for a formula begins with an apostrophe. Credits are whole numbers, money is
in the smallest unit of its currency. Callers who were forgotten have no number and no words here. Passwords, keys and
codes are in none of these files, because nobody has them but you.

The files were read one after the other while they were sent: what changed meanwhile stands in it as it was when it was
read.
"""

_GERMAN = """\
Alles, was Talktime über {name} hat, Stand {at:%Y-%m-%d %H:%M} UTC.

account.json             wer Sie sind, und seit wann
sign-ins.json            die angemeldeten Browser
links.json               Links, die Ihnen geschickt wurden
keys.json                Schlüssel von Programmen; nie die Schlüssel selbst
audit.jsonl              was an Ihrem Konto geschah, und durch wen
notices.jsonl            was Ihnen per E-Mail mitgeteilt wurde
mail-choices.json        was Sie per E-Mail hören möchten
agents.json              Ihre Agenten, in agent-versions.jsonl jede veröffentlichte Fassung, in
                         agent-drafts.json, was gerade für sie geschrieben wird
numbers.json             Ihre Telefonnummern, in number-proofs.json die, von denen Sie zeigten, dass es Ihre sind
webhooks.json            wo Ihre Programme erfahren, was geschieht; in webhook-events.jsonl,
                         webhook-deliveries.jsonl und webhook-attempts.jsonl was, wann, und was sie antworteten
calls.csv, calls.jsonl   Ihre Anrufe und die Teile davon, die zu Menschen durchgestellt wurden
turns.jsonl              was gesagt wurde, so wie es verstanden wurde
corrections.jsonl        was ein Agent hätte sagen sollen, wie Sie es notiert haben
charges.jsonl            was für jeden Anruf zurückgelegt wurde, zu welchem Preis, und was daraus wurde
claims.jsonl             Anrufe, von denen Sie sagten, dass es keine waren
credit.json              Ihre Credits und die Grenzen, die Sie gesetzt haben
prices.json              Preise, die nur für Sie gelten
ledger.csv, ledger.jsonl jede Buchung
statements/              dasselbe nach Monaten; ein sehr langer Monat nur als Tabelle
purchases.jsonl          was Sie gekauft haben
refunds.jsonl            was zurückging, ebenso in refund-requests.jsonl und other-payments.json
top-up.json              was gekauft werden darf, während Sie nicht da sind
billing-details.json     was auf Ihren Rechnungen steht
invoices/                Ihre Rechnungen und Gutschriften, in invoices.jsonl, was darauf steht
recordings/              Aufnahmen von Anrufen; es gibt keine

Zeiten sind in UTC. Eine Datei .jsonl enthält je Zeile ein JSON-Dokument, .json eine Liste, .csv eine Tabelle (RFC
4180, UTF-8); ein Text, den eine Tabellenkalkulation für eine Formel hielte, beginnt dort mit einem Apostroph. Credits
sind ganze Zahlen, Geld steht in der kleinsten Einheit seiner Währung. Von vergessenen Anrufern gibt es hier weder
Nummer noch Worte. Passwörter, Schlüssel und Codes sind in keiner der Dateien, weil nur Sie sie haben.

Die Dateien wurden nacheinander gelesen, während sie gesendet wurden: Was sich dabei änderte, steht darin so, wie es
war, als es gelesen wurde.
"""


def readme(name: str, locale: str, at: datetime) -> str:
    """The text; lines end as every editor takes them."""
    words = _GERMAN if language_of(locale) == "de" else _ENGLISH
    return words.format(name=name or "nobody", at=at).replace("\n", "\r\n")
