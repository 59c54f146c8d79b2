package store

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"carillon/campaign"
)

// OpenSession adds a session; one that is there already stays.
func (s *Store) OpenSession(ctx context.Context, v campaign.Session) error {
	if err := s.write(ctx, func(c conn) error { return c.openSession(ctx, v) }); err != nil {
		return fmt.Errorf("open session %s: %w", v.ID, err)
	}
	return nil
}

func (c conn) openSession(ctx context.Context, v campaign.Session) error {
	messages := v.Messages
	if v.Status == "" {
		v.Status = campaign.SessionOpen
	}
	if v.CreatedAt.IsZero() {
		v.CreatedAt = c.s.now()
	}
	if v.Mode == campaign.ModeHuman && v.WaitingSince == nil {
		v.WaitingSince = &v.CreatedAt
	}
	v.Wait(v.CreatedAt)
	due := v.DueAt
	doc, err := sessionDoc(&v)
	if err != nil {
		return err
	}
	n, err := c.exec(ctx, `insert into sessions (id, campaign_id, contact_id, communication_id, agent_id, integration_id, address,
			mode, status, outcome, created_at, last_message_at, ended_at, granted, doc, stage_name, channel, claimed_by, claimed_until, waiting_since, timeout, due_at)
		values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, '', $14, $15, $16, $17, $18, $19, $20, $21) on conflict do nothing`,
		v.ID, v.CampaignID, v.ContactID, v.CommunicationID, v.AgentID, v.IntegrationID, cut(v.Address),
		string(v.Mode), string(v.Status), string(v.Status.RollUp()), micros(v.CreatedAt), microsPtr(v.LastMessageAt), microsPtr(v.EndedAt), doc,
		v.StageName, string(v.Channel), v.ClaimedID, microsPtr(v.ClaimedUntil), microsPtr(v.WaitingSince), time.Duration(v.Timeout).Microseconds(), microsPtr(due))
	if err != nil || n == 0 {
		return err
	}
	if v.Late && v.Mode == campaign.ModeAI { // it is answered at once, over the agent's limit if need be
		if err := c.retake(ctx, &v, v.CreatedAt); err != nil {
			return err
		}
	}
	for _, m := range messages {
		m.SessionID = v.ID
		if err := c.addMessage(ctx, m); err != nil {
			return err
		}
	}
	return nil
}

// sessionDoc is a session's JSON without its messages, which have their own table.
func sessionDoc(v *campaign.Session) (string, error) {
	v.CreatedAt, v.LastMessageAt, v.EndedAt, v.Messages = at(v.CreatedAt), atPtr(v.LastMessageAt), atPtr(v.EndedAt), nil
	v.ClaimedUntil, v.WaitingSince, v.DueAt = atPtr(v.ClaimedUntil), atPtr(v.WaitingSince), nil
	return encode(v)
}

const sessionColumns = `doc, last_message_at, waiting_since, due_at`

// scanSession reads a session; when its last message came, since when that waits
// for a person, and until when for anybody, is in columns, so that a message need not write the document.
func scanSession(row scanner) (v campaign.Session, err error) {
	var doc []byte
	var last, waiting, due *int64
	if err = row.Scan(&doc, &last, &waiting, &due); err != nil {
		return v, err
	}
	v, err = decode[campaign.Session](doc)
	v.LastMessageAt, v.WaitingSince, v.Messages = fromMicrosPtr(last), fromMicrosPtr(waiting), []campaign.Message{}
	v.DueAt = fromMicrosPtr(due)
	return v, err
}

func (c conn) session(ctx context.Context, id, locked string) (v campaign.Session, err error) {
	found, err := collect(ctx, c, `select `+sessionColumns+` from sessions where id = $1`+locked, []any{id}, scanSession)
	if err == nil && len(found) == 0 {
		err = ErrNotFound
	}
	if err != nil {
		return v, fmt.Errorf("read session %s: %w", id, err)
	}
	return found[0], nil
}

// Session reads a session with its messages.
func (s *Store) Session(ctx context.Context, id string) (campaign.Session, error) {
	v, err := s.read().session(ctx, id, "")
	if err != nil {
		return v, err
	}
	v.Messages, err = s.read().messages(ctx, id, `at, seq`)
	return v, err
}

// messages reads the messages of a session in an order, which may end in a limit.
func (c conn) messages(ctx context.Context, sessionID, order string) ([]campaign.Message, error) {
	found, err := collect(ctx, c, `select id, session_id, author, content, at, delivery, provider_message_id, reason
		from messages where session_id = $1 order by `+order, []any{sessionID}, func(row scanner) (m campaign.Message, err error) {
		var when int64
		err = row.Scan(&m.ID, &m.SessionID, &m.Author, &m.Content, &when, &m.Delivery, &m.ProviderMessageID, &m.Reason)
		m.At = fromMicros(when)
		return m, err
	})
	return found, wrap(err, "read messages of session %s", sessionID)
}

// Sessions lists sessions, the newest first.
func (s *Store) Sessions(ctx context.Context, f SessionFilter, p Page) (List[campaign.Session], error) {
	var q query
	q.equal("campaign_id", f.CampaignID)
	q.equal("agent_id", f.AgentID)
	q.equal("contact_id", f.ContactID)
	q.equal("integration_id", f.IntegrationID)
	if f.Address != "" {
		q.where("address = ? and address <> ''", cut(f.Address))
	}
	q.equal("status", string(f.Status))
	q.equal("mode", string(f.Mode))
	if f.Outcome != "" {
		q.where("outcome = ? and outcome <> ''", string(f.Outcome))
	}
	items, err := list(ctx, s.read(), `select `+sessionColumns+` from sessions`, &q, newest("created_at"), p,
		func(row scanner) (campaign.Session, position, error) {
			v, err := scanSession(row)
			return v, position{micros(v.CreatedAt), v.ID}, err
		})
	if err != nil {
		return items, fmt.Errorf("list sessions: %w", err)
	}
	return items, nil
}

// UpdateSession changes a session; change sees it without its messages.
func (s *Store) UpdateSession(ctx context.Context, id string, change func(*campaign.Session) error) (campaign.Session, error) {
	var v campaign.Session
	err := s.write(ctx, func(c conn) (err error) {
		if v, err = c.session(ctx, id, s.dialect.locked); err != nil {
			return err
		}
		was := v
		if err := change(&v); err != nil {
			return err
		}
		v.ID, v.CampaignID, v.ContactID, v.CommunicationID, v.CreatedAt = was.ID, was.CampaignID, was.ContactID, was.CommunicationID, was.CreatedAt
		return c.putSession(ctx, v)
	})
	if err != nil {
		return campaign.Session{}, err
	}
	return v, nil
}

func (c conn) putSession(ctx context.Context, v campaign.Session) error {
	due := v.DueAt
	doc, err := sessionDoc(&v)
	if err != nil {
		return err
	}
	_, err = c.exec(ctx, `update sessions set agent_id = $2, integration_id = $3, address = $4, mode = $5, status = $6,
		outcome = $7, last_message_at = $8, ended_at = $9, doc = $10, stage_name = $11, channel = $12, claimed_by = $13, claimed_until = $14,
		waiting_since = $15, timeout = $16, due_at = $17 where id = $1`,
		v.ID, v.AgentID, v.IntegrationID, cut(v.Address), string(v.Mode), string(v.Status),
		string(v.Status.RollUp()), microsPtr(v.LastMessageAt), microsPtr(v.EndedAt), doc, v.StageName, string(v.Channel), v.ClaimedID,
		microsPtr(v.ClaimedUntil), microsPtr(v.WaitingSince), time.Duration(v.Timeout).Microseconds(), microsPtr(due))
	if err != nil {
		return fmt.Errorf("update session %s: %w", v.ID, err)
	}
	return nil
}

// CloseSession ends an open session and passes its agent's place on. Closed
// again, it changes nothing and returns the same grant.
func (s *Store) CloseSession(ctx context.Context, id string, status campaign.SessionStatus, results campaign.Dict, reason string, when time.Time) (*Grant, error) {
	var granted *Grant
	err := s.write(ctx, func(c conn) error {
		granted = nil
		v, err := c.session(ctx, id, s.dialect.locked)
		if err != nil {
			return err
		}
		if v.Status != campaign.SessionOpen {
			granted, err = c.grantedBy(ctx, id)
			return err
		}
		v.Status, v.Reason, v.EndedAt = status, reason, atPtr(&when)
		v.Results = mergeResults(v.Results, results)
		if err := c.putSession(ctx, v); err != nil {
			return err
		}
		if granted, err = c.releaseOfSession(ctx, &v, at(when)); err != nil || granted == nil {
			return err
		}
		text, err := encode(granted)
		if err != nil {
			return err
		}
		_, err = c.exec(ctx, `update sessions set granted = $2 where id = $1`, id, text)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("close session %s: %w", id, err)
	}
	return granted, nil
}

func (c conn) grantedBy(ctx context.Context, sessionID string) (*Grant, error) {
	var text string
	if err := c.one(ctx, `select granted from sessions where id = $1`, []any{sessionID}, &text); err != nil {
		return nil, err
	}
	return readGrant(text)
}

func readGrant(text string) (*Grant, error) {
	if text == "" {
		return nil, nil
	}
	g, err := decode[Grant](json.RawMessage(text))
	return &g, err
}
