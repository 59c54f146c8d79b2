# The agent's own words move the contact on.
async def on_agent_answer(contact: Contact, message: Message, **kwargs) -> Contact | None:
    if "promise to pay" in message.content.lower():
        contact.current_stage = "Payment Promised"
        return contact
    return None
