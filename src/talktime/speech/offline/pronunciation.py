"""How each word of a small vocabulary sounds, in the phones of the recogniser's English acoustic model.

The one rule: only words that can be written in its phones come out. English words are looked up; what is not in the
dictionary, and all of German, is pronounced by espeak-ng and written down in the nearest English phones, which is good
enough for the few hundred words of one business.
"""

import re
from collections.abc import Iterable
from pathlib import Path

from talktime.speech.contract import is_german
from talktime.speech.offline.espeak_library import espeak, is_installed

# From the International Phonetic Alphabet; longer ones first, so that diphthongs are not read as two vowels.
_PHONES: tuple[tuple[str, str], ...] = (
    *(("aɪə", "AY ER"), ("aɪɚ", "AY ER"), ("tʃ", "CH"), ("dʒ", "JH"), ("eɪ", "EY"), ("aɪ", "AY"), ("ɔɪ", "OY")),
    *(("ɔø", "OY"), ("ɔʏ", "OY"), ("oʊ", "OW"), ("əʊ", "OW"), ("aʊ", "AW"), ("ɪə", "IH R"), ("eə", "EH R")),
    *(("ʊə", "UH R"), ("ɑːɹ", "AA R"), ("ɔːɹ", "AO R"), ("pf", "P F"), ("ts", "T S"), ("ɜː", "ER"), ("ɜ", "ER")),
    *(("ɚ", "ER"), ("ɐ", "ER"), ("iː", "IY"), ("uː", "UW"), ("ɑː", "AA"), ("aː", "AA"), ("ɔː", "AO"), ("oː", "OW")),
    *(("eː", "EY"), ("ɛː", "EH"), ("yː", "UW"), ("øː", "ER"), ("ɪ", "IH"), ("i", "IY"), ("ʏ", "UH"), ("y", "UW")),
    *(("œ", "ER"), ("ø", "ER"), ("ʊ", "UH"), ("u", "UW"), ("ɛ", "EH"), ("e", "EH"), ("æ", "AE"), ("a", "AA")),
    *(("ɑ", "AA"), ("ɒ", "AA"), ("ɔ", "AO"), ("o", "OW"), ("ʌ", "AH"), ("ə", "AH"), ("p", "P"), ("b", "B")),
    *(("t", "T"), ("d", "D"), ("k", "K"), ("ɡ", "G"), ("g", "G"), ("f", "F"), ("v", "V"), ("θ", "TH"), ("ð", "DH")),
    *(("s", "S"), ("z", "Z"), ("ʃ", "SH"), ("ʒ", "ZH"), ("h", "HH"), ("m", "M"), ("n", "N"), ("ŋ", "NG")),
    *(("l", "L"), ("ɫ", "L"), ("ɹ", "R"), ("r", "R"), ("ɾ", "R"), ("ʁ", "R"), ("j", "Y"), ("w", "W")),
    *(("ç", "SH"), ("x", "K"), ("ɬ", "L"), ("ɲ", "N Y"), ("β", "V")),
)
_PHONE_OF = dict(_PHONES)
_SOUND = re.compile("|".join(re.escape(sound) for sound, _phone in _PHONES))


def pronunciations(words: Iterable[str], language: str, dictionary: Path) -> dict[str, list[str]]:
    """The ways each word is pronounced, each as phones with blanks between. Words nobody can pronounce are left out."""
    wanted = set(words)
    found = {} if is_german(language) else _looked_up(wanted, dictionary)
    if is_installed():
        voice = "de" if is_german(language) else "en-us"
        for word in wanted - found.keys():
            phones = to_phones(espeak().pronounce(word, voice))
            if phones:
                found[word] = [phones]
    return found


def written(pronounced: dict[str, list[str]]) -> str:
    """A dictionary in the recogniser's format."""
    lines = [
        f"{word} {phones}" if number == 1 else f"{word}({number}) {phones}"
        for word, ways in sorted(pronounced.items())
        for number, phones in enumerate(ways, 1)
    ]
    return "\n".join([*lines, ""])


def to_phones(ipa: str) -> str:
    """`pˈɑːɹkɪŋ` → `P AA R K IH NG`. Stress, and what has no counterpart, is left out."""
    plain = re.sub(r"[ˈˌ‿\u0303\u0329\u032f]", "", ipa)
    return " ".join(_PHONE_OF[sound] for sound in _SOUND.findall(plain))


def _looked_up(wanted: set[str], dictionary: Path) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    with dictionary.open(encoding="utf-8") as file:
        for line in file:
            entry, _blank, phones = line.partition(" ")
            word = entry.partition("(")[0]
            if word in wanted:
                found.setdefault(word, []).append(phones.strip())
    return found
