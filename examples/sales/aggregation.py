"""Leads a contact along: interested, qualified, booked; or through the letters, with a way back."""

INTRODUCTION, WHATSAPP, CALL, PERSON = "1. Introduction", "2. WhatsApp qualification", "3. Call", "4. A person calls"
NURTURE = ("Nurture 1 - guide", "Nurture 2 - case", "Nurture 3 - last")
BOOKED, NOT_NOW, NOT_INTERESTED = "Meeting booked", "Not now", "Not interested"

# What an outcome means wherever it comes from. Anything else is decided by the stage.
FINAL = {"MEETING": BOOKED, "NOT_INTERESTED": NOT_INTERESTED, "OPT_OUT": NOT_INTERESTED}


async def run(contact: Contact, session_results: dict | None, logger, **kwargs) -> Contact:
    if contact.current_stage in (BOOKED, NOT_NOW, NOT_INTERESTED):
        return contact

    ended = kwargs["communication"]
    calendar = kwargs["calendar"]
    outcome = session_results.get("OutcomeStatus", "NO_RESPONSE")
    logger.info("%s ended: %s", ended.name, outcome)

    if outcome in FINAL:
        contact.cancel_planned(outcome.lower())
        contact.current_stage = FINAL[outcome]
    elif outcome == "QUALIFIED":
        plan(contact, "Call", CALL, contact.at(calendar.add_business_days(date.today(), 1), "11:00"))
    elif outcome == "INTERESTED" or answered_a_letter(ended, outcome):
        if contact.phone:
            plan(contact, "WhatsApp qualification", WHATSAPP, datetime.now() + timedelta(hours=1))
        else:
            plan(contact, "A person answers", PERSON, datetime.now())
    elif ended.stage_name == CALL and outcome != "NOT_READY" and contact.attempts(CALL) < 2:
        plan(contact, "Second call", CALL, contact.at(calendar.add_business_days(date.today(), 1), "15:00"))
    elif ended.stage_name == PERSON:
        contact.current_stage = NOT_NOW  # a meeting would have been reported as MEETING
    else:
        nurture(contact, ended, calendar, logger)
    return contact


def answered_a_letter(ended, outcome):
    return ended.stage_name in NURTURE and outcome == "COMPLETED"


def nurture(contact, ended, calendar, logger):
    """The next letter that this contact has not had; after the last one, it is not now."""
    unsent = [stage for stage in NURTURE if contact.attempts(stage) == 0]
    if ended.stage_name in NURTURE:
        unsent = [stage for stage in unsent if stage > ended.stage_name]  # one that could not be sent is not tried again
    if not unsent:
        contact.current_stage = NOT_NOW
        return
    day = calendar.add_business_days(date.today(), 1)
    logger.info("next letter: %s on %s", unsent[0], day)
    plan(contact, unsent[0], unsent[0], contact.at(day, "10:00"))


def plan(contact, name, stage, when):
    contact.communications.append(Communication(name=name, stage_name=stage, start_date=when))
