"""Loading a strategy's source, and telling its author what went wrong and where."""
import __future__
import asyncio
import builtins
import difflib
import errno
import inspect
import itertools
import os
import re
import socket
import sys
import types
from datetime import time, timedelta, timezone

import _clock
import _logs
import campaigns
from _coding import Bad

ARGUMENTS = {
    "data_load": ("contact", "existing_contact", "logger"),
    "aggregation": ("contact", "session_results", "logger"),
    "agent_answer": ("contact", "message"),
}
GIVEN = ("campaign", "stages", "communication", "session", "now", "idempotency_key", "secrets", "calendar", "logger")
NETWORK = bool(os.environ.get("HTTPS_PROXY"))  # read before any strategy could set it
_DATETIME = _clock.shim()


class StrategyTimeout(BaseException):
    """Raised inside a strategy that blocks its worker for too long."""


class Invalid(Exception):
    """A source that cannot be a strategy."""

    def __init__(self, message, line=1):
        super().__init__(message)
        self.line = line


class Source:
    """One loaded version of a strategy."""

    __slots__ = ("key", "type", "filename", "lines", "function", "keywords", "named", "line")

    def __init__(self, key, type, function, filename, code):
        self.key, self.type, self.filename, self.line = key, type, filename, 1
        self.lines = code.splitlines()
        compiled = compile(code, filename, "exec", flags=__future__.annotations.compiler_flag, dont_inherit=True)
        module = types.ModuleType(f"strategy_{key}")
        sys.modules[module.__name__] = module  # dataclasses look their module up
        space = module.__dict__
        for name in campaigns.__all__:
            space[name] = getattr(campaigns, name)
        space.update(time=time, timedelta=timedelta, timezone=timezone)
        space["__builtins__"] = dict(vars(builtins), __import__=_import)
        space["__file__"] = filename
        exec(compiled, space)
        found = space.get(function)
        if not callable(found):
            names = [n for n, v in space.items() if isinstance(v, types.FunctionType) and v.__module__ == module.__name__]
            raise Invalid(f"function {function!r} is not defined (found: {', '.join(names) or 'none'})")
        self.function = found
        self.line = getattr(getattr(found, "__code__", None), "co_firstlineno", 1)
        self.named = frozenset()
        self.keywords = self._signature(found, function)

    def _signature(self, found, name):
        """Which keywords the function takes: None is all of them."""
        want = ARGUMENTS[self.type]
        spelled = f"{name}({', '.join(want)}, **kwargs)"
        try:
            parameters = inspect.signature(found).parameters.values()
        except (TypeError, ValueError):
            return None
        kinds = inspect.Parameter
        positional = [p for p in parameters if p.kind in (kinds.POSITIONAL_ONLY, kinds.POSITIONAL_OR_KEYWORD)]
        room = any(p.kind is kinds.VAR_POSITIONAL for p in parameters)
        extra = positional[len(want):]
        self.named = frozenset(p.name for p in positional[:len(want)]).intersection(GIVEN)
        if len(positional) < len(want) and not room:
            raise Invalid(f"{name} takes {len(positional)} arguments, it must be {spelled}", self.line)
        if any(p.kind is kinds.VAR_KEYWORD for p in parameters):
            taken = None
        else:
            taken = {p.name for p in extra} | {p.name for p in parameters if p.kind is kinds.KEYWORD_ONLY}
        for p in extra + [p for p in parameters if p.kind is kinds.KEYWORD_ONLY]:
            if p.default is kinds.empty and p.name not in GIVEN:
                raise Invalid(f"nothing is given for the argument {p.name!r}: it must be {spelled}", self.line)
        return taken


def _import(name, globals=None, locals=None, fromlist=(), level=0):
    """A strategy's import: `datetime` is the campaign's."""
    if name == "datetime" and level == 0:
        return _DATETIME
    return builtins.__import__(name, globals, locals, fromlist, level)


def describe(problem, source, call=None, loading=False):
    """The error record of an exception: kind, place in the author's file and a traceback without our frames."""
    kind, message = _kind(problem, call, loading), _message(problem)
    if kind == "denied":
        message += _way_out(problem)
    frames = []
    trace = problem.__traceback__
    while trace is not None:
        code = trace.tb_frame.f_code
        if code.co_filename == source.filename:
            frames.append((trace.tb_lineno, _column(code, trace.tb_lasti), code.co_name))
        trace = trace.tb_next
    line, column = (frames[-1][0], frames[-1][1]) if frames else (0, 0)
    name = type(problem).__name__
    if isinstance(problem, SyntaxError) and loading and problem.filename == source.filename:
        line, column, message = problem.lineno or 1, problem.offset or 0, problem.msg or "invalid syntax"
    elif isinstance(problem, Invalid):
        line, name = problem.line, "Signature"
    elif isinstance(problem, Bad):
        line, name = source.line, "BadResult"
    elif not line:
        line = (call.stuck if call is not None else 0) or source.line
    return {"kind": kind, "type": name, "message": message, "file": source.filename, "line": line, "column": column,
            "traceback": _traceback(frames, source, name, message)}


def _kind(problem, call, loading):
    if call is not None and call.expired:
        return "timeout"
    if isinstance(problem, StrategyTimeout) or (call is not None and call.stuck):
        return "cpu_timeout"
    if isinstance(problem, MemoryError):
        return "memory"
    if isinstance(problem, Bad):
        return "bad_result"
    if _denied(problem) or _denied(getattr(problem, "reason", None)) or _not_listed(problem):
        return "denied"
    if loading:
        return "invalid_source" if isinstance(problem, (SyntaxError, Invalid, ValueError)) else "load_error"
    return "exception"


def _denied(problem):
    return isinstance(problem, PermissionError) or _no_socket(problem)


def _no_socket(problem):
    """Was it a socket or the lookup of a name that the sandbox refused?"""
    if isinstance(problem, socket.gaierror):
        return problem.errno == socket.EAI_AGAIN
    if isinstance(problem, PermissionError):
        return problem.errno == errno.EACCES and problem.filename is None
    return isinstance(problem, OSError) and problem.errno is None and str(problem).startswith("Multiple exceptions: [Errno 13]")


def _not_listed(problem):
    """Did the proxy refuse the host? It says so in the status line."""
    if getattr(problem, "code", None) == 403:  # urllib.error.HTTPError
        return str(getattr(problem, "reason", "")).startswith("egress: ")
    return isinstance(problem, OSError) and "Tunnel connection failed: 403 egress: " in str(problem)


def _way_out(problem):
    """What to do about a refused socket."""
    if not (_no_socket(problem) or _no_socket(getattr(problem, "reason", None))):
        return ""
    if NETWORK:
        return (" (a strategy reaches hosts through the proxy in HTTPS_PROXY only, which also looks their names up: urllib.request "
                "takes that way by itself, http.client with set_tunnel)")
    return " (sockets are refused: set network to true on the strategy and list the host in the campaign's egress.hosts)"


def _message(problem):
    try:
        text = _logs.cut(str(problem), 2000)
    except Exception:
        text = "(its message cannot be printed)"
    if isinstance(problem, asyncio.CancelledError) and not text:
        return "the call was cancelled"
    if isinstance(problem, AttributeError):
        text += _meant(text)
    return text


_UNKNOWN = re.compile(r"'(Contact|Communication|Message|CommunicationState)' object has no attribute '(\w+)'")


def _meant(text):
    found = _UNKNOWN.match(text)
    if found is None or "Did you mean" in text:
        return ""
    near = difflib.get_close_matches(found.group(2), public(getattr(campaigns, found.group(1))), 1)
    return f". Did you mean: '{near[0]}'?" if near else ""


def public(cls):
    """The attributes an author may use."""
    return sorted(n for n in dir(cls) if not n.startswith("_"))


def _column(code, at):
    positions = getattr(code, "co_positions", None)
    if positions is None:
        return 0
    for found in itertools.islice(positions(), at // 2, None):
        return 0 if found[2] is None else found[2] + 1
    return 0


def _traceback(frames, source, name, message):
    out = []
    for (line, _, function), same in itertools.groupby(frames[:50] + frames[50:][-10:]):
        repeated = len(list(same)) - 1
        out.append(f'  File "{source.filename}", line {line}, in {function}')
        if 0 < line <= len(source.lines):
            out.append("    " + source.lines[line - 1].strip()[:200])
        if repeated > 1:
            out.append("  (and again, many times)")
    out.append(f"{name}: {_logs.cut(message, 500)}")
    return "\n".join(out)[-4000:]
