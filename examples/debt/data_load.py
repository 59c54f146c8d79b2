"""Plans the first notice of a new debt; a row about a contact we know is news, such as its payment."""

FIRST_NOTICE = "1. Payment notice"
PAID = "Paid"


async def run(contact: Contact, existing_contact: Contact | None, logger, **kwargs) -> Contact:
    if contact.parameters.get("paid"):
        return settle(contact, logger)

    if existing_contact is not None:
        # The amount or the address may have changed; the next message uses it. The plan stays.
        logger.info("known since %s communications: nothing new to plan", len(contact.communications))
        return contact

    if contact.parameters["amount"] <= 0:
        logger.warning("nothing is owed: %s", contact.parameters["amount"])
        return settle(contact, logger)

    # Not on the day of the import: somebody may want to look at it first.
    day = kwargs["calendar"].add_business_days(date.today(), 1)
    contact.communications.append(Communication(
        name="Payment notice",
        stage_name=FIRST_NOTICE,
        start_date=contact.at(day, "09:30"),
        params=facts(contact),
    ))
    contact.current_stage = FIRST_NOTICE
    return contact


def settle(contact, logger):
    """The debt is paid: cancel what is planned, and wait no longer for an answer."""
    canceled = contact.cancel_planned("paid")
    for communication in contact.communications:
        if communication.status in ("STARTED", "SENT", "DELIVERED", "READ", "REPLIED"):
            communication.timeout = timedelta(seconds=1)
    contact.results["paid_at"] = datetime.now()
    contact.current_stage = PAID
    logger.info("paid; %s planned communications canceled", canceled)
    return contact


def facts(contact):
    """What the letters say about the debt."""
    due = contact.parameters["due_date"]
    return {"amount": f"{contact.parameters['amount']:,.2f} EUR", "due": f"{due.day} {due:%B %Y}"}
