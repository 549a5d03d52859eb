"""Builds the application from the parts asked for, and is the only place that knows all of them.

`web` serves pages, `voice` answers calls, `worker` does jobs and sweeps. All state is in PostgreSQL, so each can run
any number of times.
"""

import asyncio
import contextlib
import os
import secrets
import socket
import uuid
from collections.abc import AsyncIterator, Callable, Collection, Coroutine, Mapping, Sequence

from fastapi import FastAPI
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncSession

from talktime import api, inbox, log, rounds, web
from talktime.accounts import mails
from talktime.agents.publish import read_version
from talktime.alerts import marks
from talktime.api import events
from talktime.calls import costs, lifecycle, reports, sweep
from talktime.calls import mails as call_mails
from talktime.calls.retention import Keep
from talktime.carriers import contract
from talktime.carriers.contract import Carrier
from talktime.carriers.simulated import Simulated
from talktime.carriers.twilio import Twilio
from talktime.db.session import connect
from talktime.errors import ProviderError
from talktime.hooks import browser as browser_hooks
from talktime.hooks import calls as call_hooks
from talktime.hooks import live, media
from talktime.hooks import mail as mail_hooks
from talktime.hooks import payments as payment_hooks
from talktime.http import metrics, problems
from talktime.http.context import Context
from talktime.http.counters import Counters
from talktime.http.naming import name_requests
from talktime.http.tracing import Traces
from talktime.inbox import ProviderEvent
from talktime.jobs import Jobs
from talktime.mail.send import Mailer, mailer_of
from talktime.numbers import rounds as number_rounds
from talktime.numbers.pool import answering_agents
from talktime.payments import mails as payment_mails
from talktime.payments import rounds as payment_rounds
from talktime.payments.till import Till, billing_of, gateways_of
from talktime.privacy import closing
from talktime.settings import Settings
from talktime.speech.choose import Trio, choose
from talktime.voice.conversation import Engine
from talktime.voice.meter import Meter
from talktime.voice.receptionists import Receptionists
from talktime.webhooks.post import Poster
from talktime.webhooks.sending import Sender

PARTS = ("web", "voice", "worker")
_LOGGER = log.get(__name__)
_DRAIN_SECONDS = 5.0
_GOODBYE_SECONDS = 10.0
"""For a goodbye to be played, the line to be hung up and the hold to be settled."""


def create_app(
    settings: Settings,
    database_url: str,
    *,
    parts: Collection[str] = PARTS,
    demo: bool = False,
    trio: Trio | None = None,
) -> FastAPI:
    """The ASGI application. Its background work begins and ends with its lifespan.

    `trio` replaces the ears, the head and the mouth that the settings would choose.
    """
    assert set(parts) <= set(PARTS), parts

    @contextlib.asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with contextlib.AsyncExitStack() as stack:
            context = await _build(stack, settings, database_url, demo=demo, trio=trio or choose(settings))
            app.state.context = context
            if set(parts) != {"web"}:
                async with context.database.transaction(everyone=marks.WHY) as db:
                    await marks.require_awake(db)
            if "voice" in parts:
                await _warm(context)
                await stack.enter_async_context(_background(context, "meter", context.meter.run()))
            if "worker" in parts:
                drain_regularly = _register(context)
                await stack.enter_async_context(_background(context, "jobs", context.jobs.work()))
                await stack.enter_async_context(_background(context, "inbox", drain_regularly()))
                sweeping = sweep.run(context.database, context.carriers)
                await stack.enter_async_context(_background(context, "sweep", sweeping))
                pricing = costs.run(context.database, context.carriers)
                await stack.enter_async_context(_background(context, "prices", pricing))
                telling = number_rounds.run(context.database, context.carriers, settings.base_url)
                await stack.enter_async_context(_background(context, "numbers", telling))
                paying = payment_rounds.run(context.database, context.till)
                await stack.enter_async_context(_background(context, "payments", paying))
                await stack.enter_async_context(_background(context, "mail", _telling(context)))
                await stack.enter_async_context(_background(context, "webhooks", webhook_sender(context).run()))
            yield

    app = FastAPI(title="Talktime", lifespan=lifespan, openapi_url=None, docs_url=None, redoc_url=None)
    problems.install(app)
    web.install(app)
    name_requests(app)
    app.include_router(metrics.router(settings.metrics_token.get_secret_value() if settings.metrics_token else None))
    # Routes are looked through in this order, and callers wait for the first ones.
    if "voice" in parts:
        app.include_router(call_hooks.router)
        app.include_router(browser_hooks.router)  # before those of all carriers, one of which a browser is not
        app.include_router(media.router)
    if "web" in parts:
        app.include_router(payment_hooks.router)
        app.include_router(mail_hooks.router)
        app.include_router(api.router)
        app.include_router(web.router)
    return app


def leave(app: FastAPI, *, has_successor: bool = False) -> None:
    """From now on load balancers are told to look elsewhere and connections end with their next answer. New calls are
    not taken, unless another process has the door already: a ring that still comes here is that one's to carry."""
    context: Context = app.state.context
    context.leaving, context.has_successor = True, has_successor


async def drain(app: FastAPI, seconds_max: float) -> int:
    """After `leave`: let the live calls end, politely at the end of `seconds_max`; gives how many were left."""
    context: Context = app.state.context
    await context.sockets_came()
    if not await context.idle(seconds_max):
        for call in list(context.live):
            call.leave()
        await context.idle(_GOODBYE_SECONDS)
    return len(context.live)


def carriers_of(settings: Settings, *, demo: bool) -> dict[str, Carrier]:
    """The phone companies this installation has: those with keys, and in demo mode the simulated one."""
    carriers: dict[str, Carrier] = {}
    if settings.twilio_account_sid and settings.twilio_auth_token:
        carriers["twilio"] = Twilio(
            settings.twilio_account_sid, settings.twilio_auth_token.get_secret_value(), settings.twilio_api_base
        )
    if demo:
        carriers["simulated"] = Simulated.of(settings)
    return carriers


async def _build(
    stack: contextlib.AsyncExitStack, settings: Settings, database_url: str, *, demo: bool, trio: Trio
) -> Context:
    database = connect(database_url, connections_max=settings.database_connections_max)
    stack.push_async_callback(database.close)
    jobs = Jobs(database_url)
    carriers = carriers_of(settings, demo=demo)
    for carrier in carriers.values():
        stack.push_async_callback(carrier.close)
    stack.push_async_callback(trio.close)
    till = Till(gateways_of(settings, demo=demo), billing_of(settings), jobs)
    for gateway in till.gateways.values():
        stack.push_async_callback(gateway.close)
    engine = Engine.warm()
    receptionists = Receptionists(database, trio, engine)
    stack.push_async_callback(receptionists.close)
    # Unique per start, so that a process that died is never taken for the one that came after it.
    owner = f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(6)}"
    counters = Counters()
    traces = Traces.to(settings.otlp_endpoint, counters.process)
    stack.push_async_callback(traces.close)
    return Context(
        settings=settings,
        database=database,
        jobs=jobs,
        carriers=carriers,
        trio=trio,
        meter=Meter(database, owner),
        engine=engine,
        receptionists=receptionists,
        till=till,
        demo=demo,
        counters=counters,
        traces=traces,
    )


async def _warm(context: Context) -> None:
    """Make the agents that have a number ready before the first call comes."""
    async with context.database.transaction(everyone="every agent of this process is made ready") as db:
        keys = await answering_agents(db)
    outcomes = await asyncio.gather(*(context.receptionists.ready(key) for key in keys), return_exceptions=True)
    for key, outcome in zip(keys, outcomes, strict=True):
        if isinstance(outcome, Exception):
            # One customer's agent that cannot be made ready keeps nobody else's from answering.
            _LOGGER.error("an agent could not be made ready", agent_id=str(key[1]), exc_info=outcome)


def _register(context: Context) -> Callable[[], Coroutine[object, object, None]]:
    """Say who handles which job and which kind of event; gives what drains the inbox beside them."""
    database, jobs, settings = context.database, context.jobs, context.settings
    drain_regularly = _register_inbox(context)
    _register_calls(context)
    for name, handler in payment_rounds.jobs(database, context.till).items():
        jobs.handle(name, handler)
    jobs.handle(mails.JOB, mails.sender(database, _mailer(context), settings.secret, settings.base_url))
    for name, finish in closing.jobs_of(database, settings.home).items():
        jobs.handle(name, finish)
    number_rounds.regularly(jobs, database, context.carriers, settings.base_url)
    rounds.prove_regularly(jobs, database)
    rounds.forget_regularly(
        jobs,
        database,
        settings.home,
        Keep(settings.keep_turns_days, settings.keep_summaries_days, settings.keep_callers_days),
        events_days=settings.keep_events_days,
        deliveries_days=settings.keep_deliveries_days,
    )
    rounds.tell_days_regularly(jobs, database)
    rounds.count_regularly(jobs, database)
    return drain_regularly


def _register_inbox(context: Context) -> Callable[[], Coroutine[object, object, None]]:
    """Who handles which kind of event: one by one, or many at once; gives what drains the inbox beside the jobs."""
    database = context.database

    def read(event: ProviderEvent) -> contract.Report:
        return context.carriers[event.provider].read_report(contract.Request("POST", "", event.headers, event.body))

    async def report(db: AsyncSession, event: ProviderEvent) -> str:
        said = read(event)
        return await lifecycle.report(
            db, event.provider, said.call_id, is_over=said.state.is_over, seconds=said.seconds
        )

    async def report_many(db: AsyncSession, events: Sequence[ProviderEvent]) -> Mapping[uuid.UUID, str]:
        told: dict[uuid.UUID, reports.Told] = {}
        for event in events:
            # What makes no sense fails by itself, when it is handled alone.
            with contextlib.suppress(KeyError, contract.BadMessage):
                said = read(event)
                told[event.id] = reports.Told(event.provider, said.call_id, said.state.is_over, said.seconds)
        return await reports.report_many(db, told)

    handlers: Mapping[str, inbox.Handle] = {call_hooks.REPORT: report, **context.till.handlers()}
    together: Mapping[str, inbox.HandleTogether] = {call_hooks.REPORT: report_many}

    async def drain_inbox() -> None:
        turn = await inbox.turn(database, handlers, together)
        if turn.is_full:
            # Other jobs come in between: nobody waits behind a full inbox.
            async with database.transaction(everyone=inbox.AGAIN_WHY) as db:
                await context.jobs.enqueue_once(db, inbox.DRAIN_JOB)

    async def drain_regularly() -> None:
        # An event that failed, or that a job just missed, is handled although no other comes to ask for it.
        while True:
            try:
                while (await inbox.turn(database, handlers, together)).is_full:
                    pass
            except (SQLAlchemyError, OSError) as error:
                _LOGGER.warning("the inbox was not reached", error=type(error).__name__)
            await asyncio.sleep(_DRAIN_SECONDS)

    context.jobs.handle(inbox.DRAIN_JOB, drain_inbox)
    return drain_regularly


def _register_calls(context: Context) -> None:
    """Who tells the carrier how long a call may last, and that one is over."""
    database, carriers = context.database, context.carriers

    async def limit(
        carrier: str, carrier_call_id: str, user: str, agent: str, *, version: int, since_ring_seconds: int = 0
    ) -> None:
        async with database.transaction(user=uuid.UUID(user)) as db:
            _, said = await read_version(db, uuid.UUID(user), uuid.UUID(agent), version)
        # A minute more than our own limit: ours says goodbye, the carrier's only stands behind it. It counts from the
        # ring, also of a caller who was put through and came back.
        try:
            await carriers[carrier].limit(carrier_call_id, said.call_seconds_max + 60 + since_ring_seconds)
        except ProviderError as error:
            # A call that is over needs no limit; a carrier that refuses for another reason is heard.
            leg = await carriers[carrier].look_up(carrier_call_id) if error.permanent else None
            if not error.permanent or (leg is not None and not leg.state.is_over):
                raise

    async def hang_up(carrier: str, carrier_call_id: str) -> None:
        await carriers[carrier].hang_up(carrier_call_id)

    context.jobs.handle(live.LIMIT_JOB, limit)
    context.jobs.handle(live.HANG_UP_JOB, hang_up)


def webhook_sender(context: Context) -> Sender:
    """What tells customers' programs what happened."""
    settings = context.settings
    poster = Poster(to_private=settings.webhooks_to_private)
    return Sender(context.database, settings.secret, events.renderers(), poster)


def _telling(context: Context) -> Coroutine[object, object, None]:
    settings = context.settings
    to = [address.strip() for address in settings.alerts_to.split(",") if address.strip()]
    gatherers = {**call_mails.gatherers(), **payment_mails.gatherers()}
    return rounds.tell(
        context.database,
        _mailer(context),
        to,
        settings.base_url,
        gatherers=gatherers,
        secret=settings.secret,
    )


def _mailer(context: Context) -> Mailer:
    settings = context.settings
    smtp = settings.smtp_url.get_secret_value() if settings.smtp_url else None
    return mailer_of(smtp, settings.mail_from, settings.home)


@contextlib.asynccontextmanager
async def _background(context: Context, name: str, work: Coroutine[object, object, None]) -> AsyncIterator[None]:
    """Run something beside the requests; if it dies of a mistake of ours, the process is not ready any more."""

    def died(task: "asyncio.Task[None]") -> None:
        if not task.cancelled() and (error := task.exception()) is not None:
            context.dead.append(name)
            _LOGGER.critical("background work died", work=name, exc_info=error)

    task = asyncio.create_task(work)
    task.add_done_callback(died)
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
