"""The settings: what somebody may see and change of their own account, each part in a file of its own.

`router` holds all of them, with the password once more (`confirming`) and the way out of somebody else's account.
"""

from fastapi import APIRouter

from talktime.web import (
    acting,
    confirming,
    settings_closing,
    settings_data,
    settings_email,
    settings_keys,
    settings_mails,
    settings_password,
    settings_profile,
    settings_second_factor,
    settings_sessions,
)

router = APIRouter()
for part in (
    acting,
    confirming,
    settings_profile,
    settings_email,
    settings_mails,
    settings_password,
    settings_second_factor,
    settings_sessions,
    settings_keys,
    settings_data,
    settings_closing,
):
    router.include_router(part.router)
