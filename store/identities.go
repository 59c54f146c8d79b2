package store

import (
	"context"
	"errors"
	"slices"
	"strings"

	"carillon/campaign"
)

// identity takes who a person is to a provider: where a contact can be written
// to, if a token of ours proves whose it is, and that nobody wants to be any more.
func (m *reporting) identity(ctx context.Context, e *ProviderEvent) error {
	id := e.Identity
	if id == nil || m.again {
		return nil
	}
	if err := m.suppress(ctx, e, nil); err != nil {
		return err
	}
	if !id.Blocked { // somebody is there: that nobody was is over
		if _, err := m.c.exec(ctx, `delete from suppressions where address = $1 and address <> '' and channel = $2 and reason = 'bounced' and external_id = ''`,
			address(e.Address), string(e.Channel)); err != nil {
			return err
		}
	}
	people, err := m.known(ctx, e)
	if err != nil {
		return err
	}
	for _, contactID := range people {
		contact, err := m.c.addressee(ctx, contactID)
		if errors.Is(err, ErrNotFound) || err == nil && contact.ExternalID == Erased {
			continue // the token is of somebody who is gone
		} else if err != nil {
			return err
		}
		if e.ContactID == "" {
			e.ContactID = contactID
		}
		if err := m.keepIdentity(ctx, e, contactID, id.ContactID != ""); err != nil {
			return err
		}
		if id.Blocked {
			rows := suppressionsOf(contact.ExternalID, "", e.Channel, e.Suppress, micros(m.now))
			if address(contact.TelegramChatID) != address(e.Address) { // mode redirect: the chat is somebody else's
				only, err := m.c.talksAt(ctx, contactID, []string{e.Address})
				if err != nil {
					return err
				}
				rows = within(only, rows)
			}
			m.suppressions = append(m.suppressions, rows...)
			err = m.tellOne(contactID, reportEventID(e.IntegrationID, e.Key+"\n"+contactID), campaign.Event{
				Kind: campaign.EventDelivery, Delivery: campaign.ReportOptOut, Reason: cut(e.Reason),
			})
		} else if id.ContactID != "" {
			err = m.tell(e, campaign.Event{Kind: campaign.EventLinked, Linked: &campaign.Linked{Channel: e.Channel, Address: e.Address, Name: cut(id.Name)}})
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// known is whom an event may be about: the contact that a token proves, else
// those that were found under the address or the ids before.
func (m *reporting) known(ctx context.Context, e *ProviderEvent) ([]string, error) {
	ids := []string{cut(e.Address)}
	if id := e.Identity; id != nil {
		if id.ContactID != "" {
			return []string{id.ContactID}, nil
		}
		ids = append(ids, cut(id.UserID), cut(id.Previous))
	}
	if ids = unique(ids); ids[0] == "" {
		ids = ids[1:]
	}
	if len(ids) == 0 {
		return nil, nil
	}
	in := m.c.s.dialect.in
	return collect(ctx, m.c, `select contact_id from identities where integration_id = $1 and user_id <> '' and `+in("user_id", "$2")+`
		union select contact_id from identities where integration_id = $1 and address <> '' and `+in("address", "$3")+`
		union select contact_id from sessions where integration_id = $1 and address <> '' and `+in("lower(address)", "$3")+`
		order by contact_id`, []any{e.IntegrationID, texts(ids), strings.ToLower(texts(ids))}, scanText)
}

// keepIdentity keeps what an event says of a contact.
func (m *reporting) keepIdentity(ctx context.Context, e *ProviderEvent, contactID string, proven bool) error {
	var linked, blocked *int64
	when := micros(e.At)
	if proven {
		linked = &when
	}
	if e.Identity.Blocked {
		blocked = &when
	}
	_, err := m.c.exec(ctx, `insert into identities (integration_id, contact_id, user_id, address, name, at, linked_at, blocked_at)
		values ($1, $2, $3, $4, $5, $6, $7, $8)
		on conflict (integration_id, contact_id) do update set
			user_id = case excluded.user_id when '' then identities.user_id else excluded.user_id end,
			address = case excluded.address when '' then identities.address else excluded.address end,
			name = case excluded.name when '' then identities.name else excluded.name end,
			at = excluded.at, linked_at = coalesce(excluded.linked_at, identities.linked_at), blocked_at = excluded.blocked_at`,
		e.IntegrationID, contactID, cut(e.Identity.UserID), cut(address(e.Address)), cut(e.Identity.Name), when, linked, blocked)
	return err
}

// routeKnown finds the session of a message by who its sender is to the provider.
func (m *reporting) routeKnown(ctx context.Context, e *ProviderEvent) (*campaign.Session, error) {
	people, err := m.known(ctx, e)
	if err != nil || len(people) == 0 {
		return nil, err
	}
	which, args := m.c.s.dialect.in("contact_id", "$2"), []any{e.IntegrationID, texts(people)}
	if e.Channel == campaign.Telegram { // a chat is not another number of its person: who opened this one by our link may be somebody else
		which, args = which+` and (address = '' or lower(address) = $3)`, append(args, strings.ToLower(e.Address))
	}
	found, err := collect(ctx, m.c, `select `+sessionColumns+` from sessions where integration_id = $1 and `+which+newestTalk, args, scanSession)
	if err != nil || len(found) == 0 {
		return nil, err
	}
	s := &found[0]
	if elsewhere(e.Address, s.Address) && slices.Contains(campaign.WhatsAppMeta.Family(), s.Channel) { // they have another number by now
		s.Address = e.Address
		return s, m.c.putSession(ctx, *s)
	}
	return s, nil
}

// unmatched says why a message has no conversation, and on the event whose it is
// if that is known.
func (m *reporting) unmatched(ctx context.Context, e *ProviderEvent) (string, error) {
	people, err := m.known(ctx, e)
	if err != nil || len(people) == 0 {
		return "nobody is known at " + e.Address + " on " + e.IntegrationID, err
	}
	e.ContactID = people[0]
	return "no conversation with " + people[0] + " has begun on " + e.IntegrationID, nil
}

// Identities returns who a contact is to providers.
func (s *Store) Identities(ctx context.Context, contactID string) ([]Identity, error) {
	found, err := collect(ctx, s.read(), `select integration_id, contact_id, user_id, address, name, linked_at, blocked_at from identities
		where contact_id = $1 order by integration_id`, []any{contactID}, func(row scanner) (v Identity, err error) {
		var linked, blocked *int64
		err = row.Scan(&v.IntegrationID, &v.ContactID, &v.UserID, &v.Address, &v.Name, &linked, &blocked)
		v.LinkedAt, v.BlockedAt, v.Blocked = fromMicrosPtr(linked), fromMicrosPtr(blocked), blocked != nil
		return v, err
	})
	return found, wrap(err, "read identities of contact %s", contactID)
}
