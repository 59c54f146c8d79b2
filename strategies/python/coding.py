"""Contacts in and out: JSON to objects, objects to checked JSON."""
import json
from datetime import date as _date, datetime as _datetime, timedelta as _timedelta

import _clock
from campaigns import Communication, CommunicationState, CommunicationStatus, Contact, Message, zone_of


class Bad(Exception):
    """A result that cannot be taken, with the path of what is wrong in it."""

    def __init__(self, path, message):
        super().__init__(f"{path}: {message}" if path else message)
        self.path, self.message = path, message

    def under(self, prefix):
        return Bad(prefix + ("." if self.path and self.path[0] != "[" else "") + self.path, self.message)


def _hook(found):
    if len(found) == 1:
        try:
            if "$dt" in found:
                return _clock.parse(found["$dt"])
            if "$d" in found:
                return _clock.date.fromisoformat(found["$d"])
        except (ValueError, TypeError, AttributeError):
            pass
    return found


def _default(value):
    if isinstance(value, _datetime):
        return {"$dt": _clock.text(value)}
    if isinstance(value, _date):
        return {"$d": value.isoformat()}
    if isinstance(value, _timedelta):
        return _clock.duration_text(value)
    raise TypeError(f"a {type(value).__name__} cannot be stored; keep text, numbers, True/False, None, dates, lists or dictionaries")


decode = json.JSONDecoder(object_hook=_hook).decode
_encoder = json.JSONEncoder(separators=(",", ":"), default=_default, ensure_ascii=False, allow_nan=False)


def encode(value):
    """JSON text. The json module builds its C encoder anew for every value; one is enough."""
    if _Fast.encoder is None:
        return _encoder.encode(value)
    try:
        return "".join(_Fast.encoder(value, 0))
    except BaseException:
        _Fast.renew()  # it remembers what it was in
        raise


class _Fast:
    encoder = None

    @classmethod
    def renew(cls):
        try:
            cls.encoder = json.encoder.c_make_encoder(
                {}, _default, json.encoder.encode_basestring, None, ":", ",", False, False, False)
        except (AttributeError, TypeError):
            cls.encoder = None  # another Python has another one


_Fast.renew()


def contact_in(raw, zone_name):
    """The Contact of this JSON. The JSON is kept: what we do not know passes through unchanged."""
    get = raw.get
    c = Contact.__new__(Contact)
    c._raw, c._zone = raw, get("timezone") or zone_name
    c.id, c.campaign_id, c.object_id, c.external_id = get("id", ""), get("campaign_id", ""), get("object_id", ""), get("external_id", "")
    c.name, c.email, c.phone = get("name", ""), get("email", ""), get("phone", "")
    c.timezone, c.language, c.telegram_chat_id = c._zone, get("language", ""), get("telegram_chat_id", "")
    c.parameters, c.results, c.internal_data = get("parameters") or {}, get("results") or {}, get("internal_data") or {}
    c.current_stage, c.outcome, c.status = get("current_stage", ""), get("outcome"), get("status", "")
    c.communications = [communication_in(one) for one in get("communications") or ()]
    return c


def communication_in(raw):
    get = raw.get
    c = Communication.__new__(Communication)
    c._raw = raw
    c.name, c.stage_name, c.start_state, c.flagged = get("name", ""), get("stage_name", ""), get("start_state", ""), get("flagged", False)
    c.params, c.results = get("params") or {}, get("results") or {}
    c._start, c._expires, c._timeout = get("start_date"), get("expires_at"), get("timeout")
    c._status = get("status") or {"status": "PLANNED"}
    return c


def message_in(raw):
    return Message(raw.get("content") or "", raw.get("author") or "", raw.get("at"), raw.get("id") or "")


_CONTACT_TEXTS = ("id", "campaign_id", "object_id", "external_id", "name", "email", "phone", "language",
                  "telegram_chat_id", "current_stage", "status")
_COMMUNICATION_TEXTS = ("name", "stage_name", "start_state")


def contact_out(c, limit):
    """The checked JSON of a contact, as bytes."""
    raw, get = c._raw, c._raw.get  # what is still the same object needs no second look
    for name in _CONTACT_TEXTS:
        value = getattr(c, name)
        if value is not get(name):
            raw[name] = _text(name, value)
    if c.timezone is not c._zone and c.timezone != c._zone:
        raw["timezone"] = _zone(c.timezone)
    if c.outcome not in (None, "success", "failure"):
        raise Bad("outcome", f'must be None, "success" or "failure", not {c.outcome!r}')
    raw["outcome"] = c.outcome
    raw["parameters"], raw["results"] = _dict("parameters", c.parameters), _dict("results", c.results)
    raw["internal_data"] = _dict("internal_data", c.internal_data)
    if not isinstance(c.communications, (list, tuple)):
        raise Bad("communications", f"must be a list, not {type(c.communications).__name__}")
    out = []
    for i, one in enumerate(c.communications):
        if not isinstance(one, Communication):
            raise Bad(f"communications[{i}]", f"must be a Communication, not {type(one).__name__}")
        try:
            out.append(communication_out(one))
        except Bad as bad:
            raise bad.under(f"communications[{i}]") from None
    raw["communications"] = out
    try:
        body = encode(raw).encode("utf-8", "replace")
    except (TypeError, ValueError, RecursionError, OverflowError):
        _locate(raw)
        raise
    if len(body) > 10000 and body.count(b"{") + body.count(b"[") > 1000:
        _locate(raw)  # newer interpreters encode nests that no reader takes
    if len(body) > limit:
        raise Bad("", f"the contact is {len(body) >> 10} KiB, the limit is {limit >> 10} KiB")
    return body


def communication_out(c):
    raw, get = c._raw, c._raw.get
    for name in _COMMUNICATION_TEXTS:
        value = getattr(c, name)
        if value is not get(name):
            raw[name] = _text(name, value)
    if not raw["stage_name"]:
        raise Bad("stage_name", "must name a stage")
    start = c._start
    if start is None or start is not get("start_date"):
        raw["start_date"] = _moment("start_date", _clock.datetime.now() if start is None else start)
    expires = c._expires
    if expires is None or expires is not get("expires_at"):
        raw["expires_at"] = None if expires is None else _moment("expires_at", expires)
    timeout = c._timeout
    if timeout is not get("timeout"):
        try:
            delta = _clock.duration(timeout)
            raw["timeout"] = "" if delta is None else _clock.duration_text(delta)
        except (TypeError, ValueError) as problem:
            raise Bad("timeout", str(problem)) from None
    raw["params"], raw["results"] = _dict("params", c.params), _dict("results", c.results)
    raw["flagged"] = bool(c.flagged)
    if c._status.__class__ is not dict:
        raw["status"] = _state(c._status)
    else:
        raw["status"] = c._status
    return raw


def _state(state):
    try:
        status = CommunicationStatus(state.status)
    except ValueError:
        known = ", ".join(s.value for s in CommunicationStatus)
        raise Bad("status.status", f"must be one of {known}, not {state.status!r}") from None
    at = state._at
    if at is None or (state._was is not None and state._was != status.value and at.__class__ is str):
        at = _clock.datetime.now()
    return {"status": status.value, "at": at if at.__class__ is str and state._was == status.value else _moment("status.at", at),
            "reason": _text("status.reason", state.reason)}


def _text(path, value):
    if value.__class__ is str:
        return value
    if value is None:
        return ""
    if isinstance(value, str):
        return str.__str__(value)
    raise Bad(path, f"must be text, not {type(value).__name__}")


def _dict(path, value):
    if isinstance(value, dict):
        return value
    if value is None:
        return {}
    raise Bad(path, f"must be a dictionary, not {type(value).__name__}")


def _zone(value):
    if value is None or value == "":
        return ""
    try:
        return zone_of(value).key
    except ValueError as problem:
        raise Bad("timezone", str(problem)) from None


def _moment(path, value):
    try:
        return _clock.text(value)
    except (TypeError, ValueError, OverflowError) as problem:
        raise Bad(path, str(problem)) from None


def _locate(raw):
    """Find what made the encoder fail and say where it is."""
    for name in ("parameters", "results", "internal_data"):
        _walk(raw[name], name, ())
    for i, one in enumerate(raw["communications"]):
        for name in ("params", "results"):
            _walk(one[name], f"communications[{i}].{name}", ())


def _walk(value, path, above):
    if isinstance(value, (dict, list, tuple)):
        if id(value) in above:
            raise Bad(path, "contains itself")
        if len(above) > 100:
            raise Bad(path[:200], "is nested deeper than 100 levels")
        above = above + (id(value),)
        if isinstance(value, dict):
            for key, inner in value.items():
                if not isinstance(key, (str, int, float, bool, type(None))):
                    raise Bad(path, f"a key must be text, not {type(key).__name__} ({key!r:.60})")
                _walk(inner, f"{path}.{key}", above)
        else:
            for i, inner in enumerate(value):
                _walk(inner, f"{path}[{i}]", above)
        return
    try:
        encode(value)
    except (TypeError, ValueError, OverflowError) as problem:
        why = f"{value!r} cannot be stored" if isinstance(value, float) else str(problem)
        raise Bad(path, why) from None
