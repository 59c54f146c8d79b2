async def run(contact: Contact, existing_contact: Contact | None, logger, **kwargs) -> Contact:
    if existing_contact is None:  # not for one that is imported again
        contact.communications.append(Communication(name="Reminder", stage_name="Reminder"))
    return contact
