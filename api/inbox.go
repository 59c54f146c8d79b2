package api

import (
	"context"
	"net/http"
	"slices"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"carillon/campaign"
	"carillon/store"
)

// inbox is where people take over from agents, and where channel human lands.
func (s *Server) inbox(g huma.API) {
	op(s, g, http.MethodGet, "/inbox", "List sessions that wait for a person", Viewer, s.listInbox,
		describe("The open sessions that people have. Those whose contact waits come first, the longest wait before others; waiting_since says since when: since people have the session or, once one has replied, since the contact wrote again. due_at is when the session ends unless somebody says something."))
	op(s, g, http.MethodGet, "/unmatched", "List unmatched messages", Viewer,
		func(ctx context.Context, in *struct{ Page }) (*listed[store.Unmatched], error) {
			l, err := s.Store.UnmatchedEvents(ctx, in.store())
			return listOf(l), err
		}, describe("What came for a contact that could not take it any more, or fits nobody; and letters that a mail server does not hand out."))
	op(s, g, http.MethodPost, "/sessions/{id}/claim", "Claim session", Operator, s.claim,
		describe("You handle it for 15 minutes; claim again or reply to go on. 409 while somebody else does, save for an admin who takes it over. While it is claimed it does not end by time."))
	op(s, g, http.MethodPost, "/sessions/{id}/unclaim", "Lay session back into the inbox", Operator, s.unclaim,
		describe("Who handles it does so no more; an admin may do it for another."))
	op(s, g, http.MethodPost, "/sessions/{id}/handoff", "Hand session off to a person", Operator, s.handOff,
		describe("From now on people answer: the agent's own answers are refused, and its place is free for another session. The session's reason says why people have it."))
	op(s, g, http.MethodPost, "/sessions/{id}/hand_back", "Hand session back to its agent", Operator, s.handBack,
		describe("The agent goes on with all that was said, and answers at once what is unanswered. It takes a place of the agent again; 409 if none is free."))
	s.people(g)
}

type inboxInput struct {
	State      string           `query:"state" enum:"open,claimed,mine" doc:"open: handled by nobody now; claimed: by somebody; mine: by you."`
	CampaignID string           `query:"campaign_id"`
	StageName  string           `query:"stage"`
	Channel    campaign.Channel `query:"channel"`
	DueBefore  time.Time        `query:"due_before" doc:"Those that end before it unless somebody says something."`
	Page
}

func (s *Server) listInbox(ctx context.Context, in *inboxInput) (*listed[campaign.Session], error) {
	f := store.InboxFilter{CampaignID: in.CampaignID, Channel: in.Channel, DueBefore: in.DueBefore, Claim: in.State, Now: s.now()}
	if in.StageName != "" {
		f.StageNames = []string{in.StageName}
	}
	if in.StageName != "" && in.CampaignID != "" { // sessions keep the name their stage had
		names, err := s.Store.StageNames(ctx, in.CampaignID)
		if err != nil {
			return nil, err
		}
		for name, id := range names {
			if name != in.StageName && id == names[in.StageName] {
				f.StageNames = append(f.StageNames, name)
			}
		}
		slices.Sort(f.StageNames)
	}
	if in.State == "mine" {
		f.ClaimedID, f.Claim = keyID(ctx), ""
	}
	l, err := s.Store.Inbox(ctx, f, in.store())
	return listAs(l, s.showSession), err
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

// free refuses what somebody else handles at the moment.
func (s *Server) free(ctx context.Context, v *campaign.Session) error {
	if v.ClaimedByOther(keyID(ctx), s.now()) {
		return campaign.Errorf(campaign.CodeConflict, "%s handles the session until %s", v.ClaimedBy, v.ClaimedUntil.UTC().Format(time.RFC3339))
	}
	return nil
}

// take makes the caller the one who handles a session that a person has, for a
// while; it reports whether they did not before.
func (s *Server) take(ctx context.Context, v *campaign.Session) (bool, error) {
	if err := personHas(*v); err != nil {
		return false, err
	}
	if err := s.free(ctx, v); err != nil {
		return false, err
	}
	now := s.now()
	fresh := v.ClaimedID != keyID(ctx) || !v.Claimed(now)
	v.Claim(actor(ctx), keyID(ctx), now.Add(claimTime))
	return fresh, nil
}

type claimInput struct {
	ID   string `path:"id"`
	Body *struct {
		TakeOver bool `json:"take_over,omitempty" doc:"Take it from who handles it now; for admins."`
	}
}

func (s *Server) claim(ctx context.Context, in *claimInput) (*body[campaign.Session], error) {
	over := in.Body != nil && in.Body.TakeOver
	if id, _ := ctx.Value(identityKey{}).(identity); over && !id.role.may(Admin) {
		return nil, problem(http.StatusForbidden, "forbidden", "only an admin takes a session over from another operator")
	}
	return s.hand(ctx, in.ID, campaign.PersonClaim, func(v *campaign.Session) (*handing, error) {
		h := &handing{action: campaign.PersonClaim}
		if over && v.ClaimedByOther(keyID(ctx), s.now()) {
			h.action, h.reason = campaign.PersonTakeOver, v.ClaimedBy
			v.Claim("", "", time.Time{})
		}
		fresh, err := s.take(ctx, v)
		if err != nil || !fresh { // a claim that is renewed is no news
			return nil, err
		}
		return h, nil
	})
}

func (s *Server) unclaim(ctx context.Context, in *idInput) (*body[campaign.Session], error) {
	return s.hand(ctx, in.ID, campaign.PersonUnclaim, func(v *campaign.Session) (*handing, error) {
		if err := personHas(*v); err != nil {
			return nil, err
		}
		if !v.Claimed(s.now()) {
			return nil, campaign.Errorf(campaign.CodeConflict, "nobody handles the session")
		}
		if id, _ := ctx.Value(identityKey{}).(identity); !id.role.may(Admin) {
			if err := s.free(ctx, v); err != nil {
				return nil, err
			}
		}
		v.Claim("", "", time.Time{})
		return &handing{action: campaign.PersonUnclaim}, nil
	})
}

type handInput struct {
	ID   string `path:"id"`
	Body *struct {
		Reason string `json:"reason,omitempty" maxLength:"500" doc:"For the contact's timeline."`
	}
}

func (in *handInput) reason() string {
	if in.Body == nil {
		return ""
	}
	return in.Body.Reason
}

func (s *Server) handOff(ctx context.Context, in *handInput) (*body[campaign.Session], error) {
	return s.hand(ctx, in.ID, campaign.PersonHandOff, func(v *campaign.Session) (*handing, error) {
		if err := stillOpen(*v); err != nil {
			return nil, err
		}
		if v.Mode == campaign.ModeHuman {
			return nil, campaign.Errorf(campaign.CodeConflict, "a person has the session already")
		}
		v.Mode, v.Reason = campaign.ModeHuman, in.reason()
		v.Claim("", "", time.Time{})
		return &handing{action: campaign.PersonHandOff, reason: in.reason()}, nil
	})
}

func (s *Server) handBack(ctx context.Context, in *handInput) (*body[campaign.Session], error) {
	return s.hand(ctx, in.ID, campaign.PersonHandBack, func(v *campaign.Session) (*handing, error) {
		if err := stillOpen(*v); err != nil {
			return nil, err
		}
		if v.Mode != campaign.ModeHuman {
			return nil, campaign.Errorf(campaign.CodeConflict, "the session is with its agent already")
		}
		if err := s.free(ctx, v); err != nil {
			return nil, err
		}
		if v.AgentID == "" {
			return nil, campaign.Errorf(campaign.CodeConflict, "the session has no agent to hand it back to")
		}
		var last campaign.Author
		if n := len(v.Messages); n > 0 {
			last = v.Messages[n-1].Author
		}
		v.Mode, v.Reason = campaign.ModeAI, ""
		v.Claim("", "", time.Time{})
		return &handing{action: campaign.PersonHandBack, reason: in.reason(), asks: last == campaign.AuthorContact, last: last}, nil
	})
}
