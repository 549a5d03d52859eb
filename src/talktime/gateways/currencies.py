"""Currencies: which there are, how many decimals each has, and how an amount of one is written for people.

The one rule: an amount is a whole number of minor units as ISO 4217 defines them, never a float. What a payment company
counts in is its adapter's business.
"""

import copy
from decimal import Decimal

from babel.core import Locale, UnknownLocaleError


def _codes(text: str) -> frozenset[str]:
    return frozenset(text.split())


# ISO 4217, list one, without funds, metals and testing codes. Babel knows these and every currency that ever was, and
# its decimals are those people write, not those banks count in (none for AFN or RSD): so the list stands here.
_TWO_DECIMALS = _codes(
    "AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BMD BND BOB BRL BSD BTN BWP BYN BZD CAD CDF CHF CNY COP CRC CUP"
    " CVE CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GTQ GYD HKD HNL HTG HUF IDR ILS INR IRR JMD KES"
    " KGS KHR KPW KYD KZT LAK LBP LKR LRD LSL MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MYR MZN NAD NGN NIO NOK"
    " NPR NZD PAB PEN PGK PHP PKR PLN QAR RON RSD RUB SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP SZL THB"
    " TJS TMT TOP TRY TTD TWD TZS UAH USD UYU UZS VED VES WST XCD XCG YER ZAR ZMW ZWG"
)
_NO_DECIMALS = _codes("BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX VND VUV XAF XOF XPF")
_THREE_DECIMALS = _codes("BHD IQD JOD KWD LYD OMR TND")
_DECIMALS = {
    **dict.fromkeys(_TWO_DECIMALS, 2),
    **dict.fromkeys(_NO_DECIMALS, 0),
    **dict.fromkeys(_THREE_DECIMALS, 3),
}


def is_known(currency: str) -> bool:
    """Whether this is the code of a currency in use, in capitals: `EUR`."""
    return currency in _DECIMALS


def decimals(currency: str) -> int:
    """How many decimals its minor unit stands for: 2 for EUR, 0 for JPY, 3 for KWD. KeyError for an unknown one."""
    return _DECIMALS[currency]


def format_money(minor: int, currency: str, locale: str) -> str:
    """An amount as people write it where they speak so: `format_money(1050, "EUR", "de")` is `10,50 €`.

    All of the currency's decimals are shown. A locale nobody knows is read as English: money has to be shown anyway.
    """
    try:
        known = Locale.parse(locale.replace("-", "_"))
    except (UnknownLocaleError, ValueError):
        known = Locale("en")
    pattern = copy.copy(known.currency_formats["standard"])
    pattern.frac_prec = (_DECIMALS[currency], _DECIMALS[currency])
    amount = Decimal(minor).scaleb(-_DECIMALS[currency])
    return str(pattern.apply(amount, known, currency=currency, currency_digits=False))
