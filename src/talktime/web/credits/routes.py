"""The addresses of the pages about credit."""

from fastapi import APIRouter

from talktime.web.credits import buying, limits, overview, purchases, statements, transactions

router = APIRouter()
router.include_router(overview.router)
router.include_router(transactions.router)
router.include_router(purchases.router)
router.include_router(limits.router)
router.include_router(buying.router)
router.include_router(statements.router)
