"""kwargs["calendar"]: business days and the campaign's contact hours."""
from datetime import date as _date, datetime as _datetime, timedelta as _timedelta

import _clock
from campaigns import zone_of

_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


class Calendar:
    """Counts business days and knows when the campaign may speak."""

    __slots__ = ("_rules", "_given", "_zone", "_days")

    def __init__(self, rules, holidays, zone):
        self._rules, self._given, self._zone, self._days = rules or {}, holidays or (), zone, None

    @property
    def _holidays(self):
        if self._days is None:
            self._days = {_day_text(d) for given in (self._given, self._rules.get("holidays") or ()) for d in given}
        return self._days

    def is_business_day(self, day):
        """Neither a Saturday, a Sunday nor a holiday."""
        return day.weekday() < 5 and _day_text(day) not in self._holidays

    def add_business_days(self, day, n):
        """The day (or moment) n business days later; negative n counts back."""
        if isinstance(day, str):
            day = _clock.date.fromisoformat(day)
        step = _timedelta(days=1 if n >= 0 else -1)
        left = abs(int(n))
        if left > 10000:
            raise ValueError("at most 10,000 business days")
        while left:
            day = day + step
            if self.is_business_day(day):
                left -= 1
        return day

    def is_open(self, at, channel="*"):
        """May this channel be used at that moment? Hours are the contact's local time; none given means open."""
        local = _clock.moment(at).astimezone(zone_of(self._zone))
        if _day_text(local) in self._holidays:
            return False
        hours = self._rules.get("hours") or {}
        week = hours.get(channel)
        if week is None:
            week = hours.get("*")
        if week is None:
            return True
        now = local.strftime("%H:%M")
        for opens, closes in week.get(_DAYS[local.weekday()]) or ():
            if opens <= now < closes or (closes <= opens and (now >= opens or now < closes)):
                return True
        return False


def _day_text(day):
    if isinstance(day, _datetime):
        return f"{day.year:04}-{day.month:02}-{day.day:02}"
    return day.isoformat() if isinstance(day, _date) else str(day)[:10]
