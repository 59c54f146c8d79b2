package api_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	allagents "carillon/agents/all"
	"carillon/api"
	"carillon/campaign"
	"carillon/channels"
	"carillon/channels/all"
	"carillon/channels/outbox"
	"carillon/store"
)

// front is the API over a real store, as contacts, sessions and agents are
// reached. Without Temporal, what needs it answers 503.
type front struct {
	t     *testing.T
	store *store.Store
	url   string
}

type frontBox struct{ *store.Store }

func (b frontBox) Put(ctx context.Context, m outbox.Message) (outbox.Message, error) {
	kept, err := b.PutOutbox(ctx, store.OutboxMessage(m))
	return outbox.Message(kept), err
}

func (b frontBox) ByCorrelation(ctx context.Context, key string) (outbox.Message, bool, error) {
	m, err := b.OutboxByCorrelation(ctx, key)
	if errors.Is(err, store.ErrNotFound) {
		return outbox.Message{}, false, nil
	}
	return outbox.Message(m), err == nil, err
}

func frontStore(t *testing.T) *store.Store { t.Helper(); return openStore(t, emptyDatabase(t)) }

func newFront(t *testing.T, s *store.Store, tune ...func(*api.Deps)) *front {
	t.Helper()
	d := api.Deps{Store: s, Channels: all.New(frontBox{s}), Agents: allagents.New(channels.NewRenderer()), TemporalUI: "http://ui.example"}
	for _, f := range tune {
		f(&d)
	}
	server, err := api.New(d)
	require.NoError(t, err)
	web := httptest.NewServer(server.Handler())
	t.Cleanup(web.Close)
	return &front{t: t, store: s, url: web.URL}
}

// reply is an answer of the API.
type reply struct {
	t      *testing.T
	status int
	header http.Header
	raw    string
	doc    map[string]any
}

func (f *front) send(method, path, contentType, body string, headers ...string) reply {
	f.t.Helper()
	r, err := http.NewRequestWithContext(f.t.Context(), method, f.url+path, strings.NewReader(body))
	require.NoError(f.t, err)
	if contentType != "" {
		r.Header.Set("Content-Type", contentType)
	}
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	res, err := http.DefaultClient.Do(r)
	require.NoError(f.t, err)
	defer res.Body.Close()
	raw, err := io.ReadAll(res.Body)
	require.NoError(f.t, err)
	out := reply{t: f.t, status: res.StatusCode, header: res.Header, raw: string(raw)}
	if strings.Contains(res.Header.Get("Content-Type"), "json") {
		_ = json.Unmarshal(raw, &out.doc)
	}
	return out
}

func (f *front) get(path string) reply { f.t.Helper(); return f.send(http.MethodGet, path, "", "") }

func (f *front) post(path, body string) reply {
	f.t.Helper()
	return f.send(http.MethodPost, path, "application/json", body)
}

func (f *front) put(path, body string) reply {
	f.t.Helper()
	return f.send(http.MethodPut, path, "application/json", body)
}

// is checks the status and returns the answer.
func (r reply) is(status int) reply {
	r.t.Helper()
	require.Equal(r.t, status, r.status, r.raw)
	return r
}

// at reads a value by its path, such as "items.0.name"; nil if it is not there.
func (r reply) at(path string) any {
	var v any = r.doc
	for key := range strings.SplitSeq(path, ".") {
		switch node := v.(type) {
		case map[string]any:
			v = node[key]
		case []any:
			i, err := strconv.Atoi(key)
			if err != nil || i >= len(node) {
				return nil
			}
			v = node[i]
		default:
			return nil
		}
	}
	return v
}

func (r reply) text(path string) string { r.t.Helper(); s, _ := r.at(path).(string); return s }

// problem checks an error answer: its status and the field it names, "" for none.
func (r reply) problem(status int, field string) {
	r.t.Helper()
	r.is(status)
	require.Equal(r.t, "application/problem+json", r.header.Get("Content-Type"), r.raw)
	if field != "" {
		require.Equal(r.t, field, r.text("errors.0.field"), r.raw)
	}
}

// addCampaign puts a campaign with a letter and a final stage into the store.
func (f *front) addCampaign(status campaign.Status, fields ...campaign.Field) campaign.Campaign {
	f.t.Helper()
	return f.addCampaignAs(status, "", fields...)
}

// addCampaignAs does so for a second campaign of a test, whose id has the suffix.
func (f *front) addCampaignAs(status campaign.Status, suffix string, fields ...campaign.Field) campaign.Campaign {
	f.t.Helper()
	c := campaign.Campaign{
		ID: "cp_" + strings.ToLower(strings.NewReplacer("/", "_").Replace(f.t.Name())) + suffix, Name: "Debt", Timezone: "UTC", Status: status, Fields: fields,
		Version: 1, CreatedAt: time.Now().UTC(),
	}
	require.NoError(f.t, f.store.CreateCampaign(f.t.Context(), c))
	for _, s := range []campaign.Stage{
		{Name: "Letter", Delivery: campaign.Delivery{Channel: campaign.EmailNotification, Integration: "any", Subject: "Hello", Template: "Hello {{ name }}"}},
		{Name: "Chat", Delivery: campaign.Delivery{Channel: campaign.Email, Agent: "Anna", Subject: "Hello", Template: "Hello {{ name }}"}},
		{Name: "Paid", Outcome: campaign.OutcomeSuccess, Delivery: campaign.Delivery{Channel: campaign.NoCommunication, StartState: "paid"}},
	} {
		s.ID, s.CampaignID, s.Weight = "st_"+c.ID+"_"+s.Name, c.ID, 1
		require.NoError(f.t, s.Validate())
		_, err := f.store.CreateStage(f.t.Context(), s)
		require.NoError(f.t, err)
	}
	return c
}

// addContact puts a pending contact with one communication, planned for
// tomorrow, into the store.
func (f *front) addContact(c campaign.Campaign, objectID string, tune ...func(*campaign.Contact)) campaign.Contact {
	f.t.Helper()
	ctx, now := f.t.Context(), time.Now().UTC().Truncate(time.Microsecond)
	row := campaign.Row{Line: 1, Fields: map[string]string{"object_id": objectID, "external_id": "p-" + objectID, "name": "Ada " + objectID, "email": objectID + "@example.com"}}
	contact := row.NewContact(c.ID, now)
	contact.Communications = []campaign.Communication{{
		ID: campaign.CommunicationID(contact.ID, 1), Name: "First letter", StageName: "Letter", StageID: "st_" + c.ID + "_Letter",
		StartDate: now.Add(24 * time.Hour), Status: campaign.StatusAt{Status: campaign.CommunicationPlanned, At: now},
	}}
	for _, f := range tune {
		f(&contact)
	}
	imp := campaign.Import{ID: "im_" + contact.ID, CampaignID: c.ID, StartedAt: now}
	require.NoError(f.t, f.store.CreateImport(ctx, imp))
	require.NoError(f.t, f.store.AddRows(ctx, imp.ID, 0, []store.ImportRow{{Line: 1, Row: &row}}))
	conflicts, err := f.store.CommitChunk(ctx, store.ChunkWrite{
		ImportID: imp.ID, Contacts: []store.ContactWrite{{Contact: contact, Decisions: []campaign.Decision{{At: now, Kind: campaign.DecisionImported, Reason: "created", Summary: "Imported"}}}}, Created: 1, Now: now,
	})
	require.NoError(f.t, err)
	require.Empty(f.t, conflicts)
	return contact
}
