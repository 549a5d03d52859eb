"""Where one can go: the places of a customer and of an operator, in the order in which they are offered.

The one rule: a place stands here once it has a page. Appointments, knowledge and rehearsals have theirs between what is
there already: `_CUSTOMER` and `_OPERATOR` are in the order that the navigation keeps when they come.
"""

from dataclasses import dataclass

from talktime.web.language import _


@dataclass(frozen=True, slots=True)
class Place:
    """One entry of the navigation."""

    here: str
    """By this name a page says that it belongs to the place."""
    address: str
    title: str


@dataclass(frozen=True, slots=True)
class Group:
    """Places under one heading; "" for the first, which needs none."""

    title: str
    places: tuple[Place, ...]


def navigation(here: str, *, is_operator: bool) -> list[Group]:
    """The groups to show on a page at `here`: an operator sees their places as soon as they are among them, and one
    entry that leads there from everywhere else."""
    own = Group("", _customer())
    if not is_operator:
        return [own]
    places = _operator()
    if here not in {place.here for place in places}:
        return [own, Group(_("Operator"), (Place("operator", "/operator", _("Operator")),))]
    return [Group(_("Operator"), places), Group("", (Place("overview", "/", _("Your account")),))]


def _customer() -> tuple[Place, ...]:
    return (
        Place("overview", "/", _("Overview")),
        Place("calls", "/calls", _("Calls")),
        Place("agents", "/agents", _("Agents")),
        # Here come Knowledge, Appointments and Rehearsals.
        Place("numbers", "/numbers", _("Numbers")),
        Place("credits", "/credits", _("Credits")),
        Place("webhooks", "/webhooks", _("Webhooks")),
        Place("settings", "/settings", _("Settings")),
    )


def _operator() -> tuple[Place, ...]:
    return (
        Place("operator", "/operator", _("Overview")),
        Place("users", "/operator/users", _("Users")),
        Place("operator-numbers", "/operator/numbers", _("Numbers")),
        Place("prices", "/operator/prices", _("Packs and prices")),
        Place("money", "/operator/money", _("Purchases")),
        Place("unbilled", "/operator/unbilled", _("Not billed")),
        Place("events", "/operator/events", _("Events")),
        Place("jobs", "/operator/jobs", _("Jobs")),
        Place("audit", "/operator/audit", _("Audit log")),
        Place("health", "/operator/health", _("Providers")),
        Place("operator-settings", "/operator/settings", _("Server")),
    )
