package api

import (
	"context"
	"net/http"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"carillon/campaign"
	"carillon/store"
)

// inbox is where people take over from agents, and where channel human lands.
func (s *Server) inbox(g huma.API) {
	op(s, g, http.MethodGet, "/inbox", "List sessions that wait for a person", Viewer,
		func(ctx context.Context, in *struct{ Page }) (*listed[campaign.Session], error) {
			l, err := s.Store.Sessions(ctx, store.SessionFilter{WaitingForPerson: true}, in.store())
			return listAs(l, showSession), err
		})
	op(s, g, http.MethodGet, "/unmatched", "List unmatched messages", Viewer,
		func(ctx context.Context, in *struct{ Page }) (*listed[store.Unmatched], error) {
			l, err := s.Store.UnmatchedEvents(ctx, in.store())
			return listOf(l), err
		}, describe("What came for a contact that could not take it any more."))
	op(s, g, http.MethodPost, "/sessions/{id}/claim", "Claim session", Operator, s.claim,
		describe("You handle it for 15 minutes; claim again or reply to go on. 409 while somebody else does."))
	op(s, g, http.MethodPost, "/sessions/{id}/handoff", "Hand session off to a person", Operator, s.handOff,
		describe("From now on people answer; the agent's own answers are refused."))
	op(s, g, http.MethodPost, "/sessions/{id}/hand_back", "Hand session back to its agent", Operator, s.handBack)
	op(s, g, http.MethodPost, "/sessions/{id}/reply", "Reply as an operator", Operator, s.reply, answers(http.StatusAccepted),
		describe("Is sent to the contact. The session must be handed off first."))
	op(s, g, http.MethodPost, "/sessions/{id}/notes", "Add a note", Operator, s.addNote, answers(http.StatusCreated),
		describe("For colleagues; the contact is sent nothing. A session that has ended takes notes too."))
	op(s, g, http.MethodPost, "/sessions/{id}/resolve", "Resolve session", Operator, s.resolve, answers(http.StatusAccepted),
		describe("Ends a session that a person has; the status is resolved_by_operator unless another is given."))
}

// claimTime is how long a claim lasts unless its operator claims again or
// replies: who walks away does not keep the contact waiting.
const claimTime = 15 * time.Minute

func personHas(s campaign.Session) error {
	if err := stillOpen(s); err != nil {
		return err
	}
	if s.Mode != campaign.ModeHuman {
		return campaign.Errorf(campaign.CodeConflict, "the session is its agent's; hand it off first")
	}
	return nil
}

// changeSession changes an open session and notes who did.
func (s *Server) changeSession(ctx context.Context, id, action string, change func(*campaign.Session) error) (*body[campaign.Session], error) {
	v, err := s.Store.UpdateSession(ctx, id, change)
	if err != nil {
		return nil, err
	}
	s.auditf(ctx, action, "sessions/"+id, "campaign %s", v.CampaignID)
	return &body[campaign.Session]{Body: showSession(v)}, nil
}

func (s *Server) claim(ctx context.Context, in *idInput) (*body[campaign.Session], error) {
	return s.changeSession(ctx, in.ID, "claim", func(v *campaign.Session) error {
		if err := personHas(*v); err != nil {
			return err
		}
		return s.take(ctx, v)
	})
}

// take makes the caller the one who handles the session, for a while.
func (s *Server) take(ctx context.Context, v *campaign.Session) error {
	who, now := actor(ctx), s.now()
	if v.ClaimedByOther(who, now) {
		return campaign.Errorf(campaign.CodeConflict, "%s handles the session until %s", v.ClaimedBy, v.ClaimedUntil.UTC().Format(time.RFC3339))
	}
	until := now.Add(claimTime)
	v.ClaimedBy, v.ClaimedUntil = who, &until
	return nil
}

func (s *Server) handOff(ctx context.Context, in *idInput) (*body[campaign.Session], error) {
	return s.changeSession(ctx, in.ID, "handoff", func(v *campaign.Session) error {
		if err := stillOpen(*v); err != nil {
			return err
		}
		if v.Mode == campaign.ModeHuman {
			return campaign.Errorf(campaign.CodeConflict, "a person has the session already")
		}
		v.Mode = campaign.ModeHuman
		return nil
	})
}

func (s *Server) handBack(ctx context.Context, in *idInput) (*body[campaign.Session], error) {
	return s.changeSession(ctx, in.ID, "hand_back", func(v *campaign.Session) error {
		if err := personHas(*v); err != nil {
			return err
		}
		if v.AgentID == "" {
			return campaign.Errorf(campaign.CodeConflict, "the session has no agent to hand it back to")
		}
		v.Mode, v.ClaimedBy, v.ClaimedUntil = campaign.ModeAI, "", nil
		return nil
	})
}

func (s *Server) reply(ctx context.Context, in *wordsInput) (*body[Accepted], error) {
	sess, err := s.Store.Session(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	if sess.Channel == campaign.Human {
		return nil, campaign.Errorf(campaign.CodeConflict, "the session is a task on channel human, which sends no messages: resolve it")
	}
	if _, err := s.Store.UpdateSession(ctx, sess.ID, func(v *campaign.Session) error {
		if err := personHas(*v); err != nil {
			return err
		}
		return s.take(ctx, v)
	}); err != nil {
		return nil, err
	}
	id := eventID("ans_", sess.ID, in.Key)
	_, err = s.tell(ctx, &sess, id, said{
		event:   campaign.Event{Kind: campaign.EventAnswer, Author: campaign.AuthorOperator, Content: in.Body.Content},
		message: &campaign.Message{Delivery: "pending"},
		guard:   personHas,
	})
	if err != nil {
		return nil, err
	}
	s.auditf(ctx, "reply", "sessions/"+sess.ID, "campaign %s", sess.CampaignID)
	return accepted(id), nil
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
	out, err := s.end(ctx, &r, personHas)
	if err != nil {
		return nil, err
	}
	s.auditf(ctx, "resolve", "sessions/"+in.ID, "%s", r.Body.Status)
	return out, nil
}
