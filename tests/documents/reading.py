"""Reading a PDF back, with another library than the one that wrote it."""

import io
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from pypdf import PageObject, PdfReader
from pypdf.generic import ContentStream

PAGE_WIDTH, PAGE_HEIGHT = 595.28, 841.89
_MARGIN = 40.0


@dataclass(frozen=True, slots=True)
class Reading:
    """What a reader sees of a PDF."""

    pages: list[str]
    fonts: frozenset[str]
    title: str
    created: str

    @property
    def text(self) -> str:
        """All of it, with single spaces, so that a test need not know where a line was broken."""
        return " ".join(" ".join(self.pages).split())


def read(data: bytes) -> Reading:
    """The PDF as a person reads it; asserts that nothing stands beyond the margins and every font is embedded."""
    reader = PdfReader(io.BytesIO(data), strict=True)
    fonts = set()
    for page in reader.pages:
        for font in _fonts(page).values():
            assert "/FontFile2" in font["/FontDescriptor"], font
            fonts.add(str(font["/BaseFont"]))
        for left, right, y in _placed(page, reader):
            assert left >= _MARGIN, (left, y)
            assert right <= PAGE_WIDTH - _MARGIN, (right, y)
            assert 0.4 * _MARGIN <= y <= PAGE_HEIGHT - 0.4 * _MARGIN, y
    assert reader.metadata is not None
    return Reading(
        pages=[page.extract_text() for page in reader.pages],
        fonts=frozenset(fonts),
        title=str(reader.metadata.title),
        created=str(reader.metadata.get("/CreationDate")),
    )


def texts(data: bytes) -> list[str]:
    """Only the words of every page: for a document so long that looking at each place takes too long."""
    return [page.extract_text() for page in PdfReader(io.BytesIO(data), strict=True).pages]


def _fonts(page: PageObject) -> dict[str, Any]:
    resources: Any = page["/Resources"]
    return {name: font.get_object() for name, font in resources["/Font"].items()}


def _placed(page: PageObject, reader: PdfReader) -> Iterator[tuple[float, float, float]]:
    """Left edge, right edge and base line of every piece of text, by the widths that the file itself names."""
    fonts = _fonts(page)
    font: Any = None
    size = x = y = 0.0
    stream = ContentStream(page.get_contents(), reader)
    for operands, operator in stream.operations:
        if operator == b"Tf":
            font, size = fonts[operands[0]], float(operands[1])
        elif operator == b"Tm":
            x, y = float(operands[4]), float(operands[5])
        elif operator == b"Tj":
            raw = operands[0].original_bytes
            first, widths = int(font["/FirstChar"]), font["/Widths"]
            width = sum(float(widths[code - first]) for code in raw) / 1000 * size
            yield x, x + width, y
            x += width
