package store

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"carillon/campaign"
)

type suppressionJSON struct {
	ID         string `json:"id"`
	ExternalID string `json:"external_id"`
	Address    string `json:"address"`
	Channel    string `json:"channel"`
	Reason     string `json:"reason"`
	CreatedAt  int64  `json:"created_at"`

	// only, if not nil, are the sessions it may end: where somebody was written to in
	// place of the person (mode redirect), their word ends no other one.
	only []string
	but  string // a session it does not end
}

func (c conn) addSuppressions(ctx context.Context, rows []suppressionJSON) error {
	return bulk(ctx, c, `insert into suppressions (id, external_id, address, channel, reason, created_at)
		select id, external_id, address, channel, reason, created_at from `+
		c.s.dialect.rows("id text, external_id text, address text, channel text, reason text, created_at bigint")+`
		where true on conflict do nothing`, rows)
}

// suppressionsOf are the rows that leave a person and an address alone on every
// channel of the family.
func suppressionsOf(externalID, to string, ch campaign.Channel, reason string, now int64) []suppressionJSON {
	to = address(to)
	if externalID == "" && to == "" {
		return nil
	}
	var rows []suppressionJSON
	for _, member := range ch.Family() {
		rows = append(rows, suppressionJSON{ID: newID("sp_"), ExternalID: externalID, Address: to, Channel: string(member), Reason: cut(reason), CreatedAt: now})
	}
	return rows
}

// within has suppressions end no other sessions than these.
func within(only []string, rows []suppressionJSON) []suppressionJSON {
	for i := range rows {
		rows[i].only = only
	}
	return rows
}

// suppress notes whom an event says to leave alone: the address, after an
// opt-out the person too. It needs no message of ours: what a provider says of
// an address is true of it.
func (m *reporting) suppress(ctx context.Context, e *ProviderEvent, v *reportedSend) error {
	if e.Suppress == "" || m.again && v == nil {
		return nil
	}
	ch, to, person := e.Channel, e.Address, ""
	var only []string
	if v != nil {
		ch = campaign.Channel(v.Channel)
		if to == "" {
			to = v.Address
		} else if strings.HasPrefix(v.Address, "+") && address(v.Address) != address(to) { // WhatsApp knows the number under another one
			m.suppressions = append(m.suppressions, suppressionsOf("", v.Address, ch, e.Suppress, micros(m.now))...)
		}
		if e.Status == campaign.ReportOptOut {
			contact, err := m.c.addressee(ctx, v.ContactID)
			if err != nil && !errors.Is(err, ErrNotFound) {
				return err
			}
			person = contact.ExternalID
			if stands, err := m.redirected(ctx, &contact, v.SessionID, e.Address); err != nil {
				return err
			} else if stands {
				only = []string{v.SessionID}
			}
		}
	}
	m.suppressions = append(m.suppressions, within(only, suppressionsOf(person, to, ch, e.Suppress, micros(m.now)))...)
	return nil
}

// optOut leaves a person alone who wrote a word to stop, in a session if it is known.
func (m *reporting) optOut(ctx context.Context, contactID, sessionID, to string, ch campaign.Channel) error {
	contact, err := m.c.addressee(ctx, contactID)
	if err != nil && !errors.Is(err, ErrNotFound) {
		return err
	}
	rows := suppressionsOf(contact.ExternalID, to, ch, "opt_out", micros(m.now))
	if stands, err := m.redirected(ctx, &contact, sessionID, to); err != nil {
		return err
	} else if stands {
		rows = within([]string{sessionID}, rows)
	}
	m.suppressions = append(m.suppressions, rows...)
	return nil
}

// redirected reports that messages to a contact, in the session if it is known,
// went to an address that is not theirs, as in mode redirect, and that whoever asks
// to be left alone does so from none of theirs: they only stand in for the contact.
func (m *reporting) redirected(ctx context.Context, contact *campaign.Contact, sessionID, from string) (bool, error) {
	theirs := []string{address(contact.Email), address(contact.Phone), address(contact.TelegramChatID)}
	if sessionID != "" {
		s, err := m.c.session(ctx, sessionID, "")
		if err != nil && !errors.Is(err, ErrNotFound) {
			return false, err
		}
		theirs = append(theirs, address(s.Address))
	}
	if from = address(from); from != "" && slices.Contains(theirs, from) {
		return false, nil
	}
	sent, err := m.c.sentTo(ctx, contact.ID, sessionID)
	if err != nil {
		return false, err
	}
	return len(sent) > 0 && !slices.ContainsFunc(sent, func(to string) bool { return slices.Contains(theirs, address(to)) }), nil
}

// sentTo returns where messages to a contact went, in one session or all told, the
// newest first.
func (c conn) sentTo(ctx context.Context, contactID, sessionID string) ([]string, error) {
	return collect(ctx, c, `select address from sends where contact_id = $1 and address <> '' and (session_id = $2 or $2 = '')
		group by address order by max(created_at) desc limit 100`, []any{contactID, sessionID}, scanText)
}

// talksAt returns the sessions of a contact whose messages went to the addresses.
func (c conn) talksAt(ctx context.Context, contactID string, to []string) ([]string, error) {
	return collect(ctx, c, `select session_id from sends where contact_id = $1 and session_id <> '' and `+c.s.dialect.in("address", "$2")+`
		group by session_id`, []any{contactID, texts(to)}, scanText)
}

// Unsubscribe leaves a person alone who asked for it.
func (s *Store) Unsubscribe(ctx context.Context, u Unsubscription) ([]InboxEvent, error) {
	now := at(u.At)
	payload, err := json.Marshal(campaign.Event{ID: u.EventID, Kind: campaign.EventDelivery, Delivery: campaign.ReportOptOut, Reason: u.Reason})
	if err != nil {
		return nil, err
	}
	e := InboxEvent{ID: u.EventID, ContactID: u.ContactID, Kind: string(campaign.EventDelivery), Payload: payload, At: now}
	var told []InboxEvent
	err = s.write(ctx, func(c conn) error {
		told = nil
		contact, err := c.addressee(ctx, u.ContactID)
		if err != nil {
			return err
		}
		rows := suppressionsOf(contact.ExternalID, u.Address, u.Channel, u.Reason, micros(now))
		sent, err := c.sentTo(ctx, u.ContactID, "")
		if err != nil {
			return err
		}
		if len(sent) > 0 && !slices.ContainsFunc(sent, func(to string) bool { return address(to) == address(u.Address) }) { // mode redirect: somebody else has the link
			only, err := c.talksAt(ctx, u.ContactID, sent)
			if err != nil {
				return err
			}
			rows = within(only, rows)
		}
		if err := c.addSuppressions(ctx, rows); err != nil {
			return err
		}
		n, err := c.exec(ctx, `insert into inbox (id, contact_id, session_id, kind, payload, content, at, unmatched, next_try_at, tries)
			values ($1, $2, '', $3, $4, '', $5, '', $5, 0) on conflict do nothing`, e.ID, e.ContactID, e.Kind, string(payload), micros(now))
		if err != nil {
			return err
		}
		if n == 1 {
			told = []InboxEvent{e}
		}
		ends, err := c.endCovered(ctx, rows, []InboxEvent{e}, now)
		if err != nil {
			return err
		}
		told = append(told, ends...)
		return c.addEvents(ctx, ends)
	})
	if err != nil {
		return nil, wrap(err, "unsubscribe contact %s", u.ContactID)
	}
	return told, nil
}

// Addresses returns where messages to a contact were sent.
func (s *Store) Addresses(ctx context.Context, contactID string) ([]string, error) {
	found, err := s.read().sentTo(ctx, contactID, "")
	return found, wrap(err, "read addresses of contact %s", contactID)
}

// HearEvent takes an event of a contact that no workflow runs.
func (s *Store) HearEvent(ctx context.Context, id, contactID string, hear func(*campaign.Contact) []campaign.Decision) error {
	err := s.write(ctx, func(c conn) error {
		r, err := c.lockContact(ctx, contactID)
		if err != nil {
			return err
		}
		if r.workflow() {
			return fmt.Errorf("%w: its workflow owns it", ErrConflict)
		}
		var waits int
		if err := c.one(ctx, `select count(*) from inbox where id = $1 and taken_at is null`, []any{id}, &waits); err != nil || waits == 0 {
			return err
		}
		if err := c.takeEvents(ctx, []string{id}, s.now()); err != nil {
			return err
		}
		before := r.contact.Clone()
		decisions := hear(&r.contact)
		if len(decisions) == 0 {
			return nil
		}
		r.touch(s.now())
		return c.saveContact(ctx, &before, &r, decisions)
	})
	return wrap(err, "hear event %s of contact %s", id, contactID)
}

// WorkspaceSecret returns a secret of the workspace, making it if there is none.
func (s *Store) WorkspaceSecret(ctx context.Context, name string) ([]byte, error) {
	const owner, id = "workspace", ""
	read := func(c conn) ([]byte, error) {
		var sealed []byte
		if err := c.one(ctx, `select sealed from secrets where owner = $1 and owner_id = $2 and name = $3`, []any{owner, id, name}, &sealed); err != nil {
			return nil, err
		}
		plain, err := s.box.open(place(owner, id, name), sealed)
		if err != nil {
			return nil, err
		}
		return base64.StdEncoding.DecodeString(plain)
	}
	secret, err := read(s.read())
	if !errors.Is(err, ErrNotFound) {
		return secret, wrap(err, "read workspace secret %s", name)
	}
	err = s.write(ctx, func(c conn) error {
		fresh := make([]byte, 32)
		_, _ = rand.Read(fresh) // never fails
		sealed, err := s.box.seal(place(owner, id, name), base64.StdEncoding.EncodeToString(fresh))
		if err != nil {
			return err
		}
		if _, err := c.exec(ctx, `insert into secrets (owner, owner_id, name, sealed) values ($1, $2, $3, $4) on conflict do nothing`, owner, id, name, sealed); err != nil {
			return err
		}
		secret, err = read(c)
		return err
	})
	return secret, wrap(err, "make workspace secret %s", name)
}
