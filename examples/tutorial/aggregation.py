async def run(contact: Contact, session_results: dict | None, logger, **kwargs) -> Contact:
    stage, outcome = session_results["StageName"], session_results["OutcomeStatus"]
    logger.info("%s ended with %s", stage, outcome)
    if stage == "Reminder":
        contact.communications.append(Communication(name="Talk", stage_name="Talk"))
    elif outcome == "PROMISED":
        contact.current_stage = "Promised"  # a final stage: the contact is done
    elif contact.attempts("Talk") < 2:
        contact.communications.append(Communication(
            name="Talk again", stage_name="Talk", start_date=datetime.now() + timedelta(days=1)))
    else:
        contact.current_stage = "Given up"
    return contact
