"""The operator's pages: what goes on, everybody's accounts, numbers, prices, money, events, jobs and the audit log.

The one rule: they are there for administrators alone; for anybody else there is no such page (`desk`).
"""

from fastapi import APIRouter

from talktime.web.operator import (
    audit,
    call,
    carriers,
    events,
    health,
    jobs,
    money,
    number,
    numbers,
    overview,
    packs,
    people,
    person,
    person_deeds,
    prices,
    purchases,
    server,
    unbilled,
)

router = APIRouter()
# What has a word for an address stands before what has an id there.
for _pages in (
    overview, people, person_deeds, call, person, numbers, carriers, number, packs, prices, money, purchases, unbilled,
    events, jobs, audit, health, server,
):  # fmt: skip
    router.include_router(_pages.router)
