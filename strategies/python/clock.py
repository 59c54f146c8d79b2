"""The campaign's clock: `datetime.now()` is the call's moment, and a time without a zone is in the campaign's zone."""
import contextvars
import datetime as std
import os
import re
import time as _time
import types
from zoneinfo import ZoneInfo

UTC = std.timezone.utc
CALL = contextvars.ContextVar("call", default=None)
_raw = std.datetime


class _Place:
    """Where the campaign is. One worker serves one campaign, so one of these is enough."""

    zone = UTC
    name = "UTC"


def settle(name):
    """Make `name` the campaign's zone, for our classes and for the C library alike."""
    _Place.zone = ZoneInfo(name)
    _Place.name = name
    os.environ["TZ"] = name
    _time.tzset()


def zone_name():
    return _Place.name


def zone():
    return _Place.zone


class _Lenient(type):
    """isinstance() of the friendly classes is true for the standard library's as well."""

    def __instancecheck__(cls, other):
        return isinstance(other, cls._standard)


class datetime(std.datetime, metaclass=_Lenient):
    """A datetime that may be mixed with naive ones: those are read in the campaign's zone."""

    __slots__ = ()
    _standard = std.datetime

    @classmethod
    def now(cls, tz=None):
        call = CALL.get()
        if call is None:
            return super().now(tz or _Place.zone)
        return call.now if tz is None else call.now.astimezone(tz)

    @classmethod
    def utcnow(cls):
        return cls.now(UTC)

    @classmethod
    def today(cls):
        return cls.now()

    def _here(self):
        return self if self.tzinfo is not None else self.replace(tzinfo=_Place.zone)

    def __lt__(self, other):
        return _raw.__lt__(self._here(), _aware(other))

    def __le__(self, other):
        return _raw.__le__(self._here(), _aware(other))

    def __gt__(self, other):
        return _raw.__gt__(self._here(), _aware(other))

    def __ge__(self, other):
        return _raw.__ge__(self._here(), _aware(other))

    def __eq__(self, other):
        return _raw.__eq__(self._here(), _aware(other))

    def __ne__(self, other):
        return not self == other

    def __hash__(self):
        return _raw.__hash__(self._here())

    def __sub__(self, other):
        if isinstance(other, _raw):
            return _raw.__sub__(self._here(), _aware(other))
        return _raw.__sub__(self, other)

    def __rsub__(self, other):
        if isinstance(other, _raw):
            return _raw.__sub__(_aware(other), self._here())
        return NotImplemented


class date(std.date, metaclass=_Lenient):
    """A date whose today() is the call's day in the campaign's zone."""

    __slots__ = ()
    _standard = std.date

    @classmethod
    def today(cls):
        moment = datetime.now()
        return cls(moment.year, moment.month, moment.day)


def _aware(other):
    if isinstance(other, _raw) and other.tzinfo is None:
        return other.replace(tzinfo=_Place.zone)
    return other


_RFC3339 = re.compile(r"(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d(?::\d\d)?)(?:[.,](\d+))?\s*(Z|z|[+-]\d\d:?\d\d)?$")


def parse(text):
    """Read an ISO 8601 moment; the result is in the campaign's zone."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        found = _RFC3339.match(text.strip())
        if found is None:
            raise
        day, clock, fraction, offset = found.groups()
        if len(clock) == 5:
            clock += ":00"
        offset = (offset or "").replace("Z", "+00:00").replace("z", "+00:00")
        if len(offset) == 5:
            offset = offset[:3] + ":" + offset[3:]
        fraction = ((fraction or "") + "000000")[:6]
        moment = datetime.fromisoformat(f"{day}T{clock}.{fraction}{offset}")
    if moment.tzinfo is None:
        return moment.replace(tzinfo=_Place.zone)
    return moment.astimezone(_Place.zone)


def moment(value):
    """A moment out of what an author may write: a datetime, a date (its midnight) or ISO text."""
    if isinstance(value, str):
        return parse(value)
    if isinstance(value, _raw):
        return value if value.tzinfo is not None else value.replace(tzinfo=_Place.zone)
    if isinstance(value, std.date):
        return datetime(value.year, value.month, value.day, tzinfo=_Place.zone)
    raise TypeError(f"must be a datetime, a date or ISO 8601 text, not {type(value).__name__}")


def text(value):
    """The moment as RFC 3339 in UTC, as Go prints it."""
    call = CALL.get()
    if call is not None and value is call.now and call.now_text:
        return call.now_text
    out = moment(value)
    if out.tzinfo is not UTC:
        out = out.astimezone(UTC)
    out = out.isoformat()[:-6]
    if "." in out:
        out = out.rstrip("0")
    return out + "Z"


def shim():
    """What a strategy gets for `import datetime`."""
    module = types.ModuleType("datetime", std.__doc__)
    module.__dict__.update({k: v for k, v in vars(std).items() if not k.startswith("__")})
    module.datetime, module.date = datetime, date
    return module


_PART = re.compile(r"(\d+(?:\.\d+)?)(ms|d|h|m|s)")
_UNIT = {"d": 86400, "h": 3600, "m": 60, "s": 1, "ms": 0.001}


def duration(value):
    """A timedelta out of a timedelta, seconds, or text such as "90s", "72h", "1h30m", "3d"; None stays None."""
    if value is None or value == "":
        return None
    if isinstance(value, std.timedelta):
        return value
    if isinstance(value, str):
        compact = value.replace(" ", "")
        parts = _PART.findall(compact)
        if not parts or "".join(n + u for n, u in parts) != compact:
            raise ValueError(f'must be a duration such as "90s", "72h" or "3d", not {value!r}')
        return std.timedelta(seconds=sum(float(n) * _UNIT[u] for n, u in parts))
    raise TypeError(f"must be a timedelta or a duration such as \"72h\", not {type(value).__name__}")


def duration_text(value):
    """The duration as the campaign writes it: whole hours as "72h", else seconds."""
    seconds = value.total_seconds()
    if seconds < 0:
        raise ValueError("must not be negative")
    if seconds and seconds % 3600 == 0:
        return f"{int(seconds // 3600)}h"
    if seconds == int(seconds):
        return f"{int(seconds)}s"
    return f"{round(seconds * 1000)}ms"
