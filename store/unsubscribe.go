package store

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
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
		rows = append(rows, suppressionJSON{newID("sp_"), externalID, to, string(member), cut(reason), now})
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
		}
	}
	m.suppressions = append(m.suppressions, suppressionsOf(person, to, ch, e.Suppress, micros(m.now))...)
	return nil
}

// optOut leaves a person alone who wrote a word to stop.
func (m *reporting) optOut(ctx context.Context, contactID, to string, ch campaign.Channel) error {
	contact, err := m.c.addressee(ctx, contactID)
	if err != nil && !errors.Is(err, ErrNotFound) {
		return err
	}
	m.suppressions = append(m.suppressions, suppressionsOf(contact.ExternalID, to, ch, "opt_out", micros(m.now))...)
	return nil
}

// Unsubscribe leaves a person alone who asked for it.
func (s *Store) Unsubscribe(ctx context.Context, u Unsubscription) (*InboxEvent, error) {
	now := at(u.At)
	payload, err := json.Marshal(campaign.Event{ID: u.EventID, Kind: campaign.EventDelivery, Delivery: campaign.ReportOptOut, Reason: u.Reason})
	if err != nil {
		return nil, err
	}
	e := InboxEvent{ID: u.EventID, ContactID: u.ContactID, Kind: string(campaign.EventDelivery), Payload: payload, At: now}
	fresh := false
	err = s.write(ctx, func(c conn) error {
		contact, err := c.addressee(ctx, u.ContactID)
		if err != nil {
			return err
		}
		if err := c.addSuppressions(ctx, suppressionsOf(contact.ExternalID, u.Address, u.Channel, u.Reason, micros(now))); err != nil {
			return err
		}
		n, err := c.exec(ctx, `insert into inbox (id, contact_id, session_id, kind, payload, content, at, unmatched, next_try_at, tries)
			values ($1, $2, '', $3, $4, '', $5, '', $5, 0) on conflict do nothing`, e.ID, e.ContactID, e.Kind, string(payload), micros(now))
		fresh = n == 1
		return err
	})
	if err != nil || !fresh {
		return nil, wrap(err, "unsubscribe contact %s", u.ContactID)
	}
	return &e, nil
}

// Addresses returns where messages to a contact were sent.
func (s *Store) Addresses(ctx context.Context, contactID string) ([]string, error) {
	found, err := collect(ctx, s.read(), `select address from sends where contact_id = $1 and address <> ''
		group by address order by max(created_at) desc limit 100`, []any{contactID}, scanText)
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
