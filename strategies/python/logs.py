"""A call's log lines: logger, print and the logging module, all capped."""
import io
import logging
import traceback

import _clock

RECORDS, LINE, TOTAL = 200, 2048, 8192
CUT = "\u2026"  # ends what was cut: it may end in a part of a secret, which is hidden by that mark


def cut(text, size):
    """The text, or its beginning and the mark."""
    return text if len(text) <= size else text[:size - 1] + CUT


class Logger:
    """The logger argument of a strategy."""

    __slots__ = ("lines", "size", "dropped", "_open")

    def __init__(self):
        self.lines, self.size, self.dropped, self._open = [], 0, 0, ""

    def _add(self, level, message, args=()):
        if len(self.lines) >= RECORDS or self.size >= TOTAL:
            self.dropped += 1
            return
        try:
            line = str(message) % args if args else str(message)
        except Exception:
            line = f"{message!r} {args!r}"
        line = cut(line, min(LINE, TOTAL - self.size))
        self.size += len(line)
        self.lines.append([level, line])

    def debug(self, message, *args, **_):
        self._add("debug", message, args)

    def info(self, message, *args, **_):
        self._add("info", message, args)

    def warning(self, message, *args, **_):
        self._add("warning", message, args)

    warn = warning

    def error(self, message, *args, **_):
        self._add("error", message, args)

    critical = fatal = error

    def exception(self, message, *args, **_):
        self._add("error", message, args)
        self._add("error", traceback.format_exc(limit=-5))

    def log(self, level, message, *args, **_):
        name = logging.getLevelName(level).lower() if isinstance(level, int) else str(level).lower()
        self._add(name if name in ("debug", "info", "warning", "error") else "info", message, args)

    def printed(self, text):
        """Take printed text; a line counts when it is complete."""
        head = self._open + text[:4 * TOTAL]
        *whole, self._open = head.split("\n")
        if len(text) > 4 * TOTAL:
            self.dropped += 1
            whole.append(self._open + CUT)
            self._open = ""
        self._open = self._open[:LINE + 1]  # one more tells _add that it is cut
        for line in whole:
            if line.strip():
                self._add("print", line)

    def close(self):
        """All lines, with a last one that says how many were left out."""
        if self._open.strip():
            self._add("print", self._open)
        self._open = ""
        if self.dropped:
            self.lines.append(["warning", f"{self.dropped} more log lines left out (limit {RECORDS} lines, {TOTAL >> 10} KiB)"])
            self.dropped = 0
        return self.lines


class Printed(io.TextIOBase):
    """sys.stdout and sys.stderr: what a call prints becomes its log."""

    encoding = "utf-8"

    def writable(self):
        return True

    def write(self, text):
        call = _clock.CALL.get()
        if call is not None:
            call.logger.printed(text)
        return len(text)


class Handler(logging.Handler):
    """Lines of the logging module, so that libraries and habits work."""

    def emit(self, record):
        call = _clock.CALL.get()
        if call is not None:
            call.logger.log(record.levelno, "%s", record.getMessage())
