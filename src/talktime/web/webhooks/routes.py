"""The addresses of the pages about webhooks. Those of new endpoints come first: `new` is no endpoint."""

from fastapi import APIRouter

from talktime.web.webhooks import deliveries, endpoints

router = APIRouter()
router.include_router(endpoints.router)
router.include_router(deliveries.router)
