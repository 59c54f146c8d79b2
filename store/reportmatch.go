package store

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"time"

	"carillon/campaign"
)

// reporting works out what one batch of events means.
type reporting struct {
	c     conn
	now   time.Time
	again bool // the events were kept before, and applied but for their sends

	sends        map[string]*reportedSend // by id
	byKey        map[string]*reportedSend // by correlation key
	byProvider   map[[2]string]*reportedSend
	inbox        []InboxEvent
	suppressions []suppressionJSON
	broken       map[string]breakage // by integration
	redirects    *[]string           // the addresses of mode redirect, once they were read
}

// reportedSend is a send that events are about.
type reportedSend struct {
	ID                string `json:"id"`
	ContactID         string `json:"-"`
	CommunicationID   string `json:"-"`
	SessionID         string `json:"-"`
	IntegrationID     string `json:"-"`
	CorrelationKey    string `json:"-"`
	Channel           string `json:"-"`
	Address           string `json:"-"`
	CreatedAt         int64  `json:"-"`
	State             string `json:"state"`
	ProviderMessageID string `json:"provider_message_id"`
	Reason            string `json:"reason"`
	SettledAt         *int64 `json:"settled_at"`
	Delivery          string `json:"delivery"`
	DeliveryAt        *int64 `json:"delivery_at"`
	Said              string `json:"said"`    // the id of the session's message
	Message           string `json:"message"` // how far that is, as its session shows it
	MessageReason     string `json:"message_reason"`

	changed bool
	turned  bool // from failed, or to it
}

const reportedColumns = `id, contact_id, communication_id, session_id, integration_id, correlation_key, channel, address, created_at, state, provider_message_id, reason, settled_at, delivery, delivery_at`

func scanReportedSend(row scanner) (*reportedSend, error) {
	v := &reportedSend{}
	err := row.Scan(&v.ID, &v.ContactID, &v.CommunicationID, &v.SessionID, &v.IntegrationID, &v.CorrelationKey, &v.Channel, &v.Address, &v.CreatedAt,
		&v.State, &v.ProviderMessageID, &v.Reason, &v.SettledAt, &v.Delivery, &v.DeliveryAt)
	if v.Said = v.ID; v.reply() {
		v.Said, _, _ = strings.Cut(v.ID, "#")
	}
	return v, err
}

// find reads the sends that events may be about: by our own keys, and by the
// provider's ids only for what those do not tell. An id may be that of many sends.
func (m *reporting) find(ctx context.Context, events []ProviderEvent) error {
	m.sends, m.byKey, m.byProvider = map[string]*reportedSend{}, map[string]*reportedSend{}, map[[2]string]*reportedSend{}
	var keys []string
	for i := range events {
		if key := events[i].CorrelationKey; key != "" {
			keys = append(keys, key)
		}
	}
	d := m.c.s.dialect
	if len(keys) > 0 {
		if err := m.load(ctx, d.in("correlation_key", "$1")+` and correlation_key <> ''`, texts(unique(keys))); err != nil {
			return err
		}
	}
	ids := map[string][]string{}
	for i := range events {
		e := &events[i]
		if e.IntegrationID == "" || m.named(e) != nil {
			continue
		}
		for _, id := range append([]string{e.ProviderMessageID}, e.Threads...) {
			if id != "" {
				ids[e.IntegrationID] = append(ids[e.IntegrationID], id)
			}
		}
	}
	for _, integration := range slices.Sorted(keysOf(ids)) {
		if err := m.load(ctx, d.in("provider_message_id", "$1")+` and provider_message_id <> '' and integration_id = $2`, texts(unique(ids[integration])), integration); err != nil {
			return err
		}
	}
	return nil
}

// load reads sends, in one order so that two batches never wait for each other.
func (m *reporting) load(ctx context.Context, where string, args ...any) error {
	found, err := collect(ctx, m.c, `select `+reportedColumns+` from sends where `+where+` order by id`+m.c.s.dialect.locked, args, scanReportedSend)
	for _, v := range found {
		if known := m.sends[v.ID]; known != nil {
			v = known
		}
		m.sends[v.ID] = v
		if v.CorrelationKey != "" {
			m.byKey[v.CorrelationKey] = v
		}
		if v.ProviderMessageID != "" {
			m.byProvider[[2]string{v.IntegrationID, v.ProviderMessageID}] = v
		}
	}
	return err
}

// named is the send whose correlation key an event has, or nil. A key is only
// good in the mouth of the integration that was given it.
func (m *reporting) named(e *ProviderEvent) *reportedSend {
	if v := m.byKey[e.CorrelationKey]; v != nil && (e.IntegrationID == "" || v.IntegrationID == e.IntegrationID) {
		return v
	}
	return nil
}

// match is the send an event is about, or nil.
func (m *reporting) match(e *ProviderEvent) *reportedSend {
	if v := m.named(e); v != nil {
		return v
	}
	for _, id := range append([]string{e.ProviderMessageID}, e.Threads...) {
		if v := m.byProvider[[2]string{e.IntegrationID, id}]; v != nil && id != "" {
			return v
		}
	}
	return nil
}

// apply works out what events mean, in the order they happened, and writes it.
func (m *reporting) apply(ctx context.Context, events []ProviderEvent) error {
	order := make([]*ProviderEvent, len(events))
	for i := range events {
		order[i] = &events[i]
	}
	slices.SortStableFunc(order, func(a, b *ProviderEvent) int { return a.At.Compare(b.At) })
	for _, e := range order {
		v := m.match(e)
		if v != nil {
			e.SendID, e.ContactID = v.ID, v.ContactID
		}
		var err error
		switch e.Kind {
		case ReportStatus:
			err = m.status(ctx, e, v)
		case ReportMessage:
			err = m.message(ctx, e, v)
		case ReportIdentity:
			err = m.identity(ctx, e)
		case ReportUnread:
			err = m.withheld(ctx, e)
		}
		if err != nil {
			return err
		}
	}
	return m.write(ctx)
}

// status takes what became of a message.
func (m *reporting) status(ctx context.Context, e *ProviderEvent, v *reportedSend) error {
	if err := m.suppress(ctx, e, v); err != nil || v == nil {
		return err
	}
	was := campaign.Progress{Status: v.Delivery}
	if v.DeliveryAt != nil {
		was.At = fromMicros(*v.DeliveryAt)
	}
	is, news := was.Hear(e.Status, e.At)
	if v.ProviderMessageID == "" && e.ProviderMessageID != "" {
		v.ProviderMessageID, v.changed = e.ProviderMessageID, true
	}
	if err := m.follow(ctx, e, v); err != nil || !news {
		return err
	}
	proof := v.State == SendUnknown
	old, err := m.superseded(ctx, e, v)
	if err != nil {
		return err
	}
	if e.Status != campaign.ReportOptOut {
		when := micros(is.At)
		v.Delivery, v.DeliveryAt, v.changed = is.Status, &when, true
		m.settle(v, e)
		m.breaks(e, v)
	}
	if old {
		return nil
	}
	if e.Status != campaign.ReportOptOut {
		v.Message = map[string]string{campaign.ReportBounced: campaign.ReportFailed}[is.Status]
		v.Message, v.MessageReason = cmp.Or(v.Message, is.Status), ""
		v.turned = v.turned || v.Message == campaign.ReportFailed || was.Status == campaign.ReportFailed || was.Status == campaign.ReportBounced
		if v.Message == campaign.ReportFailed {
			v.MessageReason = clean(cut(cmp.Or(e.Reason, e.Suppress)))
		}
	}
	if !proof && (e.Status == campaign.ReportSent || v.reply() && (e.Status == campaign.ReportDelivered || e.Status == campaign.ReportRead)) {
		return nil // its contact knows, or is not asked: the message shows it
	}
	return m.tell(e, campaign.Event{
		Kind: campaign.EventDelivery, SessionID: v.SessionID, CommunicationID: v.CommunicationID, MessageID: v.Said, Delivery: e.Status, Reason: cut(cmp.Or(e.Reason, e.Suppress)),
	})
}

// settle moves the ledger's row on: a report settles what nobody knew. It also
// puts right what the provider said it had not taken: that is not sent again.
func (m *reporting) settle(v *reportedSend, e *ProviderEvent) {
	took := v.State == SendRetry && e.Status != campaign.ReportFailed
	if v.State != SendUnknown && v.State != SendSending && !took {
		return
	}
	when := micros(m.now)
	v.State, v.SettledAt = SendSent, &when
	if e.Status == campaign.ReportFailed {
		v.State, v.Reason = SendFailed, cut(e.Reason)
	}
}

// superseded reports that an event says of an attempt that it did not arrive, and a
// person has had the message sent again since: that one is what the session shows.
func (m *reporting) superseded(ctx context.Context, e *ProviderEvent, v *reportedSend) (bool, error) {
	if !v.reply() || e.Status != campaign.ReportFailed && e.Status != campaign.ReportBounced {
		return false, nil
	}
	attempt := 1
	if _, number, ok := strings.Cut(v.ID, "#"); ok {
		attempt, _ = strconv.Atoi(number) // ours, so it is one
	}
	var n int
	err := m.c.one(ctx, `select count(*) from sends where id = $1`, []any{v.Said + "#" + strconv.Itoa(attempt+1)}, &n)
	return n > 0, err
}

// reply reports that the message was said inside a session, not its opening.
func (v *reportedSend) reply() bool {
	return v.ID != v.CommunicationID && !strings.HasPrefix(v.ID, v.CommunicationID+"#")
}

// reportEventID is the id of the inbox event of a provider event.
func reportEventID(integrationID, key string) string {
	sum := sha256.Sum256([]byte(integrationID + "\n" + key))
	return "pe_" + hex.EncodeToString(sum[:10])
}

func (m *reporting) tell(e *ProviderEvent, event campaign.Event) error {
	return m.tellOne(e.ContactID, reportEventID(e.IntegrationID, e.Key), event)
}

// tellOne tells a contact by the id of the event.
func (m *reporting) tellOne(contactID, id string, event campaign.Event) error {
	event.ID = id
	payload, err := json.Marshal(event)
	if err != nil {
		return err
	}
	m.inbox = append(m.inbox, InboxEvent{
		ID: event.ID, ContactID: contactID, SessionID: event.SessionID, Kind: string(event.Kind), Payload: payload, At: m.moment(),
	})
	return nil
}

// moment is when the next event is put into an inbox: those of a batch keep
// their order.
func (m *reporting) moment() time.Time {
	return m.now.Add(time.Duration(len(m.inbox)) * time.Microsecond)
}

// write writes what was worked out.
func (m *reporting) write(ctx context.Context) error {
	var rows, said []*reportedSend // said: those that sessions show
	for _, id := range slices.Sorted(keysOf(m.sends)) {
		if v := m.sends[id]; v.changed {
			v.Reason = clean(v.Reason)
			rows = append(rows, v)
			if v.SessionID != "" && v.Message != "" {
				said = append(said, v)
			}
		}
	}
	d := m.c.s.dialect
	if err := bulk(ctx, m.c, `update sends set state = x.state, provider_message_id = x.provider_message_id, reason = x.reason,
			settled_at = cast(x.settled_at as bigint), delivery = x.delivery, delivery_at = cast(x.delivery_at as bigint)
		from `+d.rows("id text, state text, provider_message_id text, reason text, settled_at bigint, delivery text, delivery_at bigint")+`
		where sends.id = x.id`, rows); err != nil {
		return err
	}
	if err := bulk(ctx, m.c, `update messages set delivery = x.message, reason = x.message_reason from `+d.rows("said text, message text, message_reason text")+`
		where messages.id = x.said`, said); err != nil {
		return err
	}
	for _, v := range said {
		if v.turned && v.reply() {
			if err := m.c.waitsAgain(ctx, v.Said); err != nil {
				return err
			}
		}
	}
	ends, err := m.c.endCovered(ctx, m.suppressions, m.inbox, m.now)
	if err != nil {
		return err
	}
	m.inbox = append(m.inbox, ends...)
	if err := m.c.addEvents(ctx, m.inbox); err != nil {
		return err
	}
	if err := m.pause(ctx); err != nil {
		return err
	}
	return m.c.addSuppressions(ctx, m.suppressions)
}

func unique(list []string) []string {
	slices.Sort(list)
	return slices.Compact(list)
}

func keysOf[V any](m map[string]V) func(func(string) bool) {
	return func(yield func(string) bool) {
		for k := range m {
			if !yield(k) {
				return
			}
		}
	}
}
