# The least a campaign needs: a new contact gets one communication, now.
async def run(contact: Contact, existing_contact: Contact | None, logger, **kwargs) -> Contact:
    if existing_contact is None:
        contact.communications.append(Communication(name="Hello", stage_name="First Contact"))
    return contact
