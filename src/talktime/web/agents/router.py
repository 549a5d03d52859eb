"""All pages of agents, in the order in which their addresses are tried: the list and a new one before one of them."""

from fastapi import APIRouter

from talktime.web.agents import (
    answers,
    beginning,
    days,
    editor,
    listing,
    prompts,
    publishing,
    switching,
    versions,
)

router = APIRouter()
for _pages in (listing, beginning, publishing, versions, prompts, switching, days, answers, editor):
    router.include_router(_pages.router)
