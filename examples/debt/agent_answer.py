"""Watches the conversation: a promise shows on the contact while they still talk, and a person gets time."""


async def on_agent_answer(contact: Contact, message: Message, **kwargs) -> Contact | None:
    contact.internal_data["last_message_time"] = datetime.now()
    if "promise to pay" in message.content.lower():
        kwargs["logger"].info("a promise: %s", message.content)
        contact.current_stage = "3. Payment promised"
    if kwargs["session"].mode == "human":
        # The assistant has handed over: now the customer waits for us, so the talk may last longer.
        kwargs["communication"].timeout = timedelta(days=7)
    return contact
