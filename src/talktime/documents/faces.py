"""The letters: Inter, in two weights, cut from the variable font that comes in a wheel.

The rule: a character that the font lacks is shown as a box, never dropped and never an error. Digits all have one
width, so that figures stand under each other.
"""

import io
import re
import unicodedata
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from importlib.resources import files
from threading import Lock
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fontTools.ttLib import TTFont

REPLACEMENT = "\N{REPLACEMENT CHARACTER}"
_BOX_GLYPH = "uni25A1"
_OPTICAL_SIZE = 14
"""The axis' lower end, made for text."""
_COVERED = (
    (0x0020, 0x024F),  # Latin with its extensions
    (0x02B0, 0x036F),  # letters and accents that modify
    (0x0370, 0x03FF),  # Greek
    (0x0400, 0x052F),  # Cyrillic
    (0x1E00, 0x1EFF),  # Latin for Vietnamese, and the capital ß
    (0x2000, 0x206F),  # punctuation
    (0x20A0, 0x20CF),  # currencies
    (0x2100, 0x214F),  # №, ™
    (0x2190, 0x2193),  # arrows
    (0x2200, 0x22FF),  # the minus, and mathematics
    (0x25A1, 0x25A1),  # the box
)
_LAYOUT_TABLES = ("GSUB", "GPOS", "GDEF", "STAT", "MVAR", "HVAR", "prep", "gasp")
_BLANKS = re.compile(r"[^\S\u00a0\u202f]+")
"""Runs of them, line breaks too; but not the spaces that hold a figure and its unit together."""


class Weight(StrEnum):
    """How heavy the letters are."""

    REGULAR = "Regular"
    STRONG = "SemiBold"


_WEIGHT_AXIS = {Weight.REGULAR: 400, Weight.STRONG: 600}


@dataclass(frozen=True, slots=True)
class Face:
    """One weight of the font: the file, and how wide its characters are."""

    weight: Weight
    data: bytes
    widths: dict[int, float]
    """Code point → width as a part of the size; what is not in it cannot be shown."""

    def measure(self, text: str, size: float) -> float:
        """The width of a printable text, in points."""
        return sum(map(self.widths.__getitem__, map(ord, text))) * size


_CUTTING = Lock()


def face(weight: Weight) -> Face:
    """One weight of the font. The first call in a process takes a second or two, so see `prepare`."""
    with _CUTTING:
        return _faces()[weight]


def prepare() -> None:
    """Cut the fonts now: for a process that wants its first document to be as quick as the rest."""
    face(Weight.REGULAR)


def printable(text: str) -> str:
    """The text as one line that the font can show: blanks become single spaces, what cannot be shown a box each.

    Control characters and those that change the direction of writing are among what cannot be shown: a name must not
    be able to rearrange an invoice.
    """
    if text.isascii() and text.isprintable():
        return _BLANKS.sub(" ", text).strip()
    shown = face(Weight.REGULAR).widths
    text = unicodedata.normalize("NFC", _BLANKS.sub(" ", text)).strip()
    return "".join(
        char if ord(char) in shown and unicodedata.category(char)[0] != "C" else REPLACEMENT for char in text
    )


@lru_cache(maxsize=1)
def _faces() -> dict[Weight, Face]:
    variable = _trimmed()
    return {weight: _cut(variable, weight) for weight in Weight}


def _trimmed() -> bytes:
    """The variable font with the alphabets that we print, and with digits of one width in the place of its own."""
    # The tools for it are a fifth of a second to import, which a process that makes no documents need not spend.
    from fontTools import subset
    from fontTools.ttLib import TTFont

    font = TTFont(io.BytesIO((files("fontpkg_inter") / "files" / "Inter[opsz,wght].ttf").read_bytes()), lazy=True)
    for table in _LAYOUT_TABLES:
        if table in font:
            del font[table]
    glyphs = frozenset(font.getGlyphOrder())
    for table in font["cmap"].tables:
        for digit in map(ord, "0123456789+−"):
            tabular = f"{table.cmap.get(digit)}.tf"
            if tabular in glyphs:
                table.cmap[digit] = tabular
        if table.isUnicode():
            table.cmap[ord(REPLACEMENT)] = _BOX_GLYPH
    options = subset.Options()
    options.layout_features = []
    options.hinting = False
    options.notdef_outline = True
    cutter = subset.Subsetter(options)
    cutter.populate(
        unicodes=[ord(REPLACEMENT)]
        + [code for code in font.getBestCmap() if any(first <= code <= last for first, last in _COVERED)]
    )
    cutter.subset(font)
    return _saved(font)


def _cut(variable: bytes, weight: Weight) -> Face:
    from fontTools.ttLib import TTFont
    from fontTools.varLib import instancer

    font = TTFont(io.BytesIO(variable))
    font = instancer.instantiateVariableFont(font, {"wght": _WEIGHT_AXIS[weight], "opsz": _OPTICAL_SIZE}, inplace=True)
    for name_id in (4, 6):
        font["name"].setName(f"Inter-{weight}", name_id, 3, 1, 0x409)
    per_size = font["head"].unitsPerEm
    advances = font["hmtx"].metrics
    widths = {code: advances[glyph][0] / per_size for code, glyph in font.getBestCmap().items()}
    return Face(weight, _saved(font), widths)


def _saved(font: "TTFont") -> bytes:
    # The time of saving would otherwise stand in the file, and the same document would not be the same bytes.
    font.recalcTimestamp = False
    buffer = io.BytesIO()
    font.save(buffer)
    return buffer.getvalue()
