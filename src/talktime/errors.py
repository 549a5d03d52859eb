"""The errors of Talktime.

    TalktimeError            the caller can mend it; carries an HTTP status and a message that says what to do
    ├── NotFound             there is no such thing, or it is somebody else's
    ├── Conflict             somebody else changed it first
    ├── Refused              understood, and not allowed
    └── BadInput             what was sent cannot be right
    ProviderError            a carrier, a speech vendor or a gateway failed; `permanent` says whether to try again

An error of one domain subclasses one of these beside the code that raises it. A class's docstring is its
default message. What is our own fault is an assertion, not one of these.
"""

import inspect


class TalktimeError(Exception):
    """Something is wrong with the request."""

    status = 400

    def __init__(self, message: str = "") -> None:
        if not message:
            said = inspect.cleandoc(self.__doc__ or "")
            # One sentence goes onto one line: it is shown to people, and is the key of its translations.
            message = said if "\n\n" in said else " ".join(said.split())
        super().__init__(message)


class BadInput(TalktimeError):
    """What was sent cannot be right."""

    status = 422


class NotFound(TalktimeError):
    """There is no such thing here."""

    status = 404


class Conflict(TalktimeError):
    """Somebody else changed this first: look at it again, then repeat what you wanted."""

    status = 409


class Refused(TalktimeError):
    """That is not allowed."""

    status = 403


class ProviderError(Exception):
    """A provider failed.

    `permanent` is true when trying again cannot help (a wrong key, a call that is gone), so that a job gives up
    at once instead of climbing its ladder of retries.
    """

    def __init__(self, message: str, *, permanent: bool = False) -> None:
        super().__init__(message)
        self.permanent = permanent
