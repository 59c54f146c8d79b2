package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"carillon/campaign"
)

// AddEvent commits an event of the inbox, once.
func (s *Store) AddEvent(ctx context.Context, e InboxEvent, m *campaign.Message, guard func(campaign.Session) error) ([]InboxEvent, error) {
	var added []InboxEvent
	err := s.write(ctx, func(c conn) error {
		added = nil
		var content string
		err := c.one(ctx, `select content from inbox where id = $1`, []any{e.ID}, &content)
		if !errors.Is(err, ErrNotFound) {
			return err
		}
		if guard != nil {
			v, err := c.session(ctx, e.SessionID, s.dialect.locked)
			if err != nil {
				return err
			}
			if err := guard(v); err != nil {
				return err
			}
		}
		if m != nil {
			content = m.Content
		}
		n, err := c.exec(ctx, `insert into inbox (id, contact_id, session_id, kind, payload, content, at, unmatched, next_try_at, tries)
			values ($1, $2, $3, $4, $5, $6, $7, '', $7, 0) on conflict do nothing`,
			e.ID, e.ContactID, e.SessionID, e.Kind, rawOr(e.Payload, "{}"), content, micros(e.At))
		if err != nil || n == 0 {
			return wrap(err, "add event %s", e.ID)
		}
		added = []InboxEvent{e}
		if e.OptOut != "" {
			contact, err := c.addressee(ctx, e.ContactID)
			if err != nil && !errors.Is(err, ErrNotFound) {
				return err
			}
			rows := suppressionsOf(contact.ExternalID, "", e.OptOut, "opt_out", micros(e.At))
			if err := c.addSuppressions(ctx, rows); err != nil {
				return err
			}
			ends, err := c.endCovered(ctx, rows, added, at(e.At))
			if err != nil {
				return err
			}
			if err := c.addEvents(ctx, ends); err != nil {
				return err
			}
			added = append(added, ends...)
		}
		if m == nil {
			return nil
		}
		one := *m
		if one.SessionID == "" {
			one.SessionID = e.SessionID
		}
		return wrap(c.addMessage(ctx, one), "add message %s", one.ID)
	})
	if err != nil {
		return nil, err
	}
	return added, nil
}

// addEvents commits events that carry no message; ones that are there already stay.
func (c conn) addEvents(ctx context.Context, events []InboxEvent) error {
	type eventJSON struct {
		ID        string `json:"id"`
		ContactID string `json:"contact_id"`
		SessionID string `json:"session_id"`
		Kind      string `json:"kind"`
		Payload   string `json:"payload"`
		At        int64  `json:"at"`
	}
	rows := make([]eventJSON, len(events))
	for i, e := range events {
		rows[i] = eventJSON{e.ID, e.ContactID, e.SessionID, e.Kind, rawOr(e.Payload, "{}"), micros(e.At)}
	}
	return bulk(ctx, c, `insert into inbox (id, contact_id, session_id, kind, payload, content, at, unmatched, next_try_at, tries)
		select id, contact_id, session_id, kind, payload, '', at, '', at, 0 from `+
		c.s.dialect.rows("id text, contact_id text, session_id text, kind text, payload text, at bigint")+`
		where true on conflict do nothing`, rows)
}

// wrap adds what was being done to an error that is one.
func wrap(err error, format string, args ...any) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf(format+": %w", append(args, err)...)
}

// UntakenEvents returns events no contact has taken: up to limit that are due,
// those that wait longest first, and with each what its contact was sent before
// it and has not taken either, so that a contact is told everything in its order.
func (s *Store) UntakenEvents(ctx context.Context, before time.Time, limit int) ([]InboxEvent, error) {
	events, err := collect(ctx, s.read(), `select i.id, coalesce(c.campaign_id, ''), i.contact_id, i.session_id, i.kind, i.payload, i.at
		from inbox i left join contacts c on c.id = i.contact_id
		join (select contact_id, max(at) as upto from (select contact_id, at from inbox
				where taken_at is null and unmatched = '' and next_try_at <= $1 order by next_try_at, at, id limit $2) as due
			group by contact_id) as d on d.contact_id = i.contact_id and i.at <= d.upto
		where i.taken_at is null and i.unmatched = '' order by i.at, i.id`, []any{micros(before), limit},
		func(row scanner) (e InboxEvent, err error) {
			var payload []byte
			var when int64
			err = row.Scan(&e.ID, &e.CampaignID, &e.ContactID, &e.SessionID, &e.Kind, &payload, &when)
			e.Payload, e.At = payload, fromMicros(when)
			return e, err
		})
	return events, wrap(err, "read untaken events")
}

// TryEvents says that events are delivered now; each is due again after 5 s, 10 s,
// 20 s and so on up to ten minutes, unless it is taken.
func (s *Store) TryEvents(ctx context.Context, ids []string, now time.Time) error {
	err := s.write(ctx, func(c conn) error {
		_, err := c.exec(ctx, `update inbox set tries = tries + 1, next_try_at = cast($2 as bigint) + case tries when 0 then 5 when 1 then 10 when 2 then 20
				when 3 then 40 when 4 then 80 when 5 then 160 when 6 then 320 else 600 end * 1000000
			where taken_at is null and `+s.dialect.in("id", "$1"), texts(ids), micros(now))
		return err
	})
	return wrap(err, "try %d events", len(ids))
}

// TakeEvents says that contacts have the events in their state.
func (s *Store) TakeEvents(ctx context.Context, ids []string) error {
	return wrap(s.direct().takeEvents(ctx, ids, s.now()), "take %d events", len(ids))
}

func (c conn) takeEvents(ctx context.Context, ids []string, now time.Time) error {
	if len(ids) == 0 {
		return nil
	}
	_, err := c.exec(ctx, `update inbox set taken_at = $2, unmatched = '' where taken_at is null and `+c.s.dialect.in("id", "$1"), texts(ids), micros(now))
	return err
}

// MarkUnmatched says that nobody could take an event, and why.
func (s *Store) MarkUnmatched(ctx context.Context, id, reason string) error {
	if reason == "" {
		reason = "unmatched"
	}
	return wrap(s.direct().markUnmatched(ctx, id, reason), "mark event %s unmatched", id)
}

func (c conn) markUnmatched(ctx context.Context, id, reason string) error {
	_, err := c.exec(ctx, `update inbox set unmatched = $2 where id = $1 and taken_at is null`, id, reason)
	return err
}

// UnmatchedEvents lists the events nobody could take, the newest first.
func (s *Store) UnmatchedEvents(ctx context.Context, p Page) (List[Unmatched], error) {
	var q query
	q.where("unmatched <> ''")
	items, err := list(ctx, s.read(), `select id, at, kind, contact_id, session_id, content, payload, unmatched from inbox`, &q, newest("at"), p,
		func(row scanner) (u Unmatched, at position, err error) {
			var when int64
			var payload []byte
			if err = row.Scan(&u.ID, &when, &u.Kind, &u.ContactID, &u.SessionID, &u.Content, &payload, &u.Reason); err != nil {
				return u, at, err
			}
			u.At = fromMicros(when)
			if u.Content == "" { // what a provider told of has its text in the event alone; an unreadable one is listed without
				e, _ := decode[campaign.Event](payload)
				u.Content = e.Content
			}
			return u, position{when, u.ID}, nil
		})
	return items, wrap(err, "list unmatched events")
}
