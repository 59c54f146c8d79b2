package campaign

import (
	"slices"
	"time"
)

// ReasonAnswerFailed says that nobody heard an agent's answer: it could not be sent.
const ReasonAnswerFailed = "answer_failed"

// Unheard is a message of ours inside a session that the contact may not have, and
// that a person has not looked at. It holds nothing up but the contact's end: the
// conversation and the plan go on.
type Unheard struct {
	Reply  Reply     `json:"reply"`
	Reason string    `json:"reason"`
	Detail string    `json:"detail"`
	Since  time.Time `json:"since"`
}

func (u *Unheard) attention() Attention {
	return Attention{
		Reason: u.Reason, Detail: u.Detail, CommunicationID: u.Reply.CommunicationID, SessionID: u.Reply.SessionID, MessageID: u.Reply.MessageID,
		Attempt: u.Reply.Attempt, Since: u.Since,
	}
}

// Holds reports that the contact waits for the person who looks at it: an answer
// that may not have arrived holds nothing up. It may be nil.
func (a *Attention) Holds() bool { return a != nil && a.MessageID == "" }

// attention is what a person must look at, what keeps the contact waiting first;
// nil if there is nothing.
func (s *State) attention() *Attention {
	var all []Attention
	if s.Trouble != nil {
		all = append(all, s.Trouble.Attention)
	}
	for i := range s.Unheard {
		all = append(all, s.Unheard[i].attention())
	}
	if len(all) == 0 {
		return nil
	}
	first := all[0]
	first.More = slices.Clone(all[1:])
	return &first
}

// takeUnheard takes up what a contact's attention says of messages.
func (s *State) takeUnheard(a *Attention) {
	if a == nil {
		return
	}
	if a.MessageID != "" {
		r := Reply{MessageID: a.MessageID, SessionID: a.SessionID, CommunicationID: a.CommunicationID, Attempt: a.Attempt}
		s.Unheard = append(s.Unheard, Unheard{Reply: r, Reason: a.Reason, Detail: a.Detail, Since: a.Since})
	}
	for i := range a.More {
		s.takeUnheard(&a.More[i])
	}
}

// unheard puts a message before a person.
func (s *State) unheard(r *Reply, reason, detail string, d map[string]any, now time.Time) {
	if s.Stopping != "" {
		return
	}
	said := *r
	said.Author = "" // whoever said it, a person decides now
	s.Unheard = append(s.Unheard, Unheard{Reply: said, Reason: reason, Detail: detail, Since: now})
	d["kind"] = "answer"
	s.decide(now, DecisionAttention, reason, "Needs attention: "+detail, d)
}

// fellSilent reports that a person must know of an answer that could not be sent:
// one of an agent, which does not see it, or one that a person had sent again. Who
// does not want to hear from us, or has no such address, is not tried again.
func (r *Reply) fellSilent(out *SendOutcome) bool {
	if r.Author != AuthorAgent && r.Attempt == 0 {
		return false
	}
	return out.Outcome != SendFailed || out.Reason == "invalid" || out.Reason == "policy"
}

// sayAgain sends the first message that is before a person once more, as a new
// attempt: it may be the second time that the contact gets it.
func (s *State) sayAgain() []Command {
	r := s.Unheard[0].Reply
	s.leaveUnheard()
	r.Attempt++
	return s.reply(r, true)
}

// leaveUnheard takes the first message from before a person: it stays as it is.
func (s *State) leaveUnheard() {
	if len(s.Unheard) > 0 {
		s.Unheard = slices.Clone(s.Unheard[1:])
	}
}

// answerReported takes what a provider reports of a message inside a session: that
// it did not arrive, or what became of one of which nobody knew.
func (s *State) answerReported(m *Communication, e *Event, now time.Time) {
	s.Unheard = slices.DeleteFunc(s.Unheard, func(u Unheard) bool { return u.Reply.MessageID == e.MessageID })
	d := messageData(m, e)
	switch e.Delivery {
	case ReportSent, ReportDelivered, ReportRead:
		s.Contact.Counts.Sent++
		m.advance(CommunicationSent, now)
		s.decide(now, DecisionSent, e.Delivery, "The answer was "+e.Delivery+", its provider reports", d)
	default:
		s.decide(now, DecisionFailed, e.Delivery, "The answer was not delivered ("+orElse(e.Reason, e.Delivery)+")", d)
	}
}
