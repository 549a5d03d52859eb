"""The queue: what waits, what runs, what was given up, and having it done again.

The one rule: no argument and no word of an error is shown, which may be somebody's.
"""

from fastapi import APIRouter, Request, Response

from talktime.alerts import queue
from talktime.alerts.queue import JobState, QueuedJob
from talktime.web import local, who
from talktime.web.language import _
from talktime.web.operator import desk
from talktime.web.routing import PageRoute
from talktime.web.sheet import back, sheet
from talktime.web.words import Clock

PATH = "/operator/jobs"
_ID_MAX = 2**63 - 1

router = APIRouter(prefix=PATH, route_class=PageRoute)


@router.get("")
async def show(request: Request) -> Response:
    """Those of one state, the newest first; what was given up stands there unless another is chosen."""
    identity = await who.operator(request)
    state = desk.chosen(request, "state", JobState) or JobState.FAILED
    before = desk.place(request, int)
    if before is not None and not 0 < before <= _ID_MAX:
        raise desk.NoSuchPlace
    async with desk.transaction(request, snapshot=True) as db:
        paper = await sheet(request, db, identity, "jobs", said={"again": _("It is done again, within seconds.")})
        counts = await queue.counts(db)
        rows = await queue.page(db, state, limit=desk.SHOWN + 1, before=before)
    page = desk.listed(request, rows, lambda row: str(row.id))
    names = {
        JobState.FAILED: _("Given up"),
        JobState.WAITING: _("Waiting"),
        JobState.LATER: _("Later"),
        JobState.RUNNING: _("Running"),
        JobState.DONE: _("Done"),
    }
    tabs = [
        (f"{PATH}?state={each.value}", f"{name} {local.figure(counts[each])}" if counts.get(each) else name)
        for each, name in names.items()
    ]
    nothing = {
        JobState.FAILED: _("No job was given up."),
        JobState.WAITING: _("No job waits."),
        JobState.LATER: _("No job waits for its time."),
        JobState.RUNNING: _("No job is running right now."),
        JobState.DONE: _("No job by the clock was done lately."),
    }
    return paper.page(
        "operator/jobs.html",
        rows=[_view(each, paper.clock) for each in page.rows],
        newest=page.newest,
        older=page.older,
        tabs=tabs,
        tab=f"{PATH}?state={state.value}",
        nothing=nothing[state],
        is_failed=state is JobState.FAILED,
    )


@router.post("/{job}/again")
async def again(request: Request, job: int) -> Response:
    """Do one again that was given up."""
    _form, identity = await desk.sent(request)
    if not 0 < job <= _ID_MAX:
        raise desk.NoSuchPlace
    async with desk.transaction(request) as db:
        await queue.do_again(db, job, identity.user_id)
    return back(PATH, "again")


def _view(job: QueuedJob, clock: Clock) -> dict[str, object]:
    return {
        "id": job.id,
        "number": local.figure(job.id),
        "name": job.name,
        "queue": job.queue,
        "tries": local.figure(job.tries),
        "due": local.moment(job.due_at, clock) if job.due_at else "",
        "changed": local.moment(job.changed_at, clock) if job.changed_at else "",
        "error": job.error or "",
    }
