"""Decides what comes after each communication. Every branch ends in a plan, a person, or a final stage."""

NOTICE, WHATSAPP, PROMISED, PERSON = "1. Payment notice", "2. WhatsApp conversation", "3. Payment promised", "4. Personal contact"
PAID, NOT_PAID = "Paid", "Not paid"

WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")


async def run(contact: Contact, session_results: dict | None, logger, **kwargs) -> Contact:
    if contact.current_stage in (PAID, NOT_PAID):
        return contact  # settled meanwhile: what ends now changes nothing

    ended = kwargs["communication"]
    outcome = session_results.get("OutcomeStatus", "NO_RESPONSE")
    logger.info("%s ended: %s (%s)", ended.name, outcome, session_results.get("Reason"))

    try:
        decide(contact, ended, outcome, session_results, kwargs["calendar"], logger)
    except Exception:
        # A surprise is a person's to solve, not a reason to leave the customer hanging.
        logger.exception("no rule for this; a person takes over")
        hand_over(contact, "the strategy met something unexpected")
    return contact


def decide(contact, ended, outcome, results, calendar, logger):
    if outcome == "PROMISE_TO_PAY":
        remind(contact, results.get("promised_day"), calendar, logger)
    elif outcome == "SAYS_PAID":
        hand_over(contact, "says it was paid: look for the transfer")
    elif ended.stage_name == NOTICE:
        if outcome == "COMPLETED":
            hand_over(contact, "answered the notice")
        else:  # silence, a bounce, no e-mail address: the next channel
            plan(contact, "WhatsApp conversation", WHATSAPP, next_morning(contact, calendar))
    elif ended.stage_name == WHATSAPP:
        if outcome == "NO_RESPONSE" and not answered(results) and contact.attempts(WHATSAPP) < 2:
            plan(contact, "Second WhatsApp conversation", WHATSAPP, next_morning(contact, calendar, days=2))
        elif outcome == "OPT_OUT":
            hand_over(contact, "wants no messages: write a letter")
        else:
            hand_over(contact, f"conversation ended with {outcome}")
    elif ended.stage_name == PROMISED:
        if outcome == "COMPLETED":
            hand_over(contact, "answered the reminder")
        else:
            contact.results["promise_broken"] = True
            hand_over(contact, "the promised payment did not arrive")
    elif ended.stage_name == PERSON:
        # The person may report PAID, or a new promise (handled above); anything else ends it here.
        contact.current_stage = PAID if outcome == "PAID" else NOT_PAID


def answered(results):
    return any(message["author"] == "contact" for message in results["Messages"])


def remind(contact, day_name, calendar, logger):
    """One reminder, a business day before the promised day but not before tomorrow."""
    promised = promised_date(day_name, date.today())
    if promised is None:
        logger.warning("no day in the promise: %r", day_name)
        promised = calendar.add_business_days(date.today(), 5)
    contact.results["promised_date"] = promised
    reminder = max(calendar.add_business_days(promised, -1), date.today() + timedelta(days=1))
    plan(contact, "Reminder of the promise", PROMISED, contact.at(reminder, "10:00"), promised=f"{promised.day} {promised:%B}")


def promised_date(name, today):
    """The date a customer means by "tomorrow" or "Friday": the next one, never today's."""
    name = (name or "").strip().lower()
    if name == "today":
        return today
    if name == "tomorrow":
        return today + timedelta(days=1)
    if name not in WEEKDAYS:
        return None
    return today + timedelta(days=(WEEKDAYS.index(name) - today.weekday() - 1) % 7 + 1)


def next_morning(contact, calendar, days=0):
    """10:00 of today or of a business day later; a moment that is past means at once."""
    day = date.today()
    if days or not calendar.is_business_day(day):
        day = calendar.add_business_days(day, max(days, 1))
    return contact.at(day, "10:00")


def hand_over(contact, why):
    contact.results["person_because"] = why
    plan(contact, "Personal contact", PERSON, datetime.now(), why=why)


def plan(contact, name, stage, when, **more):
    due = contact.parameters["due_date"]
    params = {"amount": f"{contact.parameters['amount']:,.2f} EUR", "due": f"{due.day} {due:%B %Y}", **more}
    contact.communications.append(Communication(name=name, stage_name=stage, start_date=when, params=params))
