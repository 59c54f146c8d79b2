from campaigns import Communication as Communication, CommunicationStatus as CommunicationStatus, Contact as Contact
from campaigns import Message as Message, date as date, datetime as datetime, time as time, timedelta as timedelta, timezone as timezone
