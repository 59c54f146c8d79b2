"""What a strategy works with. These names are there without an import; `from campaigns import *` does no harm."""
from datetime import time, timedelta, timezone
from enum import Enum
from zoneinfo import ZoneInfo

import _clock
from _clock import date, datetime

__all__ = ["Contact", "Communication", "CommunicationStatus", "Message",
           "datetime", "date", "time", "timedelta", "timezone"]


class CommunicationStatus(str, Enum):
    """Where a communication stands; the last five are final."""

    PLANNED = "PLANNED"
    STARTED = "STARTED"
    SENT = "SENT"
    DELIVERED = "DELIVERED"
    READ = "READ"
    REPLIED = "REPLIED"
    COMPLETED = "COMPLETED"
    NO_RESPONSE = "NO_RESPONSE"
    FAILED = "FAILED"
    CANCELED = "CANCELED"
    CANCELLED = "CANCELED"
    SKIPPED = "SKIPPED"

    __str__ = str.__str__
    __format__ = str.__format__

    @classmethod
    def _missing_(cls, value):
        return _STATUS.get(str(value).upper())


_STATUS = {name: member for name, member in CommunicationStatus.__members__.items()}


class Record(dict):
    """A read-only dictionary whose keys are attributes as well."""

    __slots__ = ()

    def __getattr__(self, name):
        try:
            return self[name]
        except KeyError:
            raise AttributeError(f"there is no {name!r} here, only {', '.join(map(str, self)) or 'nothing'}") from None

    def _refuse(self, *_, **__):
        raise TypeError("this is read-only: change the contact instead")

    __setitem__ = __delitem__ = __setattr__ = __delattr__ = __ior__ = _refuse
    clear = pop = popitem = setdefault = update = _refuse

    def __reduce__(self):
        return dict, (dict(self),)


def freeze(value):
    """Turn decoded JSON into Records and tuples."""
    if value.__class__ is dict:
        return Record({k: freeze(v) for k, v in value.items()})
    if value.__class__ is list:
        return tuple([freeze(v) for v in value])
    return value


class CommunicationState:
    """The status of a communication, since when and why. It compares like its status."""

    __slots__ = ("status", "reason", "_at", "_was")

    def __init__(self, status=CommunicationStatus.PLANNED, reason="", at=None):
        self.status, self.reason, self._at, self._was = status, reason, at, None

    @property
    def at(self):
        if self._at.__class__ is str:
            return _clock.parse(self._at)
        return self._at

    @at.setter
    def at(self, value):
        self._at = value

    def __eq__(self, other):
        if isinstance(other, CommunicationState):
            other = other.status
        return self.status == other

    def __hash__(self):
        return hash(self.status)

    def __str__(self):
        return str(self.status)

    def __repr__(self):
        return f"<{self.status}>"


def _told(name):
    return property(lambda self: self._raw.get(name), doc="Set by the engine.")


class Communication:
    """One planned touch: which stage, when, and what became of it."""

    __slots__ = ("_raw", "name", "stage_name", "start_state", "params", "results", "flagged",
                 "_start", "_expires", "_timeout", "_status")

    def __init__(self, name="", stage_name="", start_date=None, *, timeout=None, expires_at=None, start_state="",
                 params=None, status=CommunicationStatus.PLANNED, results=None, **unknown):
        self._raw = {"id": "", "timeout": ""}
        self.name, self.stage_name, self.start_state = name, stage_name, start_state
        self.params = {} if params is None else params
        self.results = {} if results is None else results
        self.flagged = False
        self._start = datetime.now() if start_date is None else start_date
        self._expires, self._timeout = expires_at, timeout
        self.status = status
        call = _clock.CALL.get()
        if unknown and call is not None:
            call.logger.warning("Communication(%s): unknown setting ignored", ", ".join(unknown))

    id = _told("id")
    stage_id = _told("stage_id")
    channel = _told("channel")
    alternative = _told("alternative")
    session_id = _told("session_id")
    provider_message_id = _told("provider_message_id")
    attempt = _told("attempt")

    @property
    def start_date(self):
        if self._start.__class__ is str:
            return _clock.parse(self._start)
        return self._start

    @start_date.setter
    def start_date(self, value):
        self._start = value

    @property
    def expires_at(self):
        if self._expires.__class__ is str:
            return _clock.parse(self._expires)
        return self._expires

    @expires_at.setter
    def expires_at(self, value):
        self._expires = value

    @property
    def timeout(self):
        return _clock.duration(self._timeout)

    @timeout.setter
    def timeout(self, value):
        self._timeout = value

    @property
    def status(self):
        state = self._status
        if state.__class__ is dict:
            was = state.get("status") or "PLANNED"
            known = CommunicationState(_STATUS.get(was, was), state.get("reason") or "", state.get("at"))
            known._was = was
            self._status = state = known
        return state

    @status.setter
    def status(self, value):
        if isinstance(value, CommunicationState):
            self._status = value
            return
        try:
            value = CommunicationStatus(value)
        except ValueError:
            pass  # said with its path when the result is checked
        try:
            self.status.status = value
        except AttributeError:
            self._status = CommunicationState(value)

    def __repr__(self):
        return f"<Communication {self.name!r} stage={self.stage_name!r} {self.status}>"


class Contact:
    """A person in this campaign."""

    __slots__ = ("_raw", "_zone", "id", "campaign_id", "object_id", "external_id", "name", "email", "phone", "timezone",
                 "language", "telegram_chat_id", "parameters", "results", "internal_data", "current_stage", "outcome",
                 "status", "communications")

    def __init__(self, *_, **__):
        raise TypeError("a strategy does not create contacts: change the one it is given and return it")

    @property
    def campaign_parameters(self):
        return self.parameters

    @campaign_parameters.setter
    def campaign_parameters(self, value):
        self.parameters = value

    @property
    def campaign_results(self):
        return self.results

    @campaign_results.setter
    def campaign_results(self, value):
        self.results = value

    def at(self, day, clock="09:00"):
        """That local time in the contact's zone: contact.at(date.today() + timedelta(days=1), "10:00")."""
        zone = zone_of(self.timezone)
        if isinstance(day, str):
            day = _clock.parse(day).replace(tzinfo=zone) if len(day) == 10 else _clock.parse(day).astimezone(zone)
        elif isinstance(day, datetime):
            day = _clock.moment(day).astimezone(zone)
        if isinstance(clock, str):
            clock = time.fromisoformat(clock if len(clock) > 4 else "0" + clock)
        local = datetime(day.year, day.month, day.day, clock.hour, clock.minute, clock.second, clock.microsecond, tzinfo=zone)
        return local.astimezone(_clock.UTC).astimezone(zone)  # out of the hour a clock change skips

    def cancel_planned(self, reason=""):
        """Cancel everything still planned; says how many that were."""
        count = 0
        for communication in self.communications:
            if communication.status.status == CommunicationStatus.PLANNED:
                communication.status.status = CommunicationStatus.CANCELED
                communication.status.reason = reason
                count += 1
        return count

    def attempts(self, stage_name):
        """How many communications of this stage were dispatched."""
        return sum(1 for c in self.communications if c.stage_name == stage_name and c.status.status not in _UNSENT)

    def __repr__(self):
        return f"<Contact {self.id} {self.name!r} stage={self.current_stage!r}>"


_UNSENT = (CommunicationStatus.PLANNED, CommunicationStatus.CANCELED, CommunicationStatus.SKIPPED)


def zone_of(name):
    """The zone of that name; a ValueError says which name is wrong."""
    try:
        return ZoneInfo(getattr(name, "key", name))
    except Exception:
        raise ValueError(f"unknown time zone {name!r}") from None


class Message:
    """One utterance inside a session."""

    __slots__ = ("id", "author", "content", "_at")

    def __init__(self, content="", author="agent", at=None, id=""):
        self.id, self.author, self.content, self._at = id, author, content, at

    @property
    def role(self):
        return self.author

    @property
    def at(self):
        return _clock.parse(self._at) if self._at.__class__ is str and self._at else self._at

    created_at = at

    def __repr__(self):
        return f"<Message {self.author}: {self.content[:40]!r}>"
