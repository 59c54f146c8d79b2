"""Running calls: the first step at once, the rest as an asyncio task, one lane going on while another waits."""
import asyncio
import threading
import time
import types

import _clock
import _sources
from _calendar import Calendar
from _coding import Bad, contact_in, contact_out, message_in
from _wire import Worker, answer, blunt, enter, flush, leave, send
from _wire import Call
from campaigns import Contact, freeze

LANES, THREADS = 16, 24


class Open:
    """Calls that wait, calls to drop, and the lanes (asyncio itself keeps no task alive)."""

    waiting = {}
    dropped = set()
    lanes = set()


def run(frame):
    """Run the calls of a frame in order."""
    frame["frozen"] = freeze(frame.get("shared") or {})
    frame["calls"] = iter(frame["calls"])
    for _ in range(min(LANES, frame["count"])):
        start_lane(frame)


def start_lane(frame):
    task = asyncio.Task(lane(frame), loop=Worker.loop)
    Open.lanes.add(task)
    task.add_done_callback(Open.lanes.discard)


def cancel(ids):
    """The caller gave up on these."""
    for id in ids:
        call = Open.waiting.get(id)
        if call is not None:
            call.task.cancel()
        else:
            Open.dropped.add(id)
    if len(Open.dropped) > 10000:
        Open.dropped.clear()


async def lane(frame):
    """Take calls of the frame until there are no more."""
    source = Worker.sources[frame["key"]]
    for spec in frame["calls"]:
        call = Call(spec["id"], source, frame)
        if Open.dropped and call.id in Open.dropped:
            Open.dropped.discard(call.id)
            answer(call, {"t": "err", "error": blunt(asyncio.CancelledError(), call)})
            continue
        _clock.CALL.set(call)
        if begin(call, spec):
            await resume(call)
        _clock.CALL.set(None)
        if call.tasks:
            for task in call.tasks:
                task.cancel()
    if threading.active_count() > THREADS:
        send(b'{"t":"retire"}')
    flush()


def begin(call, spec):
    """Take the first step. True means that the strategy waits for something."""
    try:
        try:
            enter(call)
            result = invoke(call, spec)
            if hasattr(result, "__await__"):
                call.coroutine = coroutine = result if result.__class__ is types.CoroutineType else _await(result)
                try:
                    call.first = coroutine.send(None)
                    return True
                except StopIteration as stop:
                    result = stop.value
            finish(call, result)
        except BaseException as problem:
            fail(call, problem)
    except BaseException as problem:  # the limit struck while the error was described
        answer(call, {"t": "err", "error": blunt(problem, call), "retire": True})
    finally:
        leave()
    return False


async def resume(call):
    """Drive a waiting call to its end or its deadline."""
    call.task = asyncio.current_task()
    Open.waiting[call.id] = call
    send(b'{"t":"waiting","id":%d}' % call.id)
    flush()
    left = call.deadline - (time.perf_counter() - call.began)
    call.timer = Worker.loop.call_later(max(left, 0), expire, call)
    try:
        try:
            finish(call, await Rest(call))
        except BaseException as problem:
            fail(call, problem)
    except BaseException as problem:
        answer(call, {"t": "err", "error": blunt(problem, call), "retire": True})
    finally:
        leave()
        flush()
        call.timer.cancel()
        Open.waiting.pop(call.id, None)
        if call.expired and hasattr(call.task, "uncancel"):
            call.task.uncancel()


class Rest:
    """What is left of a coroutine after its first step; each further step is marked."""

    __slots__ = ("call",)

    def __init__(self, call):
        self.call = call

    def __await__(self):
        call, coroutine, value = self.call, self.call.coroutine, self.call.first
        leave()
        while True:
            try:
                sent, thrown = (yield value), None
            except BaseException as problem:
                thrown = problem
            enter(call)
            try:
                value = coroutine.send(sent) if thrown is None else coroutine.throw(thrown)
            except StopIteration as stop:
                return stop.value
            leave()


async def _await(awaitable):
    return await awaitable


def expire(call):
    """The deadline: cancel, and give up on a call that goes on all the same."""
    call.expired = True
    call.task.cancel()
    call.timer = Worker.loop.call_later(Worker.grace, give_up, call)


def give_up(call):
    error = blunt(asyncio.CancelledError(), call)
    error["message"] = f"took longer than {call.deadline:g} s and did not stop when told to"
    error["line"] = _waits_at(call) or error["line"]
    answer(call, {"t": "err", "error": error, "retire": True})
    flush()
    start_lane(call.batch)  # this call may hold its lane for ever


def _waits_at(call):
    line, coroutine = 0, call.coroutine
    while coroutine is not None:
        frame = getattr(coroutine, "cr_frame", None)
        if frame is not None and frame.f_code.co_filename == call.source.filename:
            line = frame.f_lineno
        coroutine = getattr(coroutine, "cr_await", None)
    return line


def invoke(call, spec):
    """Call the author's function with the documented arguments, by position."""
    source, zone = call.source, _clock.zone_name()
    call.now_text = spec["now"]
    call.now = _clock.parse(call.now_text)
    contact = contact_in(spec["contact"], zone)
    keywords = {} if source.keywords is not None and not source.keywords else keyword(call, spec, contact)
    if source.type == "data_load":
        existing = spec.get("existing")
        return source.function(contact, contact_in(existing, zone) if existing else None, call.logger, **keywords)
    if source.type == "aggregation":
        return source.function(contact, spec.get("results") or {}, call.logger, **keywords)
    return source.function(contact, message_in(spec.get("message") or {}), **keywords)


def keyword(call, spec, contact):
    """kwargs: what the frame shares, what the call brings, and what is made of it."""
    source, given = call.source, dict(call.batch["frozen"])
    own = spec.get("kwargs")
    if own:
        given.update(freeze(own))
    rules, holidays, id = given.pop("rules", None), given.pop("holidays", None), given.pop("communication_id", "")
    given["communication"] = next((c for c in contact.communications if (c.id == id if id else c.flagged)), None)
    given["calendar"] = Calendar(rules, holidays, contact.timezone)
    given["now"] = call.now
    for name, default in _DEFAULTS:
        given.setdefault(name, default)
    if source.type == "agent_answer":
        given["logger"] = call.logger
    if source.keywords is not None:
        return {k: v for k, v in given.items() if k in source.keywords}
    for name in source.named:
        given.pop(name, None)
    return given


_DEFAULTS = (("campaign", freeze({})), ("stages", ()), ("session", None), ("idempotency_key", ""), ("secrets", freeze({})))


def finish(call, result):
    """Check and answer what the strategy returned."""
    if call.stuck:
        raise _sources.StrategyTimeout("went on after its time was up")
    if result is None and call.source.type == "agent_answer":
        answer(call, {"t": "ok"}, b"null")
        return
    if not isinstance(result, Contact):
        what = "None" if result is None else f"a {type(result).__name__}"
        raise Bad("", f"the strategy must return the contact, it returned {what}")
    answer(call, {"t": "ok"}, contact_out(result, Worker.result_limit))


def fail(call, problem):
    """Answer with an error that its author can act on."""
    error = _sources.describe(problem, call.source, call)
    if call.expired:
        error["message"] = f"took longer than {call.deadline:g} s"
    retire = bool(call.stuck) or isinstance(problem, MemoryError)
    answer(call, {"t": "err", "error": error, "retire": retire})
