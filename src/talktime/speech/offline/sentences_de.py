"""German sentences that callers of any business say. Words only; see `sentences.py`."""

WEEKDAYS = ("montag", "dienstag", "mittwoch", "donnerstag", "freitag", "samstag", "sonntag")
ONES = (
    *("null", "eins", "zwei", "drei", "vier", "fünf", "sechs", "sieben", "acht", "neun", "zehn", "elf", "zwölf"),
    *("dreizehn", "vierzehn", "fünfzehn", "sechzehn", "siebzehn", "achtzehn", "neunzehn"),
)
TENS = ("", "", "zwanzig", "dreißig", "vierzig", "fünfzig", "sechzig", "siebzig", "achtzig", "neunzig")
SIGNS = {"&": "und", "€": "euro", "£": "pfund", "$": "dollar", "%": "prozent"}

_DAYS = ("heute", "morgen", "am wochenende", *(f"am {day}" for day in WEEKDAYS))
_TIMES = ("jetzt", "gerade", "noch", "morgens", "abends", "mittags", "an feiertagen")
HOURS = (
    *("wann haben sie geöffnet", "wie sind ihre öffnungszeiten", "was sind ihre öffnungszeiten", "wann haben sie auf"),
    *("wann machen sie auf", "wann machen sie zu", "wie lange haben sie geöffnet", "wie lange haben sie auf"),
    *("bis wann haben sie geöffnet", "ab wann haben sie geöffnet", "haben sie geöffnet", "haben sie offen"),
    *("wann öffnen sie", "wann schließen sie", "an welchen tagen haben sie geöffnet", "öffnungszeiten"),
    *("wann ist sprechstunde", "wann kann ich kommen", "wie sind die öffnungszeiten", "haben sie geschlossen"),
    *(f"haben sie {when} {word}" for when in (*_DAYS, *_TIMES) for word in ("geöffnet", "auf", "offen")),
    *(f"wann haben sie {day} geöffnet" for day in _DAYS),
    *(f"wie lange haben sie {day} geöffnet" for day in _DAYS),
    *(f"wann {verb} sie {day}" for verb in ("öffnen", "schließen") for day in _DAYS),
    *(f"wann machen sie {day} {way}" for way in ("auf", "zu") for day in _DAYS),
    *(f"und {day}" for day in _DAYS),
)
OPENINGS = (
    *("hallo", "guten tag", "guten morgen", "können sie mir sagen", "ich möchte wissen", "ich wollte fragen"),
    *("ich wüsste gern", "entschuldigung", "okay", "und", "gut", "danke", "danke und", "ja", "nein", "also"),
    *("ich hätte eine frage", "sagen sie mir bitte", "guten tag ich wollte fragen"),
)
ENDINGS = ("bitte", "danke", "gerade", "genau", "heute", "morgen")

REWRITES = (
    (r"^kann ich ", ("könnte ich ", "darf ich ")),
    (r"^(?:haben|nehmen|machen|bieten) sie ", ("haben sie auch ", "gibt es ")),
    (r"^gibt es ", ("haben sie ", "ist da ")),
    (r"^ich (?:will|muss|möchte) ", ("ich muss ", "ich möchte ", "ich würde gern ", "kann ich ")),
    (r"^was kostet (.+)$", (r"wie teuer ist \1", r"wie viel kostet \1", r"was würde \1 kosten")),
    (r"^wo (ist|sind|kann) ", (r"wo genau \1 ", r"sagen sie mir wo \1 ")),
)
"""Other ways to say the same: what a sentence begins with, and what may stand there instead."""
SYNONYMS = (
    *(("kinder", "kind", "sohn", "tochter"), ("absagen", "verschieben", "ändern"), ("karte", "kreditkarte")),
    *(("kontrolle", "untersuchung"), ("adresse", "anschrift"), ("parkplatz", "parkplätze")),
)
"""Words that callers use for one another; one that an agent's questions have brings the others with it."""

_GOODBYES = ("auf wiederhören", "auf wiedersehen", "tschüss", "schönen tag noch", "bis bald")
_THANKS = ("danke", "vielen dank", "danke schön", "herzlichen dank", "danke sehr", "besten dank")
_PEOPLE = ("einem menschen", "jemandem", "einem mitarbeiter", "einer mitarbeiterin", "dem chef", "der chefin")
COMMON = (
    *("hallo", "guten tag", "guten morgen", "guten abend", "grüß gott", "hallo sind sie da", "hören sie mich"),
    *("ja", "nein", "ja bitte", "nein danke", "ja gern", "okay", "gut", "genau", "stimmt", "richtig", "in ordnung"),
    *("das ist alles", "das war alles", "das wars", "sonst nichts", "nein das ist alles", "nein das war alles danke"),
    *("können sie das wiederholen", "wiederholen sie das bitte", "wie bitte", "noch einmal bitte", "nochmal bitte"),
    *("was haben sie gesagt", "ich habe sie nicht verstanden", "das habe ich nicht verstanden", "bitte wiederholen"),
    *("ich möchte eine nachricht hinterlassen", "kann ich eine nachricht hinterlassen", "eine nachricht bitte"),
    *("ich will eine nachricht hinterlassen", "können sie etwas ausrichten", "bitte richten sie etwas aus"),
    *(
        "bitte rufen sie mich zurück",
        "können sie mich zurückrufen",
        "ich bitte um rückruf",
        "nehmen sie eine nachricht auf",
    ),
    *("wer sind sie", "sind sie ein roboter", "spreche ich mit einem menschen", "was können sie"),
    *("können sie mir helfen", "ich brauche hilfe", "ich habe eine frage", "ich habe noch eine frage", "hilfe"),
    *_THANKS,
    *_GOODBYES,
    *(f"{thanks} {goodbye}" for thanks in _THANKS for goodbye in _GOODBYES),
    *(f"{verb} mit {person} sprechen" for verb in ("kann ich", "ich möchte", "ich will") for person in _PEOPLE),
    *(f"verbinden sie mich mit {person}" for person in _PEOPLE),
)

_NAMES = (
    *("müller", "schmidt", "schneider", "fischer", "weber", "meyer", "wagner", "becker", "schulz", "hoffmann"),
    *("koch", "bauer", "richter", "klein", "wolf", "neumann", "schwarz", "braun", "anna", "peter", "thomas", "julia"),
    *("maria", "michael", "sabine", "stefan", "andrea", "martin", "klaus", "petra", "karin", "jan"),
)
DICTATED = (
    *(f"mein name ist {name}" for name in _NAMES),
    *(f"hier ist {name}" for name in _NAMES),
    *(f"ich heiße {name}" for name in _NAMES),
    *(f"meine nummer ist {first} {second}" for first in ONES[:10] for second in ONES[:10]),
    *(f"bitte rufen sie mich {when} zurück" for when in ("heute", "morgen", "am montag", "am nachmittag")),
    *("ich komme später", "es ist dringend", "ich habe eine frage zu meiner rechnung", "ich möchte einen termin"),
)


def number(value: int) -> str:
    """0 to 9,999 as it is said, in one word."""
    if value < 20:
        return ONES[value]
    if value < 100:
        one = {0: "", 1: "einund"}.get(value % 10, f"{ONES[value % 10]}und")
        return f"{one}{TENS[value // 10]}"
    size, name = (1000, "tausend") if value >= 1000 else (100, "hundert")
    head = ("ein" if value // size == 1 else number(value // size)) + name
    return head + number(value % size) if value % size else head
