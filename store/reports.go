package store

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"time"

	"carillon/campaign"
)

// maxRaw bounds what is kept of an event as it came, in bytes.
const maxRaw = 64 << 10

// CommitReports keeps events and all they mean, in one transaction. It serves many
// requests at once: everything is read and written set by set.
func (s *Store) CommitReports(ctx context.Context, events []ProviderEvent, now time.Time) ([]InboxEvent, error) {
	var told []InboxEvent
	err := s.write(ctx, func(c conn) (err error) {
		told, err = c.commitReports(ctx, events, at(now))
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("commit %d provider events: %w", len(events), err)
	}
	return told, nil
}

func (c conn) commitReports(ctx context.Context, events []ProviderEvent, now time.Time) ([]InboxEvent, error) {
	if len(events) == 0 {
		return nil, nil
	}
	fresh, err := c.unseen(ctx, events, now)
	if err != nil || len(fresh) == 0 {
		return nil, err
	}
	m := reporting{c: c, now: now}
	if err := m.find(ctx, fresh); err != nil {
		return nil, err
	}
	if err := m.apply(ctx, fresh); err != nil {
		return nil, err
	}
	return m.inbox, c.addReports(ctx, fresh, now)
}

// reportKey is a key of at most 200 bytes: PostgreSQL's indexes refuse long texts.
func reportKey(key string) string {
	if key = clean(key); len(key) <= 200 {
		return key
	}
	sum := sha256.Sum256([]byte(key))
	return "sha256:" + hex.EncodeToString(sum[:])
}

// unseen tidies events and returns those whose keys are new, each once.
func (c conn) unseen(ctx context.Context, events []ProviderEvent, now time.Time) ([]ProviderEvent, error) {
	type key struct{ integration, key string }
	seen := map[key]bool{}
	byIntegration := map[string][]string{}
	var order []string
	for i := range events {
		id := events[i].IntegrationID
		if byIntegration[id] == nil {
			order = append(order, id)
		}
		byIntegration[id] = append(byIntegration[id], reportKey(events[i].Key))
	}
	for _, id := range order {
		known, err := collect(ctx, c, `select dedupe_key from provider_events where integration_id = $1 and `+c.s.dialect.in("dedupe_key", "$2"),
			[]any{id, texts(byIntegration[id])}, scanText)
		if err != nil {
			return nil, err
		}
		for _, k := range known {
			seen[key{id, k}] = true
		}
	}
	fresh := make([]ProviderEvent, 0, len(events))
	for _, e := range events {
		e.Key, e.CorrelationKey, e.ProviderMessageID = reportKey(e.Key), clean(e.CorrelationKey), clean(e.ProviderMessageID)
		e.SendID, e.ContactID = "", ""
		if e.At = at(e.At); e.At.Before(time.Unix(0, 0)) {
			e.At = now
		}
		if k := (key{e.IntegrationID, e.Key}); !seen[k] {
			seen[k] = true
			fresh = append(fresh, e)
		}
	}
	return fresh, nil
}

type reportJSON struct {
	IntegrationID     string `json:"integration_id"`
	Key               string `json:"dedupe_key"`
	Provider          string `json:"provider"`
	Kind              string `json:"kind"`
	Status            string `json:"status"`
	At                int64  `json:"at"`
	ReceivedAt        int64  `json:"received_at"`
	CorrelationKey    string `json:"correlation_key"`
	ProviderMessageID string `json:"provider_message_id"`
	SendID            string `json:"send_id"`
	ContactID         string `json:"contact_id"`
	Doc               string `json:"doc"`
	Raw               string `json:"raw"`
}

func (c conn) addReports(ctx context.Context, events []ProviderEvent, now time.Time) error {
	rows := make([]reportJSON, len(events))
	for i := range events {
		e := &events[i]
		doc, err := encode(e)
		if err != nil {
			return err
		}
		if len(e.Raw) > maxRaw {
			e.Raw = e.Raw[:maxRaw]
		}
		rows[i] = reportJSON{
			e.IntegrationID, e.Key, cut(e.Provider), e.Kind, cut(e.Status), micros(e.At), micros(now), cut(e.CorrelationKey), cut(e.ProviderMessageID),
			e.SendID, e.ContactID, doc, clean(e.Raw),
		}
	}
	return bulk(ctx, c, `insert into provider_events (integration_id, dedupe_key, provider, kind, status, at, received_at, correlation_key,
			provider_message_id, send_id, contact_id, doc, raw)
		select integration_id, dedupe_key, provider, kind, status, at, received_at, correlation_key, provider_message_id, send_id, contact_id, doc, raw from `+
		c.s.dialect.rows("integration_id text, dedupe_key text, provider text, kind text, status text, at bigint, received_at bigint, "+
			"correlation_key text, provider_message_id text, send_id text, contact_id text, doc text, raw text")+`
		where true on conflict do nothing`, rows)
}

const reportColumns = `doc, raw, send_id, contact_id, seq`

func scanReport(row scanner) (e ProviderEvent, seq int64, err error) {
	var doc []byte
	var raw, send, contact string
	if err = row.Scan(&doc, &raw, &send, &contact, &seq); err != nil {
		return e, 0, err
	}
	e, err = decode[ProviderEvent](doc)
	e.Raw, e.SendID, e.ContactID = raw, send, contact
	return e, seq, err
}

// rematch applies events that are kept, and says on them what they are about now.
func (c conn) rematch(ctx context.Context, where string, args []any, now time.Time) ([]InboxEvent, error) {
	type kept struct {
		event ProviderEvent
		seq   int64
	}
	rows, err := collect(ctx, c, `select `+reportColumns+` from provider_events e where e.send_id = '' and e.provider_message_id <> '' and `+where+`
		order by e.at, e.seq limit 1000`, args, func(row scanner) (k kept, err error) {
		k.event, k.seq, err = scanReport(row)
		return k, err
	})
	if err != nil || len(rows) == 0 {
		return nil, err
	}
	events := make([]ProviderEvent, len(rows))
	for i := range rows {
		events[i] = rows[i].event
		events[i].ContactID = "" // of a message that was routed by its address
	}
	m := reporting{c: c, now: now, again: true}
	if err := m.find(ctx, events); err != nil {
		return nil, err
	}
	if err := m.apply(ctx, events); err != nil {
		return nil, err
	}
	type matchJSON struct {
		Seq       int64  `json:"seq"`
		SendID    string `json:"send_id"`
		ContactID string `json:"contact_id"`
	}
	var matched []matchJSON
	for i := range events {
		if events[i].SendID != "" {
			matched = append(matched, matchJSON{rows[i].seq, events[i].SendID, events[i].ContactID})
		}
	}
	return m.inbox, bulk(ctx, c, `update provider_events set send_id = x.send_id, contact_id = x.contact_id from `+
		c.s.dialect.rows("seq bigint, send_id text, contact_id text")+` where provider_events.seq = x.seq`, matched)
}

// matchable is the condition of rematch that a send with the event's id is there.
const matchable = `exists (select 1 from sends s where s.integration_id = e.integration_id and s.provider_message_id = e.provider_message_id and s.provider_message_id <> '')`

// RematchReports matches what crossed with the settling of its send.
func (s *Store) RematchReports(ctx context.Context, since, now time.Time) ([]InboxEvent, error) {
	var waits int
	err := s.read().one(ctx, `select count(*) from (select 1 from provider_events e where e.send_id = '' and e.provider_message_id <> ''
		and e.received_at >= $1 and e.kind = '`+ReportStatus+`' and `+matchable+` limit 1) as x`, []any{micros(since)}, &waits)
	if err != nil || waits == 0 {
		return nil, wrap(err, "look for unmatched provider events")
	}
	var told []InboxEvent
	err = s.write(ctx, func(c conn) (err error) {
		told, err = c.rematch(ctx, `e.received_at >= $1 and e.kind = '`+ReportStatus+`' and `+matchable, []any{micros(since)}, at(now))
		return err
	})
	return told, wrap(err, "match provider events")
}

// DropReports forgets old events.
func (s *Store) DropReports(ctx context.Context, before, unmatchedBefore time.Time) error {
	for n := int64(1); n > 0; {
		var err error
		n, err = s.direct().exec(ctx, `delete from provider_events where seq in (select seq from provider_events
			where received_at < $1 or received_at < $2 and send_id = '' and contact_id = '' limit 1000)`, micros(before), micros(unmatchedBefore))
		if err != nil {
			return fmt.Errorf("drop provider events: %w", err)
		}
	}
	return nil
}

// ProviderEvents lists an integration's events, the newest first.
func (s *Store) ProviderEvents(ctx context.Context, integrationID string, p Page) (List[ProviderEvent], error) {
	var q query
	q.where("integration_id = ?", integrationID)
	items, err := list(ctx, s.read(), `select received_at, `+reportColumns+` from provider_events`, &q, order{[]string{"received_at", "seq"}, true}, p,
		func(row scanner) (ProviderEvent, position, error) {
			var received int64
			e, seq, err := scanReport(prefixed{row, &received})
			return e, position{received, seq}, err
		})
	return items, wrap(err, "list provider events of %s", integrationID)
}

// prefixed scans one column before the others.
type prefixed struct {
	row   scanner
	first any
}

func (p prefixed) Scan(into ...any) error { return p.row.Scan(append([]any{p.first}, into...)...) }

// addressee is the part of a contact a suppression needs.
func (c conn) addressee(ctx context.Context, contactID string) (campaign.Contact, error) {
	var doc []byte
	if err := c.one(ctx, `select doc from contacts where id = $1`, []any{contactID}, &doc); err != nil {
		return campaign.Contact{}, err
	}
	return decode[campaign.Contact](doc)
}
