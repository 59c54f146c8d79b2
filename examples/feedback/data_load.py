"""Invites after a purchase, and takes the answer of the survey on the web."""

INVITATION, THANKS, CARE = "1. Survey invitation", "4. Thank you", "5. Call an unsatisfied customer"


async def run(contact: Contact, existing_contact: Contact | None, logger, **kwargs) -> Contact:
    rating = contact.parameters.get("rating")
    if existing_contact is not None and rating is not None and "rating" not in contact.results:
        take_answer(contact, rating, logger)
        return contact
    if existing_contact is not None:
        return contact

    # Two weeks after the purchase people know what they think of it; for older ones, tomorrow.
    bought = contact.parameters["purchased_on"]
    day = max(bought + timedelta(days=14), date.today() + timedelta(days=1))
    contact.communications.append(Communication(
        name="Invitation", stage_name=INVITATION, start_date=contact.at(day, "10:00"),
        params={"purchased": f"{bought.day} {bought:%B}"},
    ))
    return contact


def take_answer(contact, rating, logger):
    """The survey was answered: nobody is reminded any more, and what comes next depends on the answer."""
    logger.info("rated %s on the web", rating)
    contact.results["rating"] = rating
    contact.results["answered_on"] = "web"
    if contact.parameters.get("comment"):
        contact.results["comment"] = contact.parameters["comment"]
    contact.cancel_planned("answered")
    for communication in contact.communications:
        if communication.status in ("STARTED", "SENT", "DELIVERED", "READ", "REPLIED"):
            communication.timeout = timedelta(seconds=1)
    if rating <= 2:
        contact.communications.append(Communication(name="Call back", stage_name=CARE, params={"rating": rating}))
    else:
        contact.communications.append(Communication(name="Thank you", stage_name=THANKS))
