package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"carillon/campaign"
)

// inboxOrder puts those first whose contact waits, the longest wait before others.
var inboxOrder = order{columns: []string{"inbox_idle", "inbox_since", "id"}}

// Inbox lists the open sessions that people have.
func (s *Store) Inbox(ctx context.Context, f InboxFilter, p Page) (List[campaign.Session], error) {
	var q query
	q.where("inbox_idle is not null")
	q.equal("campaign_id", f.CampaignID)
	if len(f.StageNames) > 0 {
		q.where(s.dialect.in("stage_name", "?"), texts(f.StageNames))
	}
	q.equal("channel", string(f.Channel))
	now := micros(f.Now) // not part of the list's name: it moves on from page to page
	q.equal("claimed_by", f.ClaimedID)
	if f.ClaimedID != "" || f.Claim == "claimed" {
		q.and("claimed_until > ?", now)
	}
	if f.Claim == "open" {
		q.and("(claimed_until is null or claimed_until <= ?)", now)
	}
	fmt.Fprintf(&q.list, "%s;", f.Claim)
	if !f.DueBefore.IsZero() {
		q.where("due_at < ?", micros(f.DueBefore))
	}
	items, err := list(ctx, s.read(), `select `+sessionColumns+` from sessions`, &q, inboxOrder, p,
		func(row scanner) (campaign.Session, position, error) {
			v, err := scanSession(row)
			idle, since := int64(0), v.WaitingSince
			if since == nil {
				idle, since = 1, v.LastMessageAt
			}
			if since == nil {
				since = &v.CreatedAt
			}
			return v, position{idle, micros(*since), v.ID}, err
		})
	return items, wrap(err, "list the inbox")
}

// lastWord finds what was said last: what the contact never got was not said.
const lastWord = `case when author <> 'contact' and delivery = 'failed' then 1 else 0 end, at desc, seq desc limit 1`

// HandSession changes an open session as a person does.
func (s *Store) HandSession(ctx context.Context, id string, now time.Time, change func(*campaign.Session) (*InboxEvent, error)) (campaign.Session, *Grant, error) {
	var v campaign.Session
	var granted *Grant
	now = at(now)
	err := s.write(ctx, func(c conn) (err error) {
		granted = nil
		if v, err = c.session(ctx, id, s.dialect.locked); err != nil {
			return err
		}
		if v.Messages, err = c.messages(ctx, id, lastWord); err != nil {
			return err
		}
		was := v.Mode
		event, err := change(&v)
		if err != nil {
			return err
		}
		v.Messages = []campaign.Message{}
		switch {
		case was != campaign.ModeHuman && v.Mode == campaign.ModeHuman:
			v.WaitingSince = &now
			granted, err = c.releaseOfSession(ctx, &v, now)
		case was == campaign.ModeHuman && v.Mode != campaign.ModeHuman:
			v.WaitingSince = nil
			err = c.takeBack(ctx, &v, now)
		}
		if err != nil {
			return err
		}
		if event != nil {
			v.Wait(now) // as its contact does
		}
		if err := c.putSession(ctx, v); err != nil || event == nil {
			return err
		}
		return c.addEvents(ctx, []InboxEvent{*event})
	})
	if _, ours := errors.AsType[*campaign.Error](err); ours {
		return campaign.Session{}, nil, err
	}
	if err != nil {
		return campaign.Session{}, nil, fmt.Errorf("hand session %s: %w", id, err)
	}
	return v, granted, nil
}
