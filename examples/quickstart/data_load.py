# A new contact is written to in three seconds. A row for a contact we know is news about it: has it paid?
async def run(contact: Contact, existing_contact: Contact | None, logger, **kwargs) -> Contact:
    if existing_contact is not None:
        if contact.parameters.get("paid"):
            contact.current_stage = "Paid"
        return contact
    contact.communications.append(Communication(
        name="Notice", stage_name="E-mail", start_date=datetime.now() + timedelta(seconds=3),
    ))
    return contact
