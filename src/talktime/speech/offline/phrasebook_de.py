"""The rule book in German."""

import re

from talktime.speech.offline.phrasebook import Phrasebook, any_of
from talktime.speech.offline.sentences_de import WEEKDAYS

_EMPTY_WORDS = (
    "ein eine einen einem einer der die das den dem des ist sind bin war ich sie wir ihr mir mich uns "
    "ihnen ihre ihren ihrem es und oder aber in im am an auf bei zu zum zur von vom mit für nach aus kann "
    "können könnte möchte will würde wollte habe haben hat gibt geht wie was wann wo wer welche viel bitte "
    "mal denn auch noch nicht sich gern hallo danke ja nein okay man da hier so dass wenn ob sagen wissen "
    "fragen machen"
)

GERMAN = Phrasebook(
    weekdays=WEEKDAYS,
    today=any_of("heute"),
    tomorrow=any_of("(?<!guten )morgen"),
    weekend=any_of("wochenenden?"),
    now=any_of("jetzt", "gerade", "noch", "im moment", "zurzeit", "momentan"),
    hours=any_of(
        *("öffnungszeiten", "geöffnet", "öffne[nt]", "offen", "geschlossen", "schließen", "schließt", "sprechzeiten"),
        *("sprechstunden?", "(?:haben|habt|hat) (?:\\w+ ){0,3}(?:auf|zu)", "mach(?:en|t) (?:\\w+ ){0,3}(?:auf|zu)"),
        "geschäftszeiten",
    ),
    when_closing_or_opening=any_of(
        *("wie lange", "bis wann", "ab wann", "wann (?:öffnen|schließen|machen)", "um wie viel uhr", "wie spät"),
    ),
    is_open=any_of(
        "(?<!wann )(?<!lange )(?<!tagen )(?:haben|habt) (?:sie|ihr) (?:\\w+ )?(?:geöffnet|offen|auf|geschlossen)",
        "ist (?:\\w+ )?(?:geöffnet|offen)",
    ),
    what_about=any_of("was ist mit", "wie ist es", "und(?: am)?"),
    greeting=any_of("hallo", "guten (?:morgen|tag|abend)", "grüß gott", "servus", "moin"),
    thanks=any_of("danke(?:schön)?", "vielen dank", "herzlichen dank", "besten dank"),
    goodbye=any_of(
        "auf wiederhören", "auf wiedersehen", "tschüss?", "tschau", "schönen (?:tag|abend)(?: noch)?", "bis bald"
    ),
    nothing_else=any_of("das (?:ist|war|wär) alles", "das wars", "sonst nichts", "nichts mehr", "keine fragen mehr"),
    yes=any_of("ja", "jawohl", "gern", "gerne", "okay", "ok", "genau", "richtig", "stimmt", "in ordnung", "klar"),
    no=any_of("nein", "nee", "nicht nötig", "lieber nicht"),
    repeat=any_of(
        *("wiederholen", "wie bitte", "noch ?(?:ein)?mal", "was haben sie gesagt", "nicht (?:verstanden|gehört)"),
    ),
    leave_message=any_of(
        *("nachricht", "ausrichten", "richten sie", "zurückrufen", "rückruf", "rufen sie mich", "etwas hinterlassen"),
    ),
    person=any_of(
        *(
            "mit (?:\\w+ ){1,3}(?:sprechen|reden)",
            "verbinden sie",
            "durchstellen",
            "einen menschen",
            "mitarbeiter(?:in)?",
        ),
    ),
    who_are_you=any_of(
        *("wer sind sie", "sind sie (?:ein |eine )?(?:roboter|maschine|computer|mensch|echt)", "mit einem menschen$"),
    ),
    help=any_of("was können sie", "können sie mir helfen", "brauche hilfe", "(?:eine|noch eine) frage$"),
    never_mind=any_of("vergessen sie es", "schon gut", "egal", "keine nachricht", "doch nicht"),
    my_name_is=re.compile(
        r"^(?:(?:ja|okay|gut|hallo|also)\b ?)*(?:mein name ist|hier ist|hier spricht|ich bin|ich heiße|das ist)? ?"
    ),
    separators=re.compile(r"\b(?:und außerdem|und dann|und auch|und|außerdem)\b"),
    synonyms={
        **dict.fromkeys(("kostet", "kosten", "preise", "teuer", "gebühr", "bezahle"), "preis"),
        **dict.fromkeys(("kind", "sohn", "tochter", "kinder"), "kinder"),
        **dict.fromkeys(("parken", "parkplatz", "parkplätze", "parkhaus", "auto", "abstellen"), "parken"),
        **dict.fromkeys(("adresse", "anfahrt", "finde", "hinkommen", "liegt", "befinden"), "adresse"),
        **dict.fromkeys(("schmerzen", "zahnschmerzen", "weh", "schmerz"), "schmerz"),
        **dict.fromkeys(("termine", "buchen", "vereinbaren", "reservieren"), "termin"),
        **dict.fromkeys(("absagen", "verschieben", "stornieren", "ändern", "absage"), "absagen"),
        **dict.fromkeys(("karte", "kreditkarte", "bar", "bezahlen", "zahlung"), "zahlen"),
        **dict.fromkeys(("versicherungen", "krankenkasse", "kasse", "privat"), "versicherung"),
        **dict.fromkeys(("aufzug", "rollstuhl", "treppe", "treppen", "stufen"), "barrierefrei"),
    },
    endings=("ungen", "ung", "ern", "en", "er", "es", "em", "st", "e", "n", "s", "t"),
    empty_words=frozenset(_EMPTY_WORDS.split()),
    says_hello="Hallo! Wie kann ich Ihnen helfen?",
    says_welcome="Gern geschehen. Kann ich sonst noch etwas für Sie tun?",
    says_goodbye="Vielen Dank für Ihren Anruf. Auf Wiederhören!",
    says_who="Ich bin der automatische Assistent von {business}, kein Mensch. Wie kann ich Ihnen helfen?",
    says_help="Ich nenne Ihnen die Öffnungszeiten, beantworte Fragen zu {business} oder nehme eine Nachricht auf.",
    asks_on="Bitte, ich höre.",
    asks_anything_else="In Ordnung. Kann ich sonst noch etwas für Sie tun?",
    asks_again=(
        "Das habe ich leider nicht verstanden. Können Sie es anders sagen?",
        "Es tut mir leid, ich habe Sie noch nicht verstanden. Fragen Sie zum Beispiel nach den Öffnungszeiten.",
    ),
    offers_message="Dabei kann ich Ihnen leider nicht helfen. Soll ich eine Nachricht aufnehmen?",
    offers_message_for_person="Ich kann Sie gerade nicht verbinden. Soll ich eine Nachricht aufnehmen?",
    asks_name="Gern. Wie ist Ihr Name, bitte?",
    asks_message="Danke. Und wie lautet Ihre Nachricht?",
    says_taken="Danke, ich habe das notiert und gebe es weiter. Kann ich sonst noch etwas für Sie tun?",
    says_not_taken="Es tut mir leid, ich konnte die Nachricht nicht speichern. Bitte rufen Sie später noch einmal an.",
    says_dropped="In Ordnung, keine Nachricht. Kann ich sonst noch etwas für Sie tun?",
    says_cannot_take="Es tut mir leid, ich kann keine Nachrichten aufnehmen. Kann ich sonst noch etwas für Sie tun?",
    says_transferring="Einen Moment bitte, ich verbinde Sie.",
    says_no_hours="Die Öffnungszeiten kenne ich leider nicht.",
)
