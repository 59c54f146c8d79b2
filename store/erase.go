package store

import (
	"context"
	"regexp"
	"time"

	"carillon/campaign"
)

// Erased stands where a person's data was.
const Erased = "erased"

// Erase anonymises a person in the contacts that have ended, with what was said
// and sent; what happened and when stays. Suppressions stay too: they are how the
// person is left alone.
func (s *Store) Erase(ctx context.Context, externalID string, now time.Time) (int, error) {
	n := 0
	err := s.write(ctx, func(c conn) error {
		n = 0
		rows, err := collect(ctx, c, `select `+contactRowColumns+` from contacts c
			where c.id in (select contact_id from contact_search where external_id = $1) and c.ended_at is not null`+s.dialect.locked,
			[]any{cut(externalID)}, scanContactRow)
		if err != nil {
			return err
		}
		var ids []string
		for i := range rows {
			r := &rows[i]
			if r.contact.ExternalID != externalID || r.workflow() {
				continue
			}
			before := r.contact.Clone()
			eraseContact(&r.contact)
			r.touch(now)
			if err := c.saveContact(ctx, &before, r, nil); err != nil {
				return err
			}
			ids = append(ids, r.contact.ID)
		}
		n = len(ids)
		return c.eraseAround(ctx, ids)
	})
	return n, wrap(err, "erase a person")
}

func eraseContact(v *campaign.Contact) {
	v.ObjectID, v.ExternalID, v.Name = Erased, Erased, Erased
	v.Email, v.Phone, v.TelegramChatID, v.Timezone, v.Language = "", "", "", "", ""
	v.Parameters, v.Results, v.InternalData = nil, onlyAnswer(v.Results), nil
	if v.Attention != nil {
		v.Attention.Detail = ""
	}
	for i := range v.Communications {
		m := &v.Communications[i]
		m.Name, m.Params, m.Results, m.ProviderMessageID = "", nil, onlyAnswer(m.Results), ""
	}
}

// answerWord is an OutcomeStatus that is a mark, not a sentence about a person.
var answerWord = regexp.MustCompile(`^"[A-Z0-9_]{1,40}"$`)

// onlyAnswer leaves of results how it came out, so that an erasure does not change
// what a campaign achieved.
func onlyAnswer(results campaign.Dict) campaign.Dict {
	if raw := results["OutcomeStatus"]; answerWord.Match(raw) {
		return campaign.Dict{"OutcomeStatus": raw}
	}
	return nil
}

// eraseAround empties what was kept about contacts in other tables.
func (c conn) eraseAround(ctx context.Context, ids []string) error {
	in := c.s.dialect.in
	for _, statement := range []string{
		`update messages set content = '` + Erased + `', provider_message_id = '', reason = '' where session_id in (select id from sessions where ` + in("contact_id", "$1") + `)`,
		`update session_notes set content = '` + Erased + `' where session_id in (select id from sessions where ` + in("contact_id", "$1") + `)`,
		`update inbox set payload = '{}', content = '` + Erased + `' where ` + in("contact_id", "$1"),
		`update sends set address = '', provider_message_id = '', reason = '' where ` + in("contact_id", "$1"),
		`update provider_events set doc = '{}', raw = '' where ` + in("contact_id", "$1"),
		`update outbox set recipient = '', subject = '', body = '` + Erased + `', payload = '{}' where ` + in("contact_id", "$1"),
		`update decisions set summary = kind, data = '{}' where ` + in("contact_id", "$1"),
		`update import_pending set raw = '' where ` + in("contact_id", "$1"),
		`delete from strategy_runs where ` + in("contact_id", "$1"),
		`delete from memos where ` + in("contact_id", "$1"),
		`delete from identities where ` + in("contact_id", "$1"),
	} {
		if _, err := c.exec(ctx, statement, texts(ids)); err != nil {
			return err
		}
	}
	sessions, err := collect(ctx, c, `select `+sessionColumns+` from sessions where `+in("contact_id", "$1"), []any{texts(ids)}, scanSession)
	if err != nil {
		return err
	}
	for _, v := range sessions {
		v.Address, v.Results, v.Reason, v.State = "", nil, "", ""
		if err := c.putSession(ctx, v); err != nil {
			return err
		}
	}
	return nil
}
