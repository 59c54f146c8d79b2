"""Reminds who did not answer, thanks who did, and finds a person for who is unhappy."""

INVITATION, CALL, WHATSAPP, THANKS, CARE = (
    "1. Survey invitation", "2. Call", "3. WhatsApp reminder", "4. Thank you", "5. Call an unsatisfied customer",
)
PARTICIPATED, NO_ANSWER = "Participated", "No answer"


async def run(contact: Contact, session_results: dict | None, logger, **kwargs) -> Contact:
    ended = kwargs["communication"]
    outcome = session_results.get("OutcomeStatus", "NO_RESPONSE")
    rating = contact.results.get("rating")
    logger.info("%s ended: %s, rating %s", ended.name, outcome, rating)

    if ended.stage_name == THANKS:
        contact.current_stage = PARTICIPATED
    elif ended.stage_name == CARE:
        plan(contact, "Thank you", THANKS)
    elif any(c.status == CommunicationStatus.PLANNED for c in contact.communications):
        logger.info("the answer came another way; its plan stands")
    elif outcome == "OPT_OUT":
        contact.current_stage = NO_ANSWER
    elif rating is not None:
        contact.results.setdefault("answered_on", session_results.get("Channel"))
        if rating <= 2:
            plan(contact, "Call back", CARE, rating=rating)
        else:
            plan(contact, "Thank you", THANKS)
    elif ended.stage_name == INVITATION and contact.parameters.get("vip") and contact.phone:
        plan(contact, "Call", CALL, contact.at(date.today(), "11:00"))
    elif ended.stage_name in (INVITATION, CALL) and contact.phone:
        plan(contact, "WhatsApp reminder", WHATSAPP, contact.at(date.today(), "17:00"))
    else:
        contact.current_stage = NO_ANSWER
    return contact


def plan(contact, name, stage, when=None, **params):
    contact.communications.append(Communication(name=name, stage_name=stage, start_date=when or datetime.now(), params=params))
