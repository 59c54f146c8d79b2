package api

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"carillon/agents"
	"carillon/campaign"
	"carillon/channels"
	"carillon/store"
)

func (s *Server) sessions(g huma.API) {
	op(s, g, http.MethodGet, "/sessions", "List sessions", Viewer,
		func(ctx context.Context, in *sessionsInput) (*listed[campaign.Session], error) {
			l, err := s.Store.Sessions(ctx, in.filter(), in.store())
			return listAs(l, s.showSession), err
		}, describe("Without their messages."))
	op(s, g, http.MethodGet, "/sessions/export", "Export sessions", Viewer, s.exportSessions, streams("text/csv", "application/x-ndjson"),
		describe("ndjson has the messages too."))
	op(s, g, http.MethodGet, "/sessions/{id}", "Read session", Viewer,
		func(ctx context.Context, in *idInput) (*body[SessionDetail], error) {
			v, err := s.Store.Session(ctx, in.ID)
			if err != nil {
				return nil, err
			}
			d, err := s.detail(ctx, &v)
			return &body[SessionDetail]{d}, err
		}, describe("With its messages and what operators noted, oldest first, and what a person must know who takes it."))
	op(s, g, http.MethodPost, "/sessions/{id}/messages", "Add a contact's message", Operator, s.addMessage, answers(http.StatusAccepted),
		describe("The contact says something, told by a system that has no webhook of ours. On a closed session it is a late message."))
	op(s, g, http.MethodPost, "/sessions/{id}/answers", "Add an agent's answer", Operator, s.addAnswer, answers(http.StatusAccepted),
		describe("An answer of an external agent, or a later one of a webhook agent: it is sent to the contact and runs agent_answer. 409 on a closed session; 422 for a state that the agent does not have, if it has any, and for a text longer than the channel takes (WhatsApp and Telegram 4,096 characters), and nothing is kept."))
	op(s, g, http.MethodPost, "/sessions/{id}/results", "End a session", Operator, s.addResult, answers(http.StatusAccepted),
		describe("An external agent, or a webhook agent later, ends the session with what it found out; aggregation runs. 409 on a closed session, and for an agent that ends its sessions by itself. Results are checked against result_fields of the session: 422."))
}

// SessionQuery is how sessions are filtered.
type SessionQuery struct {
	CampaignID string                       `query:"campaign_id"`
	AgentID    string                       `query:"agent_id"`
	ContactID  string                       `query:"contact_id"`
	Status     campaign.SessionStatus       `query:"status" enum:"open,completed,resolved_by_operator,escalated_by_operator,transferred,not_answered,declined,busy,user_timeout,timeout,not_found,failed,network_error,canceled,unknown"`
	Outcome    campaign.CommunicationStatus `query:"outcome" enum:"COMPLETED,NO_RESPONSE,FAILED"`
	Mode       campaign.Mode                `query:"mode" enum:"ai,human,copilot"`
}

func (q *SessionQuery) filter() store.SessionFilter {
	return store.SessionFilter{
		CampaignID: q.CampaignID, AgentID: q.AgentID, ContactID: q.ContactID, Status: q.Status, Mode: q.Mode, Outcome: q.Outcome,
	}
}

type sessionsInput struct {
	SessionQuery
	Page
}

// said is one event in a session, not yet told to its contact.
type said struct {
	event   campaign.Event // without ids
	message *campaign.Message
	guard   func(campaign.Session) error // nil lets everything through
}

// tell commits an event and the message it carries, then tells the contact's
// workflow. A workflow that cannot be told now is told by the relay later. It
// reports whether the id was new.
func (s *Server) tell(ctx context.Context, sess *campaign.Session, id string, what said) (bool, error) {
	now := s.now()
	e := what.event
	e.ID, e.SessionID, e.CommunicationID = id, sess.ID, sess.CommunicationID
	if what.message != nil {
		what.message.ID, what.message.SessionID, what.message.At = id, sess.ID, now
		what.message.Author, what.message.Content = e.Author, e.Content
		e.MessageID = id
	}
	optOut := campaign.Channel("")
	if e.Kind == campaign.EventMessage && campaign.IsStop(e.Content) {
		e.OptOut, optOut = true, s.channelOf(ctx, sess)
	}
	payload, err := json.Marshal(e)
	if err != nil {
		return false, err
	}
	row := store.InboxEvent{
		OptOut: optOut, ID: id, CampaignID: sess.CampaignID, ContactID: sess.ContactID, SessionID: sess.ID, Kind: string(e.Kind), Payload: payload, At: now,
	}
	told, err := s.Store.AddEvent(ctx, row, what.message, what.guard)
	if err != nil || len(told) == 0 {
		return false, err
	}
	s.deliver(ctx, row)
	s.courier.send(told[1:])
	return true, nil
}

// channelOf is the channel a session is held on, or the one of the communication
// where there is no session.
func (s *Server) channelOf(ctx context.Context, sess *campaign.Session) campaign.Channel {
	if sess.Channel != "" {
		return sess.Channel
	}
	if c, err := s.Store.Contact(ctx, sess.CampaignID, sess.ContactID); err == nil {
		if m := c.Communication(sess.CommunicationID); m != nil {
			return m.Channel
		}
	}
	return ""
}

// deliverTime bounds how long a caller waits for the workflow to be told.
const deliverTime = 3 * time.Second

// deliver tells the contact's workflow of a committed event.
func (s *Server) deliver(ctx context.Context, e store.InboxEvent) {
	if s.Relay == nil || s.Temporal == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), deliverTime)
	defer cancel()
	if err := s.Relay.Deliver(ctx, e); err != nil {
		s.Log.Warn("event not delivered yet", "event_id", e.ID, "contact_id", e.ContactID, "error", err)
	}
}

// eventID makes the id of an event: the same one for the same Idempotency-Key
// in the same session.
func eventID(prefix, sessionID, key string) string {
	if key == "" {
		return newID(prefix)
	}
	sum := sha256.Sum256([]byte(sessionID + "\n" + key))
	return prefix + hex.EncodeToString(sum[:10])
}

// Words is something said.
type Words struct {
	Content string `json:"content" minLength:"1" maxLength:"50000"`
}

// check refuses what says nothing.
func (w *Words) check() error {
	if strings.TrimSpace(w.Content) == "" {
		return campaign.Invalid("content", "the message has no text: nothing was kept, send another one")
	}
	return nil
}

type wordsInput struct {
	ID   string `path:"id"`
	Key  string `header:"Idempotency-Key"`
	Body Words
}

// accepted answers that an event is committed.
func accepted(id string) *body[Accepted] {
	return &body[Accepted]{Body: Accepted{ID: id, Status: "accepted"}}
}

func (s *Server) addMessage(ctx context.Context, in *wordsInput) (*body[Accepted], error) {
	if err := in.Body.check(); err != nil {
		return nil, err
	}
	sess, err := s.Store.Session(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	id := eventID("msg_", sess.ID, in.Key)
	_, err = s.tell(ctx, &sess, id, said{
		event:   campaign.Event{Kind: campaign.EventMessage, Author: campaign.AuthorContact, Content: in.Body.Content},
		message: &campaign.Message{},
	})
	return accepted(id), err
}

type answerInput struct {
	ID   string `path:"id"`
	Key  string `header:"Idempotency-Key"`
	Body struct {
		Words
		State string `json:"state,omitempty" maxLength:"200" doc:"Where the agent is now in its conversation."`
	}
}

func (s *Server) addAnswer(ctx context.Context, in *answerInput) (*body[Accepted], error) {
	if err := in.Body.check(); err != nil {
		return nil, err
	}
	sess, err := s.Store.Session(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	agent, err := s.outside(ctx, &sess)
	if err != nil {
		return nil, err
	}
	if _, err := agents.StateOf(&agent, in.Body.State); err != nil {
		return nil, campaign.Invalid("state", "%v", err)
	}
	if err := s.welcome(ctx, &sess); err != nil {
		return nil, err
	}
	id := eventID("ans_", sess.ID, in.Key)
	fresh, err := s.tell(ctx, &sess, id, said{
		event:   campaign.Event{Kind: campaign.EventAnswer, Author: campaign.AuthorAgent, Content: in.Body.Content, Ordered: true},
		message: &campaign.Message{Delivery: "pending"},
		guard: func(v campaign.Session) error {
			if err := agentSpeaks(v); err != nil {
				return err
			}
			return s.fits(&v, in.Body.Content)
		},
	})
	if err != nil {
		return nil, err
	}
	if fresh && in.Body.State != "" {
		if _, err := s.Store.UpdateSession(ctx, sess.ID, func(v *campaign.Session) error { v.State = in.Body.State; return nil }); err != nil {
			return nil, err
		}
	}
	return accepted(id), nil
}

// fits refuses a text that the session's channel could not carry. In mode outbox
// too: who rehearses learns it then.
func (s *Server) fits(v *campaign.Session, text string) error {
	if f := channels.Classify(s.Channels.CheckText(v.Channel, text)); f != nil {
		return campaign.Invalid("content", "%v: nothing was kept, send another one", f.Err)
	}
	return nil
}

// outside is the session's agent, the zero value if there is none. It refuses one
// that makes its own answers: nobody speaks, or ends a session, in its name. A
// webhook agent may do both later than in the turn.
func (s *Server) outside(ctx context.Context, sess *campaign.Session) (campaign.Agent, error) {
	if sess.AgentID == "" {
		return campaign.Agent{}, nil
	}
	a, err := s.Store.Agent(ctx, sess.AgentID)
	if errors.Is(err, store.ErrNotFound) {
		return campaign.Agent{}, nil
	}
	if err == nil && a.Kind != campaign.AgentExternal && a.Kind != campaign.AgentWebhook {
		err = campaign.Errorf(campaign.CodeConflict, "the agent %s is of kind %s, which answers and ends its sessions by itself; a person hands the session off, replies and resolves it", a.Name, a.Kind)
	}
	return a, err
}

func stillOpen(s campaign.Session) error {
	if s.Status != campaign.SessionOpen {
		return campaign.Errorf(campaign.CodeConflict, "the session is closed: %s", s.Status)
	}
	return nil
}

// agentSpeaks lets an agent's words into an open session that no person has.
func agentSpeaks(s campaign.Session) error {
	if s.Mode == campaign.ModeHuman {
		return campaign.Errorf(campaign.CodeConflict, "a person has the session; they reply, resolve it or hand it back")
	}
	return stillOpen(s)
}

// welcome refuses what would be said in a session whose person is not to be
// contacted any more: it is about to end.
func (s *Server) welcome(ctx context.Context, sess *campaign.Session) error {
	if sess.Status != campaign.SessionOpen || sess.Channel == campaign.Human { // it says so itself, or sends nothing
		return nil
	}
	c, err := s.Store.Contact(ctx, sess.CampaignID, sess.ContactID)
	if errors.Is(err, store.ErrNotFound) {
		return nil
	} else if err != nil {
		return err
	}
	reason, err := s.Store.Suppressed(ctx, c.ExternalID, sess.Channel, sess.Address)
	if err != nil || reason == "" {
		return err
	}
	return campaign.Errorf(campaign.CodeConflict, "the person must not be contacted by %s (%s): the session ends", sess.Channel, reason)
}
