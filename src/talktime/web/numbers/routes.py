"""The addresses of the pages about numbers. Those of proofs and of choosing come first: `proofs` and `new`
are no numbers."""

from fastapi import APIRouter

from talktime.web.numbers import pages, proofs, taking

router = APIRouter()
router.include_router(proofs.router)
router.include_router(taking.router)
router.include_router(pages.router)
