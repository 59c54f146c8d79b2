package campaign

import (
	"slices"
	"time"
)

// ReasonNoChat says that the contact has no chat the channel could write to.
const ReasonNoChat = "no_chat"

// onLinked takes where the contact has opened a chat. The newest one counts: who
// has the link is the contact.
func (s *State) onLinked(e *Event, now time.Time) {
	l := e.Linked
	if l == nil || l.Channel != Telegram || l.Address == "" || s.Contact.TelegramChatID == l.Address {
		return
	}
	data := map[string]any{"channel": string(l.Channel), "address": l.Address}
	if l.Name != "" {
		data["name"] = l.Name
	}
	s.Contact.TelegramChatID = l.Address
	s.decide(now, DecisionLinked, "", upperFirst(s.Contact.Name)+" opened the bot's chat", data)
}

// endWaits lets go what waits for a chat, once one is known: by a link, by an
// import, or by a strategy.
func (s *State) endWaits() {
	if s.Contact.TelegramChatID != "" {
		s.Deferrals = slices.DeleteFunc(s.Deferrals, func(d Deferral) bool { return d.Reason == ReasonNoChat })
	}
}

// Waited reports that a communication has waited for a chat, which is over when
// it comes to the gate again.
func (s *State) Waited(communicationID string) bool {
	return slices.ContainsFunc(s.Deferrals, func(d Deferral) bool { return d.CommunicationID == communicationID && d.Reason == ReasonNoChat })
}
