"""Plans the four reminders around the due date. A payment cancels what is left of them."""

# Days from the due date, the local time, and the stage.
REMINDERS = (
    (-7, "10:00", "Reminder e-mail", "1. Reminder e-mail"),
    (-3, "11:00", "WhatsApp reminder", "2. WhatsApp message"),
    (0, "10:30", "Call on the due date", "3. Phone call"),
    (2, "09:00", "Missed payment", "4. Missed payment"),
)


async def run(contact: Contact, existing_contact: Contact | None, logger, **kwargs) -> Contact:
    if contact.parameters.get("paid"):
        canceled = contact.cancel_planned("paid")
        for communication in contact.communications:
            if communication.status in ("STARTED", "SENT", "DELIVERED", "READ", "REPLIED"):
                communication.timeout = timedelta(seconds=1)  # nobody need wait for an answer now
        contact.current_stage = "Paid"
        logger.info("paid; %s reminders canceled", canceled)
        return contact

    due = contact.parameters["due_date"]
    if existing_contact is not None:
        if existing_contact.parameters.get("due_date") == due:
            return contact
        # The due date was moved: the plan moves with it.
        contact.cancel_planned("the due date was moved")
        logger.info("due date moved to %s", due)

    sent = {c.name for c in contact.communications if c.status not in ("PLANNED", "CANCELED")}
    for days, clock, name, stage in REMINDERS:
        when = contact.at(due + timedelta(days=days), clock)
        if name in sent or (when < datetime.now() and days < 2):
            logger.info("%s is left out: its day, %s, is past", name, when.date())
            continue
        contact.communications.append(Communication(name=name, stage_name=stage, start_date=when, params={
            "amount": f"{contact.parameters['amount']:,.2f} EUR",
            "due": f"{due.day} {due:%B %Y}",
        }))
    return contact
