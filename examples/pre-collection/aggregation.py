"""Most is planned already. Here: what an answer changes, a second call, and the end."""

WHATSAPP, CALL, MISSED = "2. WhatsApp message", "3. Phone call", "4. Missed payment"


async def run(contact: Contact, session_results: dict | None, logger, **kwargs) -> Contact:
    if contact.current_stage in ("Paid", "Overdue"):
        return contact

    ended = kwargs["communication"]
    outcome = session_results.get("OutcomeStatus", "NO_RESPONSE")
    logger.info("%s ended: %s", ended.name, outcome)

    if outcome in ("WILL_PAY", "SAYS_PAID"):
        # No call for somebody who has answered; the letter stays, should the payment be missed.
        drop(contact, (WHATSAPP, CALL))
    elif outcome == "OPT_OUT":
        drop(contact, (WHATSAPP, CALL))
        contact.results["reminders"] = "not wanted"
    elif ended.stage_name == CALL and outcome in ("NO_RESPONSE", "FAILED") and contact.attempts(CALL) < 2:
        contact.communications.append(Communication(
            name="Second call", stage_name=CALL, start_date=datetime.now() + timedelta(hours=3),
            expires_at=contact.at(date.today(), "18:00"), params=ended.params,
        ))

    if ended.stage_name == MISSED:
        contact.current_stage = "Overdue"  # not paid, five days after the letter
    return contact


def drop(contact, stages):
    for communication in contact.communications:
        if communication.stage_name in stages and communication.status == CommunicationStatus.PLANNED:
            communication.status = CommunicationStatus.CANCELED
