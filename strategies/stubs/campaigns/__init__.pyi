"""Types available in campaign strategies, without an import."""
from collections.abc import Mapping, Sequence
from datetime import date as date, datetime as datetime, time as time, timedelta as timedelta, timezone as timezone
from enum import Enum
from typing import Any, Literal, Protocol, TypeVar

_Day = TypeVar("_Day", date, datetime)

class CommunicationStatus(str, Enum):
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

class CommunicationState:
    """Compares like its status."""
    status: CommunicationStatus
    at: datetime | None
    reason: str

class Communication:
    """One planned touch."""
    name: str
    stage_name: str
    start_state: str
    params: dict[str, Any]
    results: dict[str, Any]
    flagged: bool
    """True on the communication that has just ended, while the aggregation strategy runs."""
    @property
    def id(self) -> str: ...
    @property
    def stage_id(self) -> str: ...
    @property
    def channel(self) -> str: ...
    @property
    def alternative(self) -> str: ...
    @property
    def session_id(self) -> str: ...
    @property
    def provider_message_id(self) -> str: ...
    @property
    def attempt(self) -> int: ...
    @property
    def start_date(self) -> datetime: ...
    @start_date.setter
    def start_date(self, value: date | datetime | str) -> None: ...
    @property
    def expires_at(self) -> datetime | None: ...
    @expires_at.setter
    def expires_at(self, value: date | datetime | str | None) -> None: ...
    @property
    def timeout(self) -> timedelta | None: ...
    @timeout.setter
    def timeout(self, value: timedelta | str | None) -> None: ...
    @property
    def status(self) -> CommunicationState: ...
    @status.setter
    def status(self, value: CommunicationState | CommunicationStatus | str) -> None: ...
    def __init__(
        self, name: str = "", stage_name: str = "", start_date: date | datetime | str | None = None, *,
        timeout: timedelta | str | None = None, expires_at: date | datetime | str | None = None, start_state: str = "",
        params: dict[str, Any] | None = None, status: CommunicationStatus | str = ..., results: dict[str, Any] | None = None,
        **settings: Any,
    ) -> None: ...

class Contact:
    """A person in this campaign."""
    id: str
    campaign_id: str
    object_id: str
    external_id: str
    name: str
    email: str
    phone: str
    timezone: str
    language: str
    telegram_chat_id: str
    parameters: dict[str, Any]
    results: dict[str, Any]
    campaign_parameters: dict[str, Any]
    campaign_results: dict[str, Any]
    internal_data: dict[str, Any]
    current_stage: str
    outcome: Literal["success", "failure"] | None
    status: str
    communications: list[Communication]
    def at(self, day: date | datetime | str, clock: str | time = "09:00") -> datetime: ...
    def cancel_planned(self, reason: str = "") -> int: ...
    def attempts(self, stage_name: str) -> int: ...

class Message:
    """One utterance inside a session."""
    id: str
    author: str
    content: str
    @property
    def role(self) -> str: ...
    @property
    def at(self) -> datetime | None: ...
    @property
    def created_at(self) -> datetime | None: ...

class Calendar(Protocol):
    """kwargs["calendar"]."""
    def is_business_day(self, day: date) -> bool: ...
    def add_business_days(self, day: _Day, n: int) -> _Day: ...
    def is_open(self, at: datetime | date | str, channel: str = "*") -> bool: ...

class Logger(Protocol):
    def debug(self, message: object, *args: object) -> None: ...
    def info(self, message: object, *args: object) -> None: ...
    def warning(self, message: object, *args: object) -> None: ...
    def error(self, message: object, *args: object) -> None: ...
    def exception(self, message: object, *args: object) -> None: ...

Record = Mapping[str, Any]
Records = Sequence[Record]
