# After the e-mail comes WhatsApp, after a promise a reminder. Seconds stand where a real campaign has days.
async def run(contact: Contact, session_results: dict | None, logger, **kwargs) -> Contact:
    ended = kwargs["communication"]
    outcome = session_results["OutcomeStatus"]
    logger.info("%s ended with %s", ended.name, outcome)
    if ended.stage_name == "E-mail" and outcome == "NO_RESPONSE":
        contact.communications.append(Communication(
            name="WhatsApp talk", stage_name="WhatsApp", start_date=datetime.now() + timedelta(seconds=3),
        ))
    if outcome == "PROMISE_TO_PAY":
        contact.communications.append(Communication(
            name="Reminder", stage_name="Payment Promised", start_date=datetime.now() + timedelta(days=5),
        ))
    return contact
