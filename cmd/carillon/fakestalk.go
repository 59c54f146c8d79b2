package main

import (
	"bytes"
	"context"
	"encoding/csv"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"carillon/campaign"
	"carillon/fakes"
)

// talkTime is how long all conversations may take.
const talkTime = 2 * time.Minute

// talk shows a conversation between a scripted contact and the scripted agent
// over each fake, one after the other in one campaign with a stage per provider.
// It returns nil once each has ended with what the agent found out.
func talk(ctx context.Context, out io.Writer, all []*fakes.Fake) error {
	ctx, cancel := context.WithTimeoutCause(ctx, talkTime, fmt.Errorf("the conversations took longer than %s", talkTime))
	defer cancel()
	var roots []byte
	for _, f := range all {
		roots = append(roots, f.Roots...)
	}
	shown(out, "A campaign writes to Ann through every fake provider, and she promises to pay. The fakes were built from specifications.")
	g, err := hostGuest(ctx, roots)
	if err != nil {
		return err
	}
	defer g.stop()
	t := &talking{rest: g.rest, out: out, all: all}
	if err := t.make(ctx); err != nil {
		return fmt.Errorf("make the campaign: %w", err)
	}
	heard := listen(all)
	for tick := time.NewTicker(50 * time.Millisecond); ; {
		select {
		case <-ctx.Done():
			tick.Stop()
			return context.Cause(ctx)
		case <-tick.C:
		}
		for _, m := range heard() {
			if err := t.hear(m); err != nil {
				tick.Stop()
				return err
			}
		}
		if over, err := t.over(ctx); err != nil || over {
			tick.Stop()
			return err
		}
	}
}

type talking struct {
	rest *rest
	out  io.Writer
	all  []*fakes.Fake
	id   string // of the campaign
}

// script is what Ann answers to words of the agent's.
var script = [][2]string{
	{"Can you pay", "Yes, I can"},
	{"[template", "Yes, I can"}, // she sees its text
	{"On which day", "on 24.12.2026"},
}

func (t *talking) hear(m heardMessage) error {
	shown(t.out, "%-8s  carillon → Ann: %s", m.fake.Provider, line(m.Text))
	for _, s := range script {
		if strings.Contains(m.Text, s[0]) {
			shown(t.out, "%-8s  Ann → carillon: %s", m.fake.Provider, s[1])
			return m.fake.Say(m.To, s[1])
		}
	}
	return nil
}

// over reports that the campaign has ended for everybody, and tells with what.
func (t *talking) over(ctx context.Context) (bool, error) {
	type contact struct {
		ID, Name, Status string
		Attention        *struct{ Detail string }
	}
	people, err := every[contact](ctx, t.rest, "/v1/campaigns/"+t.id+"/contacts?limit=500")
	if err != nil {
		return false, err
	}
	for _, c := range people {
		if c.Attention != nil {
			return false, fmt.Errorf("%s needs attention: %s", c.Name, c.Attention.Detail)
		}
		if c.Status != string(campaign.ContactCompleted) {
			return false, nil
		}
	}
	type session struct {
		Channel   string         `json:"channel"`
		ContactID string         `json:"contact_id"`
		Status    string         `json:"status"`
		Results   map[string]any `json:"results"`
		CreatedAt time.Time      `json:"created_at"`
	}
	sessions, err := every[session](ctx, t.rest, "/v1/sessions?limit=500&campaign_id="+t.id)
	if err != nil {
		return false, err
	}
	slices.SortFunc(sessions, func(a, b session) int { return a.CreatedAt.Compare(b.CreatedAt) })
	if len(sessions) != len(t.all) {
		return false, fmt.Errorf("%d conversations were had over %d fakes", len(sessions), len(t.all))
	}
	for i, s := range sessions {
		if s.Status != string(campaign.SessionCompleted) || s.Results["promised"] == nil {
			return false, fmt.Errorf("the conversation through %s ended as %s, without the promise: %v", t.all[i].Provider, s.Status, s.Results)
		}
		shown(t.out, "%-8s  ended: %s, Ann pays on %v", t.all[i].Provider, s.Status, s.Results["promised"])
	}
	return true, nil
}

// make makes the integrations, an agent for each, and the campaign, and starts it.
func (t *talking) make(ctx context.Context) error {
	post := func(path string, body, made any) error { return t.rest.call(ctx, http.MethodPost, path, body, made) }
	type named struct {
		ID string `json:"id"`
	}
	var camp named
	if err := post("/v1/campaigns", map[string]any{"name": "Conversations over every fake"}, &camp); err != nil {
		return err
	}
	t.id = camp.ID
	at := "/v1/campaigns/" + t.id
	for _, f := range t.all {
		integration, err := connect(ctx, t.rest, f)
		if err != nil {
			return fmt.Errorf("%s: %w", f.Provider, err)
		}
		var agent named
		if err := post("/v1/agents", talkAgent(f, integration), &agent); err != nil {
			return err
		}
		if err := post("/v1/agents/"+agent.ID+"/start", nil, nil); err != nil {
			return err
		}
		delivery := maps.Clone(f.Stage)
		delivery["channel"], delivery["agent"], delivery["start_state"] = f.Channel, agent.ID, "ask"
		if err := post(at+"/stages", map[string]any{"name": f.Provider, "delivery": delivery}, nil); err != nil {
			return err
		}
	}
	done := map[string]any{"name": "done", "delivery": map[string]any{"channel": "none", "start_state": "done"}, "outcome": "success"}
	if err := post(at+"/stages", done, nil); err != nil {
		return err
	}
	load, aggregate := t.strategies()
	for kind, code := range map[string]string{"data_load": load, "aggregation": aggregate} {
		if err := post(at+"/strategies", map[string]any{"name": kind, "type": kind, "code": code}, nil); err != nil {
			return err
		}
	}
	var imported campaign.Import
	if err := t.rest.send(ctx, http.MethodPost, at+"/imports?filename=ann.csv", "text/csv", people(), &imported); err != nil {
		return err
	}
	if err := follow(ctx, t.rest, at+"/imports/"+imported.ID, &imported); err != nil {
		return err
	}
	return post(at+"/start", nil, nil)
}

// talkAgent asks for a day, and ends when it has one.
func talkAgent(f *fakes.Fake, integration string) map[string]any {
	say := func(match, say string, more map[string]any) map[string]any {
		reply := map[string]any{"match": []string{match}, "say": say}
		maps.Copy(reply, more)
		return reply
	}
	return map[string]any{
		"name": "Agent of " + f.Provider, "kind": "scripted", "integrations": map[string]any{string(f.Channel): integration},
		"result_fields": []any{map[string]any{"name": "promised", "type": "date"}},
		"states": []any{
			map[string]any{"name": "ask", "start": true, "replies": []any{say("yes", "On which day, {{ name }}?", map[string]any{"state": "day"})}},
			map[string]any{"name": "day", "replies": []any{say(`/on (\S+)/`, "Noted for {{ results.promised }}, {{ name }}. Goodbye.", map[string]any{
				"end": "completed", "reason": "promised", "results": map[string]any{"promised": "$1"},
			})}},
		},
	}
}

// strategies plan the first stage, and after each the next.
func (t *talking) strategies() (load, aggregate string) {
	var names []string
	for _, f := range t.all {
		names = append(names, fmt.Sprintf("%q", f.Provider))
	}
	return fmt.Sprintf(`
async def run(contact, existing_contact, logger, **kwargs):
    contact.communications.append(Communication(name=%[1]s, stage_name=%[1]s))
    return contact
`, names[0]), fmt.Sprintf(`
STAGES = [%s]
async def run(contact, session_results, logger, **kwargs):
    n = STAGES.index(session_results["StageName"]) + 1
    if n < len(STAGES):
        contact.communications.append(Communication(name=STAGES[n], stage_name=STAGES[n]))
    else:
        contact.current_stage = "done"
    return contact
`, strings.Join(names, ", "))
}

// people is the file of contacts: Ann, at an address of each kind.
func people() io.Reader {
	var text bytes.Buffer
	w := csv.NewWriter(&text)
	header, ann := []string{"object_id", "external_id", "name"}, []string{"4711", "ann", "Ann"}
	for column, address := range fakes.Ann() {
		header, ann = append(header, column), append(ann, address)
	}
	_ = w.WriteAll([][]string{header, ann}) // into memory: cannot fail
	return &text
}
