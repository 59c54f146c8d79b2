package api

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"carillon/campaign"
	"carillon/channels"
	"carillon/store"
)

// people is what operators do in the sessions they have.
func (s *Server) people(g huma.API) {
	op(s, g, http.MethodPost, "/sessions/{id}/reply", "Reply as an operator", Operator, s.reply, answers(http.StatusAccepted),
		describe("Is sent to the contact on the session's channel, and renews your claim. The session must be handed off first. 409 where WhatsApp would refuse it: more than 24 hours after the contact's last message. 422 for a text longer than the channel takes, and nothing is kept."))
	op(s, g, http.MethodPost, "/sessions/{id}/notes", "Add a note", Operator, s.addNote, answers(http.StatusCreated),
		describe("For colleagues; the contact is sent nothing. A session that has ended takes notes too."))
	op(s, g, http.MethodPost, "/sessions/{id}/resolve", "Resolve session", Operator, s.resolve, answers(http.StatusAccepted),
		describe("Ends a session that a person has; the status is resolved_by_operator unless another is given. Results are checked against result_fields of the session."))
}

// handing is a session that changes hands.
type handing struct {
	action string
	reason string
	asks   bool            // the agent that gets it is to answer at once
	last   campaign.Author // of the last word, where an agent gets it
}

// hand changes an open session and tells its contact, in one transaction; a
// change without a handing is no news to the contact.
func (s *Server) hand(ctx context.Context, id, action string, change func(*campaign.Session) (*handing, error)) (*body[campaign.Session], error) {
	var told *store.InboxEvent
	now := s.now()
	v, granted, err := s.Store.HandSession(ctx, id, now, func(v *campaign.Session) (*store.InboxEvent, error) {
		told = nil
		h, err := change(v)
		if err != nil || h == nil {
			return nil, err
		}
		e := campaign.Event{
			ID: newID("pn_"), Kind: campaign.EventPerson, SessionID: v.ID, CommunicationID: v.CommunicationID, Action: h.action, Actor: actor(ctx), Reason: h.reason,
			Mode: v.Mode, Author: h.last,
		}
		if h.asks {
			e.MessageID = e.ID // a turn of its own: what the agent said to the message before is not said again
		}
		payload, err := json.Marshal(e)
		if err != nil {
			return nil, err
		}
		told = &store.InboxEvent{ID: e.ID, CampaignID: v.CampaignID, ContactID: v.ContactID, SessionID: v.ID, Kind: string(e.Kind), Payload: payload, At: now}
		return told, nil
	})
	if err != nil {
		return nil, err
	}
	s.auditf(ctx, action, "sessions/"+id, "campaign %s", v.CampaignID)
	if told != nil {
		s.deliver(ctx, *told)
	}
	if granted != nil {
		e := granted.InboxEvent(now.UTC().Truncate(time.Microsecond))
		e.CampaignID = granted.CampaignID
		s.deliver(ctx, e)
	}
	return &body[campaign.Session]{Body: s.showSession(v)}, nil
}

func (s *Server) reply(ctx context.Context, in *wordsInput) (*body[Accepted], error) {
	if err := in.Body.check(); err != nil {
		return nil, err
	}
	sess, err := s.Store.Session(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	if sess.Channel == campaign.Human {
		return nil, campaign.Errorf(campaign.CodeConflict, "the session is a task on channel human, which sends no messages: resolve it")
	}
	if err := personHas(sess); err != nil {
		return nil, err
	}
	if err := s.inWindow(&sess); err != nil {
		return nil, err
	}
	if err := s.fits(&sess, in.Body.Content); err != nil {
		return nil, err
	}
	if err := s.welcome(ctx, &sess); err != nil {
		return nil, err
	}
	if err := s.claimFor(ctx, sess.ID); err != nil {
		return nil, err
	}
	id := eventID("ans_", sess.ID, in.Key)
	_, err = s.tell(ctx, &sess, id, said{
		event:   campaign.Event{Kind: campaign.EventAnswer, Author: campaign.AuthorOperator, Content: in.Body.Content, Actor: actor(ctx), Ordered: true},
		message: &campaign.Message{Delivery: "pending"},
		guard:   personHas,
	})
	if err != nil {
		return nil, err
	}
	s.auditf(ctx, "reply", "sessions/"+sess.ID, "campaign %s", sess.CampaignID)
	return accepted(id), nil
}

// claimFor gives a session that a person has to the caller, or renews their claim:
// who acts in it handles it.
func (s *Server) claimFor(ctx context.Context, id string) error {
	_, err := s.Store.UpdateSession(ctx, id, func(v *campaign.Session) error {
		_, err := s.take(ctx, v)
		return err
	})
	return err
}

// inWindow refuses a free text that the channel's provider would refuse. The
// outbox takes everything and notes it.
func (s *Server) inWindow(v *campaign.Session) error {
	window := channels.Window(v.Channel)
	if window == 0 || s.Mode == ModeOutbox {
		return nil
	}
	last := "has not written yet"
	for i := range v.Messages {
		if m := &v.Messages[i]; m.Author == campaign.AuthorContact {
			if s.now().Before(m.At.Add(window - time.Minute)) {
				return nil
			}
			last = "wrote last at " + m.At.UTC().Format(time.RFC3339)
		}
	}
	return campaign.Errorf(campaign.CodeConflict, "WhatsApp takes a free text only within 24 hours of the contact's last message, and the contact %s: "+
		"wait for their next message, reach them by other means, or resolve the session", last)
}

type noteInput struct {
	ID   string `path:"id"`
	Key  string `header:"Idempotency-Key"`
	Body struct {
		Content string `json:"content" minLength:"1" maxLength:"10000" example:"Prefers to be called in the evening."`
	}
}

func (s *Server) addNote(ctx context.Context, in *noteInput) (*body[store.Note], error) {
	if strings.TrimSpace(in.Body.Content) == "" {
		return nil, campaign.Invalid("content", "a note says something")
	}
	n := store.Note{ID: eventID("nt_", in.ID, in.Key), SessionID: in.ID, Author: actor(ctx), Content: in.Body.Content, At: s.now()}
	if err := s.Store.AddNote(ctx, n); err != nil {
		return nil, err
	}
	s.auditf(ctx, "note", "sessions/"+in.ID, "%s", n.ID)
	return &body[store.Note]{n}, nil
}

type resolveInput struct {
	ID   string `path:"id"`
	Body *ResultBody
}

func (s *Server) resolve(ctx context.Context, in *resolveInput) (*body[Accepted], error) {
	r := resultInput{ID: in.ID}
	if in.Body != nil {
		r.Body = *in.Body
	}
	r.Body.Status = campaign.SessionStatus(or(string(r.Body.Status), string(campaign.SessionResolvedByOperator)))
	sess, err := s.ending(ctx, &r)
	if err != nil {
		return nil, err
	}
	if err := s.claimFor(ctx, sess.ID); err != nil {
		return nil, err
	}
	out, err := s.end(ctx, &sess, &r.Body, personHas, actor(ctx))
	if err != nil {
		return nil, err
	}
	s.auditf(ctx, "resolve", "sessions/"+in.ID, "%s", r.Body.Status)
	return out, nil
}
