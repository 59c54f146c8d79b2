package store

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"slices"
	"strings"
	"time"

	"carillon/campaign"
)

// maxCovered bounds how many sessions end with one transaction. A person has few; at
// an address that more share, the others end by time.
const maxCovered = 5000

// endCovered tells the contacts of the open sessions that suppressions cover that
// these end. It runs in the transaction that writes the suppressions, so a process
// that dies after it has lost nothing. told is what the transaction tells contacts
// besides: a session that ends by it is not told again.
func (c conn) endCovered(ctx context.Context, rows []suppressionJSON, told []InboxEvent, now time.Time) ([]InboxEvent, error) {
	open, err := c.openOf(ctx, rows)
	if err != nil {
		return nil, err
	}
	var out []InboxEvent
	for i := range open {
		s := &open[i]
		at := slices.IndexFunc(rows, func(r suppressionJSON) bool { return r.covers(s) })
		if at < 0 {
			continue
		}
		heard, stopped, err := hears(s, told)
		if err != nil {
			return nil, err
		}
		if stopped {
			continue
		}
		e, err := endOf(s, &rows[at], heard)
		if err != nil {
			return nil, err
		}
		e.At = now.Add(time.Duration(len(told)+len(out)) * time.Microsecond)
		out = append(out, e)
	}
	return out, nil
}

// openTalk is an open session with the person it is held with.
type openTalk struct {
	campaign.Session
	person string
}

// openOf reads the open sessions of the people and at the addresses of
// suppressions. One whose opening surely has not left yet is not among them: it is
// skipped when its turn comes.
func (c conn) openOf(ctx context.Context, rows []suppressionJSON) ([]openTalk, error) {
	var people, addresses []string
	for _, r := range rows {
		if r.ExternalID != "" && r.ExternalID != Erased {
			people = append(people, cut(r.ExternalID))
		}
		if r.Address != "" {
			addresses = append(addresses, r.Address)
		}
	}
	const columns = `select ` + sessionColumns + `, p.external_id from `
	var found []openTalk
	for _, q := range []struct {
		from string
		keys []string
	}{
		{`contact_search p join sessions on sessions.contact_id = p.contact_id where ` + c.s.dialect.in("p.external_id", "$1"), people},
		{`sessions join contact_search p on p.contact_id = sessions.contact_id
			where sessions.integration_id in (select id from integrations union all select '')
			and sessions.address <> '' and ` + c.s.dialect.in("lower(sessions.address)", "$1"), addresses},
	} {
		if len(q.keys) == 0 {
			continue
		}
		some, err := collect(ctx, c, columns+q.from+` and sessions.status = 'open' and `+begun+` limit $2`, []any{texts(unique(q.keys)), maxCovered},
			func(row scanner) (t openTalk, err error) {
				t.Session, err = scanSession(trailed{row, &t.person})
				return t, err
			})
		if err != nil {
			return nil, wrap(err, "read the open sessions of whom to leave alone")
		}
		found = append(found, some...)
	}
	slices.SortFunc(found, func(a, b openTalk) int { return strings.Compare(a.ID, b.ID) })
	return slices.CompactFunc(found, func(a, b openTalk) bool { return a.ID == b.ID }), nil
}

// trailed scans one column after the others.
type trailed struct {
	row  scanner
	last any
}

func (t trailed) Scan(into ...any) error { return t.row.Scan(append(into, t.last)...) }

// covers reports that a session is not to go on. A phone call and a task for a
// person end only when the person is to be left alone altogether.
func (r *suppressionJSON) covers(t *openTalk) bool {
	if r.but == t.ID || r.only != nil && !slices.Contains(r.only, t.ID) {
		return false
	}
	if r.Channel != "" && (r.Channel != string(t.Channel) || t.Channel == campaign.Human || t.Channel.Voice()) {
		return false
	}
	return r.ExternalID != "" && cut(r.ExternalID) == t.person && t.person != Erased || r.Address != "" && r.Address == address(t.Address)
}

// hears looks for a session in what contacts are told besides: whether its contact
// learns why, and whether it ends by that already.
func hears(t *openTalk, told []InboxEvent) (why, stopped bool, err error) {
	for _, one := range told {
		if one.ContactID != t.ContactID {
			continue
		}
		var e campaign.Event
		if err := json.Unmarshal(one.Payload, &e); err != nil {
			return false, false, err
		}
		stopped = stopped || e.OptOut && e.SessionID == t.ID
		why = why || e.OptOut || e.Kind == campaign.EventDelivery && (e.Delivery == campaign.ReportOptOut || e.Delivery == campaign.ReportBounced)
	}
	return why, stopped, nil
}

// endOf is the event that ends a session because of a suppression.
func endOf(t *openTalk, r *suppressionJSON, heard bool) (InboxEvent, error) {
	sum := sha256.Sum256([]byte(t.ID + "\n" + r.ID))
	e := campaign.Event{
		ID: "so_" + hex.EncodeToString(sum[:10]), Kind: campaign.EventDelivery, SessionID: t.ID, CommunicationID: t.CommunicationID,
		Delivery: campaign.ReportOptOut, Status: campaign.SessionDeclined, Reason: r.Reason,
	}
	if r.Reason == campaign.ReportBounced {
		e.Delivery, e.Status = campaign.ReportBounced, campaign.SessionFailed
	}
	if heard {
		e.Delivery = campaign.ReportCovered
	}
	payload, err := json.Marshal(e)
	return InboxEvent{ID: e.ID, CampaignID: t.CampaignID, ContactID: t.ContactID, SessionID: t.ID, Kind: string(e.Kind), Payload: payload}, err
}
