"""What people send with a form: read once, bounded, checked field by field, so that an error stands beside its field.

The one rule: a form of another site is refused before anything of it is read, and one that this browser was not shown
before anything is done with it (`routing.PageRoute` sees to both, for every page).
"""

import re
from collections.abc import Mapping
from urllib.parse import parse_qsl

from fastapi import Request

from talktime.errors import BadInput
from talktime.gateways import currencies
from talktime.http.body import BodyRefused, CutShort, TooLarge, WrongLength, read_body
from talktime.web import local
from talktime.web.language import _

_BYTES_MAX = 16 * 1024
_LONG_BYTES_MAX = 512 * 1024
"""Of a page where long texts are written: twenty kilobytes of instructions are three times as long in a form."""
_BODY_SECONDS = 10.0
_FIELDS_MAX = 40
_LONG_FIELDS_MAX = 200
_CREDITS_MAX = 10**12
_DIGITS_MAX = 20
"""More are no number of credits. Python refuses to read thousands of them, and takes its time for hundreds."""
_WHOLE = re.compile("[0-9]+|[0-9]{1,3}([,. \N{NO-BREAK SPACE}\N{NARROW NO-BREAK SPACE}’'][0-9]{3})+", re.ASCII)


class FormRefused(BadInput, BodyRefused):
    """This form cannot be read."""


class Form:
    """The fields of one form, and what is wrong with them."""

    def __init__(self, values: Mapping[str, str]) -> None:
        self.values = values
        self.errors: dict[str, str] = {}

    def text(self, name: str) -> str:
        """A field as it came, without blanks around it."""
        return self.values.get(name, "").strip()

    def is_ticked(self, name: str) -> bool:
        """Whether a box is ticked."""
        return name in self.values

    def credits(self, name: str) -> int | None:
        """A whole number of credits; None where nothing stands. Thousands may be set apart."""
        written = self.text(name)
        if not written:
            return None
        # Thousands are set apart by threes, or not at all: `1,5` and `1.5` are no fifteen.
        is_number = len(written) <= _DIGITS_MAX and _WHOLE.fullmatch(written)
        number = int(re.sub(r"[^0-9]", "", written)) if is_number else _CREDITS_MAX + 1
        if number > _CREDITS_MAX:
            self.errors[name] = _("A whole number of credits, such as 500; or nothing for none.")
            return None
        return number

    def money(self, name: str, currency: str) -> int | None:
        """An amount in minor units of a currency: `50` and `50.00` are 5000 cents. Never through a float."""
        decimals = currencies.decimals(currency)
        # No more decimals than the currency has: `1,000` is a thousand to some and one to others, so it is asked again.
        form = rf"([0-9]{{1,13}})(?:[.,]([0-9]{{1,{decimals}}}))?" if decimals else "([0-9]{1,13})()"
        written = re.fullmatch(form, self.text(name))
        minor = int(written[1] + (written[2] or "").ljust(decimals, "0")) if written else 0
        if not 0 < minor <= _CREDITS_MAX:
            example = local.typed_amount(50 * 10**decimals, currency)
            self.errors[name] = _("An amount in {currency}, such as {example}.").format(
                currency=currency, example=example
            )
            return None
        return minor


async def read_form(request: Request) -> Form:
    """The form that came with a request, read once. Raises BadInput for what is no form."""
    form: Form | None = getattr(request.state, "form", None)
    if form is None:
        form = request.state.form = await _read(request)
    return form


def expect_long_form(request: Request) -> None:
    """Said before the form is read: that it may be as long as a page with long texts needs."""
    request.state.form_is_long = True


def _is_long(request: Request) -> bool:
    return getattr(request.state, "form_is_long", False)


async def _read(request: Request) -> Form:
    body = await _body(request)
    try:
        # Of a name that stands there twice the last one counts.
        values = dict(
            parse_qsl(
                body.decode(),
                keep_blank_values=True,
                max_num_fields=_LONG_FIELDS_MAX if _is_long(request) else _FIELDS_MAX,
            )
        )
    except ValueError:
        raise BadInput(_NO_FORM) from None
    if any("\0" in value for value in values.values()):
        raise BadInput(_NO_FORM)  # no key types it, and the database cannot keep it
    return Form(values)


_NO_FORM = "This is no form of ours: open the page here and try again."


async def _body(request: Request) -> bytes:
    """The body, bounded in size and in time. Raises FormRefused, in words for who filled the form in."""
    try:
        bytes_max = _LONG_BYTES_MAX if _is_long(request) else _BYTES_MAX
        return await read_body(request, bytes_max=bytes_max, seconds_max=_BODY_SECONDS)
    except TooLarge:
        raise FormRefused("This form is too long.") from None
    except CutShort:
        raise FormRefused("This form did not come to its end: send it again.") from None
    except WrongLength:
        raise FormRefused(_NO_FORM) from None
