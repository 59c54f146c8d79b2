package store

import (
	"context"
	"errors"

	"carillon/campaign"
)

// Mode redirect sends to a tester what is for the people of a campaign. Their
// sessions keep the people's addresses, the ledger has the tester's, and so the
// tester's answers are known by where the messages went.

// testers returns how the settings write the address that a message came from, if
// it is one of mode redirect.
func (m *reporting) testers(ctx context.Context, e *ProviderEvent) (as []string, err error) {
	if m.redirects == nil {
		var doc []byte
		err := m.c.one(ctx, `select doc from settings where id = 1`, nil, &doc)
		if err != nil && !errors.Is(err, ErrNotFound) {
			return nil, wrap(err, "read the addresses of mode redirect")
		}
		m.redirects = &[]string{}
		if err == nil {
			settings, err := decode[campaign.Settings](doc)
			if err != nil {
				return nil, wrap(err, "read the addresses of mode redirect")
			}
			for _, to := range settings.Redirect {
				*m.redirects = append(*m.redirects, to)
			}
		}
	}
	for _, to := range *m.redirects {
		if address(to) == address(e.Address) && address(to) != "" {
			as = append(as, to)
		}
	}
	return as, nil
}

// routeTester finds the session for what a tester writes: the newest of which
// something was sent to them, open ones first; nil if they are none, or have got
// nothing.
func (m *reporting) routeTester(ctx context.Context, e *ProviderEvent) (*campaign.Session, error) {
	as, err := m.testers(ctx, e)
	if err != nil || len(as) == 0 {
		return nil, err
	}
	found, err := collect(ctx, m.c, `select `+sessionColumns+` from sessions where integration_id = $1
		and exists (select 1 from sends t where t.contact_id = sessions.contact_id and t.session_id = sessions.id and `+m.c.s.dialect.in("t.address", "$2")+`)`+
		newestTalk, []any{e.IntegrationID, texts(as)}, scanSession)
	if err != nil || len(found) == 0 {
		return nil, err
	}
	return &found[0], nil
}

// trial reports that a message is a tester's, in a session that is held with
// somebody else: it says nothing about that person.
func (m *reporting) trial(ctx context.Context, e *ProviderEvent, s *campaign.Session) (bool, error) {
	if s == nil || address(s.Address) == address(e.Address) {
		return false, nil
	}
	as, err := m.testers(ctx, e)
	return len(as) > 0, err
}
