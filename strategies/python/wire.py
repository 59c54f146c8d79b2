"""Frames to the parent, and the page that tells it which call is running."""
import time

import _logs
from _coding import encode

FLUSH_FRAMES, FLUSH_SECONDS = 16, 0.002


class Worker:
    """What this process holds: one event loop, one socket, one shared page."""

    loop = sock = None
    page = [0, 0]  # the id of the call whose code runs now, and a serial of such steps
    paged = False
    step = None  # that call
    serial = 0
    broken = ""  # why nothing can be loaded here
    sources = {}
    result_limit, grace = 4 << 20, 0.5
    out, out_at = [], 0.0


class Call:
    """One run of a strategy, or of its module when it is loaded."""

    __slots__ = ("id", "source", "batch", "logger", "now", "now_text", "deadline", "cpu", "wall", "began", "expired", "stuck",
                 "answered", "coroutine", "first", "task", "tasks", "timer")

    def __init__(self, id, source, batch):
        self.id, self.source, self.batch, self.logger = id, source, batch, _logs.Logger()
        self.deadline, self.cpu, self.wall = batch["deadline"], batch["cpu"], batch["wall"]
        self.began = time.perf_counter()
        self.expired = self.answered = False
        self.stuck = 0  # the line that blocked, once it has
        self.now = self.now_text = self.coroutine = self.first = self.task = self.tasks = self.timer = None


def enter(call):
    """Say that this call's code runs from here on."""
    Worker.step = call
    Worker.serial += 1
    page = Worker.page
    page[1] = Worker.serial
    page[0] = call.id


def leave():
    """Say that no strategy's code runs."""
    Worker.step = None
    Worker.page[0] = 0


def send(head, body=b""):
    """Queue one frame; frames leave together unless they are few, slow or large."""
    out = Worker.out
    out.append((len(head) + 1 + len(body)).to_bytes(4, "big") + head + b"\n" + body)
    now = time.perf_counter()
    if len(out) >= FLUSH_FRAMES or now - Worker.out_at > FLUSH_SECONDS or len(body) > 65536 or not Worker.paged:
        flush()
        Worker.out_at = now


def flush():
    if Worker.out:
        data = b"".join(Worker.out)
        Worker.out.clear()
        Worker.sock.sendall(data)


def answer(call, head, body=b""):
    """Answer a call, once."""
    if call.answered:
        return
    call.answered = True
    us = int((time.perf_counter() - call.began) * 1e6)
    lines = call.logger.close()
    if not lines and len(head) == 1 and head["t"] == "ok":
        send(b'{"t":"ok","id":%d,"us":%d}' % (call.id, us), body)
        return
    head["id"], head["us"] = call.id, us
    if lines:
        head["logs"] = lines
    send(encode(head).encode("utf-8", "replace"), body)


def blunt(problem, call):
    """An error record that runs none of the author's code."""
    kind = "timeout" if call.expired else "cpu_timeout" if call.stuck else "exception"
    return {"kind": kind, "type": type(problem).__name__, "message": "the call was ended", "file": call.source.filename,
            "line": call.stuck or call.source.line, "column": 0, "traceback": ""}
