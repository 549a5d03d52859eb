"""Documents that are no JSON: PDF and CSV, as the pages give them, too."""

from collections.abc import AsyncIterator

from fastapi import Response
from fastapi.responses import StreamingResponse


class PdfResponse(Response):
    """A PDF, for the description of the API."""

    media_type = "application/pdf"


class CsvResponse(StreamingResponse):
    """A CSV file, for the description of the API."""

    media_type = "text/csv; charset=utf-8"


def pdf(body: bytes, name: str) -> Response:
    """A PDF to keep under this name, which holds only what we put there."""
    return PdfResponse(body, headers=_attached(name))


def csv(lines: AsyncIterator[str], name: str) -> Response:
    """A CSV file that is sent while it is read."""
    return CsvResponse(lines, headers=_attached(name))


def _attached(name: str) -> dict[str, str]:
    return {"content-disposition": f'attachment; filename="{name}"'}
