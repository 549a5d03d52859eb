"""The addresses of the pages about numbers. Those of proofs come first: `proofs` is no number."""

from fastapi import APIRouter

from talktime.web.numbers import pages, proofs

router = APIRouter()
router.include_router(proofs.router)
router.include_router(pages.router)
