"""A new lead gets the introduction on the next business day; a known one keeps its plan."""


async def run(contact: Contact, existing_contact: Contact | None, logger, **kwargs) -> Contact:
    if existing_contact is not None:
        # A lead that comes in again, from a fair for example, is news for the team, not a second letter.
        contact.results["seen_again_at"] = datetime.now()
        logger.info("known since stage %s", contact.current_stage)
        return contact

    day = kwargs["calendar"].add_business_days(date.today(), 1)
    contact.communications.append(Communication(
        name="Introduction", stage_name="1. Introduction", start_date=contact.at(day, "10:00"),
    ))
    contact.results["size"] = size(contact.parameters.get("employees"))
    return contact


def size(employees):
    if employees is None:
        return "unknown"
    return "small" if employees < 50 else "medium" if employees < 250 else "large"
