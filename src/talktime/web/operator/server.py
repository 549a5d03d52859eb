"""The settings in force: what each of them is, and whether somebody set it. That they go together is seen to before
anybody is served (`configuration`).

The one rule: of a secret, and of an address that may hold one, it is only said whether it is set.
"""

from collections.abc import Mapping, Sequence
from importlib.metadata import version
from typing import Any, get_args

from fastapi import APIRouter, Request, Response
from pydantic import AliasChoices, SecretStr

from talktime.http.context import Context, context_of
from talktime.settings import Settings
from talktime.web import who
from talktime.web.language import _
from talktime.web.operator import desk
from talktime.web.routing import PageRoute
from talktime.web.sheet import sheet

router = APIRouter(prefix="/operator/settings", route_class=PageRoute)

_MAY_HOLD_A_SECRET = ("otlp_endpoint", "openai_base_url")
"""Addresses that others give us, perhaps with a key in them."""


@router.get("")
async def show(request: Request) -> Response:
    """All of them, by what they are about."""
    identity = await who.operator(request)
    context = context_of(request)
    async with desk.transaction(request) as db:
        paper = await sheet(request, db, identity, "operator-settings")
    settings = context.settings
    return paper.page(
        "operator/settings.html",
        groups=[(title, [_view(settings, name) for name in names]) for title, names in _groups().items()],
        about=_about(context),
        dead=list(context.dead),
    )


def _about(context: Context) -> list[tuple[str, str]]:
    return [
        (_("Version"), version("talktime")),
        (_("Reached at"), context.settings.base_url),
        (_("Mode"), _("demo: nobody is called and no money moves") if context.demo else _("in earnest")),
        (_("Phone companies"), ", ".join(sorted(context.carriers)) or _("none")),
        (_("Payment companies"), ", ".join(sorted(context.gateways)) or _("none")),
        (_("This process"), _("is being stopped") if context.leaving else _("serves")),
    ]


def _view(settings: Settings, name: str) -> dict[str, object]:
    value: Any = getattr(settings, name)
    return {
        "name": _name(name),
        "value": _shown(name, value),
        "is_set": name in settings.model_fields_set,
    }


def _name(field: str) -> str:
    """The setting's name in the environment, the one that counts first."""
    alias = Settings.model_fields[field].validation_alias
    assert isinstance(alias, AliasChoices), field
    return str(alias.choices[0])


def _shown(name: str, value: Any) -> str:
    field = Settings.model_fields[name]
    is_secret = SecretStr in (field.annotation, *get_args(field.annotation)) or name in _MAY_HOLD_A_SECRET
    if is_secret:
        return _("set") if value else _("not set")
    if isinstance(value, bool):
        return _("yes") if value else _("no")
    if value is None:
        return _("for ever") if name.startswith("keep_") else _("not set")
    return str(value) or _("not set")


def _groups() -> Mapping[str, Sequence[str]]:
    """What each setting is about. One that is nowhere else stands with the rest, so none is left out."""
    groups = {
        _("Where things are"): ["home", "host", "port", "public_url", "trusted_proxies", "log_level"],
        _("Database"): ["database_url", "database_owner_url", "database_connections_max"],
        _("People and mail"): ["sign_up", "support_email", "smtp_url", "mail_from", "alerts_to"],
        _("Phone companies"): [
            "twilio_account_sid", "twilio_auth_token", "twilio_api_base", "simulated_carrier_port", "number_rent",
        ],
        _("Speech and language"): [
            "openai_api_key", "openai_base_url", "openai_model", "deepgram_api_key", "deepgram_url",
            "elevenlabs_api_key", "elevenlabs_url", "elevenlabs_voice",
        ],
        _("Money"): [
            "stripe_api_key", "stripe_webhook_secret", "stripe_api_base", "simulated_gateway_port", "adjustment_limit",
            "seller_name", "seller_address", "seller_country", "seller_vat_id", "seller_tax_number", "seller_email",
            "vat_percent", "invoice_series",
        ],
        _("How long is kept what is about people, in days"): [
            name for name in Settings.model_fields if name.startswith("keep_")
        ],
    }  # fmt: skip
    known = {name for names in groups.values() for name in names}
    return {**groups, _("The rest"): [name for name in Settings.model_fields if name not in known]}
