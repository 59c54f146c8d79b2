package store

import (
	"context"
	"errors"
	"time"

	"carillon/campaign"
)

// A lease is an agent's place taken by a communication. Its row stays when it is
// released: rows since midnight UTC are the agent's day, without one hot counter,
// and who got the place is told again to a caller that was killed.

// Acquire takes a place of the agent, or a turn in its queue.
func (s *Store) Acquire(ctx context.Context, g Grant, maxSessions, dailySessions *int, now time.Time) (bool, error) {
	got := false
	err := s.write(ctx, func(c conn) error {
		got = false
		if maxSessions != nil || dailySessions != nil {
			if err := c.lockAgent(ctx, g.AgentID); err != nil {
				return err
			}
		}
		holder, err := c.leaseHolder(ctx, g.CommunicationID)
		if err != nil {
			return err
		}
		if holder == g.AgentID {
			got = true
			return nil
		}
		if holder == "" {
			if got, err = c.free(ctx, g.AgentID, maxSessions, dailySessions, now); err != nil {
				return err
			}
		}
		if got {
			return c.lease(ctx, g, now)
		}
		_, err = c.exec(ctx, `insert into agent_waiters (communication_id, agent_id, campaign_id, contact_id, since)
			values ($1, $2, $3, $4, $5) on conflict (communication_id) do update set agent_id = excluded.agent_id`,
			g.CommunicationID, g.AgentID, g.CampaignID, g.ContactID, micros(now))
		return err
	})
	return got && err == nil, wrap(err, "acquire agent %s for %s", g.AgentID, g.CommunicationID)
}

// lockAgent keeps the others of an agent out until the transaction ends.
func (c conn) lockAgent(ctx context.Context, agentID string) error {
	if !c.s.dialect.postgres() {
		return nil // a writing transaction is alone
	}
	var done string
	return c.one(ctx, `select cast(pg_advisory_xact_lock(hashtextextended($1, 7)) as text)`, []any{agentID}, &done)
}

// leaseHolder returns the agent whose place the communication has, or "".
func (c conn) leaseHolder(ctx context.Context, communicationID string) (string, error) {
	var agentID string
	err := c.one(ctx, `select agent_id from agent_leases where communication_id = $1 and released_at is null`, []any{communicationID}, &agentID)
	if errors.Is(err, ErrNotFound) {
		return "", nil
	}
	return agentID, err
}

// free reports whether the agent has a place left, now and today.
func (c conn) free(ctx context.Context, agentID string, maxSessions, dailySessions *int, now time.Time) (bool, error) {
	var n int
	if maxSessions != nil {
		err := c.one(ctx, `select count(*) from agent_leases where agent_id = $1 and released_at is null`, []any{agentID}, &n)
		if err != nil || n >= *maxSessions {
			return false, err
		}
	}
	if dailySessions != nil {
		midnight := now.UTC().Truncate(24 * time.Hour)
		err := c.one(ctx, `select count(*) from agent_leases where agent_id = $1 and since >= $2`, []any{agentID, micros(midnight)}, &n)
		if err != nil || n >= *dailySessions {
			return false, err
		}
	}
	return true, nil
}

func (c conn) lease(ctx context.Context, g Grant, now time.Time) error {
	if _, err := c.exec(ctx, `delete from agent_waiters where communication_id = $1`, g.CommunicationID); err != nil {
		return err
	}
	_, err := c.exec(ctx, `insert into agent_leases (communication_id, agent_id, campaign_id, contact_id, since, released_at, granted)
		values ($1, $2, $3, $4, $5, null, '')
		on conflict (communication_id) do update set agent_id = excluded.agent_id, since = excluded.since, released_at = null, granted = ''`,
		g.CommunicationID, g.AgentID, g.CampaignID, g.ContactID, micros(now))
	return err
}

// Release frees the communication's place or its turn; maxSessions, if nil, is the
// agent's own. Released again, it changes nothing and returns the same grant.
func (s *Store) Release(ctx context.Context, communicationID string, maxSessions *int) (*Grant, error) {
	var granted *Grant
	err := s.write(ctx, func(c conn) (err error) {
		granted, err = c.release(ctx, communicationID, s.now(), maxSessions)
		return err
	})
	if err != nil {
		return nil, wrap(err, "release the agent of %s", communicationID)
	}
	return granted, nil
}

// retake gives a session's agent its place back, whether one is free or not: the
// session goes on, and the agent's next one waits for it.
func (c conn) retake(ctx context.Context, v *campaign.Session, now time.Time) error {
	if v.AgentID == "" {
		return nil
	}
	if err := c.lockAgent(ctx, v.AgentID); err != nil {
		return err
	}
	n, err := c.exec(ctx, `update agent_leases set released_at = null, granted = '' where communication_id = $1 and agent_id = $2`, v.CommunicationID, v.AgentID)
	if err != nil || n > 0 { // it counts for the day it was begun on
		return err
	}
	return c.lease(ctx, Grant{AgentID: v.AgentID, CampaignID: v.CampaignID, ContactID: v.ContactID, CommunicationID: v.CommunicationID}, now)
}

// takeBack gives a session's agent a place again if one is free.
func (c conn) takeBack(ctx context.Context, v *campaign.Session, now time.Time) error {
	agent, err := named[campaign.Agent](ctx, c, "agents", v.AgentID)
	if errors.Is(err, ErrNotFound) {
		return campaign.Errorf(campaign.CodeConflict, "the agent of the session is deleted: reply yourself, or resolve it")
	}
	if err != nil {
		return err
	}
	if err := c.lockAgent(ctx, agent.ID); err != nil {
		return err
	}
	free, err := c.free(ctx, agent.ID, agent.MaxSessions, nil, now)
	if err != nil {
		return err
	}
	if !free {
		return campaign.Errorf(campaign.CodeConflict, "the agent %s has all its %d places in use: try again when one of its sessions has ended", agent.Name, *agent.MaxSessions)
	}
	return c.retake(ctx, v, now)
}

// releaseOfSession frees the place of a session that ended.
func (c conn) releaseOfSession(ctx context.Context, v *campaign.Session, now time.Time) (*Grant, error) {
	if v.AgentID == "" {
		return nil, nil
	}
	return c.release(ctx, v.CommunicationID, now, nil)
}

func (c conn) release(ctx context.Context, communicationID string, now time.Time, maxSessions *int) (*Grant, error) {
	if _, err := c.exec(ctx, `delete from agent_waiters where communication_id = $1`, communicationID); err != nil {
		return nil, err
	}
	var agentID, granted string
	err := c.one(ctx, `select agent_id, granted from agent_leases where communication_id = $1`, []any{communicationID}, &agentID, &granted)
	if errors.Is(err, ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	if err := c.lockAgent(ctx, agentID); err != nil {
		return nil, err
	}
	n, err := c.exec(ctx, `update agent_leases set released_at = $2 where communication_id = $1 and released_at is null`, communicationID, micros(now))
	if err != nil {
		return nil, err
	}
	if n == 0 {
		return readGrant(granted)
	}
	next, err := c.grantNext(ctx, agentID, now, maxSessions)
	if err != nil || next == nil {
		return nil, err
	}
	text, err := encode(next)
	if err != nil {
		return nil, err
	}
	_, err = c.exec(ctx, `update agent_leases set granted = $2 where communication_id = $1`, communicationID, text)
	return next, err
}

// grantNext gives a free place to who waits longest, and tells it through the
// inbox. An agent that was deleted has no limits.
func (c conn) grantNext(ctx context.Context, agentID string, now time.Time, maxSessions *int) (*Grant, error) {
	g := Grant{AgentID: agentID}
	err := c.one(ctx, `select campaign_id, contact_id, communication_id from agent_waiters where agent_id = $1 order by seq limit 1`,
		[]any{agentID}, &g.CampaignID, &g.ContactID, &g.CommunicationID)
	if errors.Is(err, ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	agent, err := named[campaign.Agent](ctx, c, "agents", agentID)
	if err != nil && !errors.Is(err, ErrNotFound) {
		return nil, err
	}
	if maxSessions == nil {
		maxSessions = agent.MaxSessions
	}
	free, err := c.free(ctx, agentID, maxSessions, agent.DailySessions, now)
	if err != nil || !free {
		return nil, err
	}
	if err := c.lease(ctx, g, now); err != nil {
		return nil, err
	}
	return &g, c.addEvents(ctx, []InboxEvent{g.InboxEvent(now)})
}

// GrantFree gives every free place of an agent to who waits for it: places that
// came free without a release, because a limit was raised or a day began.
func (s *Store) GrantFree(ctx context.Context, now time.Time) ([]Grant, error) {
	agents, err := collect(ctx, s.read(), `select distinct agent_id from agent_waiters`, nil, func(row scanner) (id string, err error) {
		return id, row.Scan(&id)
	})
	if err != nil {
		return nil, wrap(err, "read waiting communications")
	}
	var granted []Grant
	for _, id := range agents {
		for next := (*Grant)(&Grant{}); next != nil; {
			err := s.write(ctx, func(c conn) (err error) {
				if err = c.lockAgent(ctx, id); err == nil {
					next, err = c.grantNext(ctx, id, at(now), nil)
				}
				return err
			})
			if err != nil {
				return granted, wrap(err, "grant places of agent %s", id)
			}
			if next != nil {
				granted = append(granted, *next)
			}
		}
	}
	return granted, nil
}
