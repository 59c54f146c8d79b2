"""The worker's process: signals, limits, and the loop that takes frames."""
import asyncio
import faulthandler
import gc
import logging
import mmap
import os
import signal
import socket
import sys
import threading
import time
import types

import _calls
import _check
import _clock
import _logs
import _sources
from _coding import decode, encode
from _wire import Call, Worker, answer, blunt, enter, flush, leave, send

CONTROL, DUMP, PAGE = 3, 4, 5
TICK, AGAIN = 0.1, 0.25


def readable(buffer=bytearray()):
    data = Worker.sock.recv(1 << 20)
    if not data:
        _exit(0)
    buffer += data
    while len(buffer) >= 4:
        size = int.from_bytes(buffer[:4], "big")
        if len(buffer) < 4 + size:
            return
        text = buffer[4:4 + size].decode("utf-8", "replace")
        del buffer[:4 + size]
        try:
            handle(decode(text))
        except BaseException as problem:  # ours, not an author's
            os.write(2, f"{type(problem).__name__}: {problem}\n".encode())
            _exit(70)


def handle(frame):
    kind = frame["t"]
    if kind == "run":
        _calls.run(frame)
    elif kind == "load":
        load(frame)
    elif kind == "bind":
        Worker.result_limit, Worker.grace = frame["result_limit"], frame["grace"]
        try:
            _clock.settle(frame["tz"])
        except Exception:
            Worker.broken = f"this Python does not know the time zone {frame['tz']!r}: install tzdata"
    elif kind == "cancel":
        _calls.cancel(frame["ids"])
    elif kind == "check":
        check(frame)
    flush()


def load(frame):
    """Load one source. Its module code runs under the limits of a call."""
    blank = types.SimpleNamespace(filename=frame["filename"], lines=frame["code"].splitlines(), line=1)
    call, head = Call(frame["id"], blank, frame), {"t": "ok"}
    if Worker.broken:
        answer(call, {"t": "err", "error": {"kind": "no_worker", "type": "TimeZone", "message": Worker.broken}})
        return
    moment = _clock.datetime.fromtimestamp(time.time(), _clock.zone())
    call.now_text, call.now = _clock.text(moment), moment
    token = _clock.CALL.set(call)
    try:
        try:
            enter(call)
            Worker.sources[frame["key"]] = _sources.Source(
                frame["key"], frame["type"], frame["function"], frame["filename"], frame["code"])
        except BaseException as problem:
            head = {"t": "err", "error": _sources.describe(problem, blank, call, loading=True), "retire": bool(call.stuck)}
    except BaseException as problem:
        head = {"t": "err", "error": blunt(problem, call), "retire": True}
    finally:
        leave()
        _clock.CALL.reset(token)
    answer(call, head)


def check(frame):
    """Look at a source without running it."""
    call = Call(frame["id"], types.SimpleNamespace(filename=frame["filename"], lines=[], line=1), frame)
    try:
        enter(call)
        found = _check.problems(frame["code"], frame["filename"], frame["type"], frame["function"], frame["stages"])
    except BaseException as problem:
        found = [{"severity": "error", "message": f"{type(problem).__name__}: {problem}", "line": 1, "column": 1}]
    finally:
        leave()
    answer(call, {"t": "ok", "problems": found[:100]})


class Watch:
    """Since when the step that runs has been running."""

    serial, since, cpu = -1, 0.0, 0.0


def tick(_signal, frame, parent=os.getppid()):
    """Ten times a second: end with the parent, and stop a step that blocks."""
    if os.getppid() != parent:
        _exit(3)
    call = Worker.step
    if call is None:
        return
    wall, cpu = time.monotonic(), time.process_time()
    if Worker.serial != Watch.serial:
        Watch.serial, Watch.since, Watch.cpu = Worker.serial, wall, cpu
        return
    busy, blocked = cpu - Watch.cpu >= call.cpu - TICK, wall - Watch.since >= call.wall - TICK
    if not (busy or blocked):
        return
    Watch.since, Watch.cpu = wall + AGAIN - call.wall, cpu + AGAIN - call.cpu
    if not call.stuck:
        call.stuck = call.source.line
        while frame is not None:
            if frame.f_code.co_filename == call.source.filename:
                call.stuck = frame.f_lineno
                break
            frame = frame.f_back
    if busy:
        raise _sources.StrategyTimeout(f"computed for {call.cpu:g} s without an await")
    raise _sources.StrategyTimeout(f"blocked for {call.wall:g} s; wait with await, or put blocking calls in asyncio.to_thread")


def left_behind(loop, coroutine, **settings):
    """The loop's task factory: tasks of a call end with it."""
    task = asyncio.Task(coroutine, loop=loop, **settings)
    call = _clock.CALL.get()
    if call is not None:
        if call.tasks is None:
            call.tasks = []
        call.tasks.append(task)
    return task


_exit = os._exit


def loud_exit(code):
    """os._exit, but the parent learns from where."""
    faulthandler.dump_traceback(DUMP, all_threads=False)
    _exit(code)


def main():
    for fd in (CONTROL, DUMP):
        os.set_inheritable(fd, False)
    try:
        Worker.page = memoryview(mmap.mmap(PAGE, 4096)).cast("Q")
        Worker.paged = True
        os.close(PAGE)
    except (OSError, ValueError):
        pass  # no page on this system: frames leave one by one instead
    Worker.sock = socket.socket(fileno=CONTROL)
    faulthandler.enable(DUMP, all_threads=False)
    faulthandler.register(signal.SIGUSR1, DUMP, all_threads=False)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os._exit = loud_exit
    threading.stack_size(512 << 10)
    sys.stdout = sys.stderr = _logs.Printed()
    logging.getLogger().addHandler(_logs.Handler())
    Worker.loop = asyncio.new_event_loop()
    asyncio.set_event_loop(Worker.loop)
    Worker.loop.set_task_factory(left_behind)
    Worker.loop.add_reader(CONTROL, readable)
    signal.signal(signal.SIGALRM, tick)
    signal.setitimer(signal.ITIMER_REAL, TICK, TICK)
    gc.collect()
    gc.freeze()
    send(encode({"t": "hello", "python": sys.version.split()[0]}).encode())
    flush()
    while True:
        Worker.loop.run_forever()
