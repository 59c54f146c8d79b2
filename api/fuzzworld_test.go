package api_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// knowledge is what requests may name: the records that answers have shown.
type knowledge struct {
	doc    *document
	paths  map[string][]string // by template: /v1/campaigns/{id} to /v1/campaigns/cp_1 …
	values map[string][]string // by the name of a field or parameter
}

func newKnowledge(d *document) *knowledge {
	return &knowledge{d, map[string][]string{}, map[string][]string{
		"code":     {"def run(contact, *rest, **more):\n    return contact\n", "def run(contact, existing_contact, logger):\n    return contact\n", "import os\ndef run("},
		"function": {"run"}, "channel": {"email_notification", "email", "none", "human"}, "stage_name": {"Letter", "Chat", "Paid"}, "stage": {"Letter", "Chat"},
		"timezone": {"UTC", "Europe/Berlin"}, "provider": {"outbox"}, "to": {"ann@example.com"}, "kind": {"external", "scripted"}, "template": {"Hello {{ name }}"},
		"session_timeout": {"72h", "3d", ""}, "min_gap": {"1d"}, "over": {"3h"}, "weight": {"1"}, "limit": {"1", "2", "500"}, "label": {"short", "long"},
		"updated_since": {"2020-01-01T00:00:00Z"}, "q": {"Ad"}, "mapping": {"Full name:name"}, "field": {"x"}, "version": {"1", "2"},
	}}
}

// most records of a kind that are kept: the oldest are forgotten.
const most = 40

func remember(m map[string][]string, key, value string) {
	for _, v := range m[key] {
		if v == value {
			return
		}
	}
	m[key] = append(m[key], value)
	if len(m[key]) > most {
		m[key] = m[key][1:]
	}
}

// learn takes up the ids in an answer.
func (k *knowledge) learn(o *documented, path string, doc map[string]any) {
	path, _, _ = strings.Cut(path, "?")
	template, id := "", ""
	for i := range k.doc.operations {
		if rest, ok := strings.CutPrefix(k.doc.operations[i].path, o.path+"/{"); ok && strings.HasSuffix(rest, "}") && strings.Count(rest, "/") == 0 {
			template = k.doc.operations[i].path
		}
	}
	items, _ := doc["items"].([]any)
	for _, one := range append(items, doc) {
		one, _ := one.(map[string]any)
		if id, _ = one["id"].(string); id != "" && template != "" && (o.method == http.MethodPost || len(items) > 0) {
			remember(k.paths, template, path+"/"+id)
		}
	}
	if id, _ := doc["id"].(string); strings.HasSuffix(path, "/bulk") && id != "" {
		remember(k.paths, "/v1/jobs/{id}", "/v1/jobs/"+id)
	}
	k.note("", doc)
}

var noted = map[string]bool{
	"contact_id": true, "campaign_id": true, "session_id": true, "communication_id": true, "agent_id": true, "external_id": true, "object_id": true, "stage_id": true,
}

func (k *knowledge) note(name string, v any) {
	switch v := v.(type) {
	case map[string]any:
		for key, value := range ordered(v) {
			k.note(key, value)
		}
		if id, _ := v["id"].(string); name == "communications" && id != "" {
			remember(k.values, "communication_id", id)
		}
	case []any:
		for _, value := range v {
			k.note(name, value)
		}
	case string:
		if name == "next_cursor" {
			remember(k.values, "cursor", v)
		}
		if noted[name] && v != "" {
			remember(k.values, name, v)
		}
	}
}

// path makes the path of an operation of records there are.
func (k *knowledge) path(m *maker, template string) string {
	// The newest records are the ones that do something.
	for at := len(template); at > 0; at = strings.LastIndex(template[:at], "/") {
		if known := k.paths[template[:at]]; len(known) > 0 {
			return strings.NewReplacer("{", "x_", "}", "").Replace(pick(m, known[m.IntN(len(known)):]) + template[at:])
		}
	}
	return strings.NewReplacer("{", "x_", "}", "").Replace(template)
}

// prober sends requests to the API and judges the answers.
type prober struct {
	t          testing.TB
	doc        *document
	known      *knowledge
	send       func(*http.Request) (*http.Response, error)
	base       string
	key        string
	away       bool                     // Temporal is: 503 is right
	log        func(text string) string // what the server logged with the text
	sent       int
	slowest    time.Duration
	furnishing time.Duration
	slow       string
	seen       map[string]bool // what was reported already
	reached    map[string]int  // successes by operation
}

func (p *prober) operation(method, path string) *documented {
	for i := range p.doc.operations {
		if o := &p.doc.operations[i]; o.method == method && o.path == path {
			return o
		}
	}
	p.t.Fatalf("%s %s is not documented", method, path)
	return nil
}

// do makes a request of the fixture, which must succeed.
func (p *prober) do(method, template, path, body string) map[string]any {
	p.t.Helper()
	a := attempt{operation: p.operation(method, template), path: path, body: []byte(body), header: map[string]string{"Content-Type": "application/json"}}
	status, doc := p.try(&a)
	require.Less(p.t, status, 300, "%s %s: %v", method, path, doc)
	return doc
}

// try sends a request and reports an answer that must not be.
func (p *prober) try(a *attempt) (int, map[string]any) {
	r, err := http.NewRequestWithContext(p.t.Context(), a.operation.method, p.base+a.path, bytes.NewReader(a.body))
	if err != nil {
		return 0, nil // a path that no client could send
	}
	r.Header.Set("Authorization", "Bearer "+p.key)
	for name, value := range a.header {
		r.Header.Set(name, value)
	}
	begun := time.Now()
	resp, err := p.send(r)
	if err != nil {
		p.report(a, "no answer: "+err.Error(), nil)
		return 0, nil
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		p.report(a, "the answer broke off: "+err.Error(), nil)
		return 0, nil
	}
	p.sent++
	if took := time.Since(begun); took > p.slowest {
		p.slowest, p.slow = took, a.operation.String()
	}
	var doc map[string]any
	if strings.Contains(resp.Header.Get("Content-Type"), "json") {
		_ = json.Unmarshal(text, &doc)
	}
	for _, fault := range p.faults(a, resp, text, doc) {
		p.report(a, fault+p.log(resp.Header.Get("X-Request-Id")), text)
	}
	if resp.StatusCode < 300 {
		p.reached[a.operation.String()]++
		p.known.learn(a.operation, a.path, doc)
	}
	return resp.StatusCode, doc
}

// leaks are words that only our own insides use.
var leaks = regexp.MustCompile(`goroutine \d|\.go:\d|\.go\b|runtime error|panic|SQLSTATE|(?i:sqlite)|pgconn|\bpgx\b|constraint failed|syntax error at|no such table|` +
	`sql: |rpc error|\bjson: |unmarshal|Go (value|struct|type)|strconv\.|invalid character '.*' (in|after|looking)|parsing time|context (deadline|canceled)|` +
	`\b(campaign|store|api|workflows|reflect|time|huma|echo|map|interface)\.[A-Z]\w+|map\[|interface \{|\[\]string|/(tmp|root|work|usr|home)/`)

// faults lists what is wrong with an answer.
func (p *prober) faults(a *attempt, resp *http.Response, text []byte, doc map[string]any) []string {
	var out []string
	status, kind := resp.StatusCode, resp.Header.Get("Content-Type")
	// An id may make the path another one's, or no one's.
	lost := strings.Contains(a.spoiled, "path") && (status == http.StatusNotFound || status == http.StatusMethodNotAllowed)
	readiness := a.operation.path == "/readyz"
	answer, listed := a.operation.answers[fmt.Sprint(status)]
	switch {
	case status >= 500 && !readiness && !(p.away && status == http.StatusServiceUnavailable):
		out = append(out, fmt.Sprintf("status %d", status))
	case !listed && !lost && !strings.Contains(a.spoiled, "path"):
		out = append(out, fmt.Sprintf("status %d is not documented", status))
	}
	replayed := resp.Header.Get("Idempotency-Replayed") != "" // with the id of the request it was the answer to
	page := strings.HasPrefix(a.operation.path, "/u/") && strings.HasPrefix(kind, "text/html")
	if status >= 400 && !readiness && !replayed && !page {
		if kind != "application/problem+json" {
			out = append(out, fmt.Sprintf("status %d with content type %q", status, kind))
		}
		if doc["status"] != float64(status) || doc["title"] == "" || doc["detail"] == "" || doc["code"] == "" || doc["request_id"] != resp.Header.Get("X-Request-Id") {
			out = append(out, "not a whole problem")
		}
	}
	if resp.Header.Get("X-Request-Id") == "" {
		out = append(out, "no request id")
	}
	if found := leaks.Find(text[:min(len(text), 16<<10)]); found != nil && strings.Contains(kind, "json") {
		out = append(out, fmt.Sprintf("says %q", found))
	}
	base, _, _ := strings.Cut(kind, ";")
	if content, ok := answer[base]; ok && content.Schema != nil && base == "application/json" && !strings.Contains(a.spoiled, "path") {
		var v any
		if json.Unmarshal(text, &v) != nil && strings.HasSuffix(a.operation.path, "/failed_rows") {
			return out // rows that were no JSON are given back as they came
		} else if json.Unmarshal(text, &v) != nil {
			out = append(out, "not JSON")
		} else if text := p.doc.differs(content.Schema, v, "body"); text != "" {
			out = append(out, "not as documented: "+text)
		}
	} else if status < 300 && len(answer) > 0 && !ok && !strings.Contains(a.spoiled, "path") {
		out = append(out, fmt.Sprintf("content type %q is not documented", kind))
	}
	return out
}

var digits = regexp.MustCompile(`[0-9a-f]{8,}|\d+`)

// report fails the test, once for every fault of an operation.
func (p *prober) report(a *attempt, fault string, answer []byte) {
	first, _, _ := strings.Cut(fault, "\n")
	key := a.operation.String() + digits.ReplaceAllString(first, "0")
	if p.seen[key] {
		return
	}
	p.seen[key] = true
	p.t.Errorf("%s\n  %s %s (spoiled:%s)\n  %v\n  %.400q\n  → %.600s", fault, a.operation.method, shorten(a.path), a.spoiled, a.header, a.body, answer)
}

func shorten(s string) string {
	if len(s) > 300 {
		return s[:300] + "…"
	}
	return s
}

// furnish makes a record of every kind, most of them in more than one state.
func (p *prober) furnish(round int) {
	name := func(s string) string { return fmt.Sprintf("%s %d", s, round) }
	named := func(s string) string { return fmt.Sprintf(`{"name":%q,"kind":"external"}`, name(s)) }
	id := func(doc map[string]any) string { return doc["id"].(string) }
	p.do("PUT", "/v1/settings", "/v1/settings", "{}") // limits of the world before would keep contacts waiting
	for _, s := range []string{"Anna", "Otto"} {
		p.do("POST", "/v1/agents", "/v1/agents", named(s))
	}
	p.do("POST", "/v1/agents", "/v1/agents", fmt.Sprintf(`{"name":%q,"kind":"scripted","result_fields":[{"name":"n","type":"integer"}],"states":[{"name":"start","say":"Hello {{ name }}","replies":[{"match":["/(\\d+)/"],"say":"{{ match[1] }}","results":{"n":"$1"}},{"say":"{{ message }}"}]}]}`, name("Rules")))
	agents := p.known.paths["/v1/agents/{id}"]
	p.do("POST", "/v1/agents/{id}/start", agents[len(agents)-3]+"/start", "")
	p.known.values["agent"] = []string{name("Anna"), name("Otto")}
	box := id(p.do("POST", "/v1/integrations", "/v1/integrations", fmt.Sprintf(`{"name":%q,"provider":"outbox"}`, name("Box"))))
	p.known.values["integration"] = []string{name("Box"), box}
	key := p.do("POST", "/v1/keys", "/v1/keys", `{"name":"crm","role":"viewer"}`)
	remember(p.known.paths, "/v1/keys/{key_id}", "/v1/keys/"+id(key))
	p.do("POST", "/v1/suppressions", "/v1/suppressions", fmt.Sprintf(`{"external_id":%q}`, name("nobody")))
	for _, status := range []string{"draft", "stopped", "paused", "running"} {
		p.furnishCampaign(round, status)
	}
}

func (p *prober) furnishCampaign(round int, status string) {
	const one = "/v1/campaigns/{id}"
	c := "/v1/campaigns/" + p.do("POST", "/v1/campaigns", "/v1/campaigns", `{"name":"Debt","fields":[{"name":"amount","type":"number","indexed":true}],"secrets":{"token":"s3cret"}}`)["id"].(string)
	for _, s := range []string{
		`{"name":"Letter","delivery":{"channel":"email_notification","subject":"Hello","template":"Hello {{ name }}"},"alternatives":[{"label":"short","delivery":{"channel":"email_notification","subject":"Hi","template":"Hi"}}]}`,
		fmt.Sprintf(`{"name":"Chat","delivery":{"channel":"email","agent":"Anna %d","subject":"Hello","template":"Hello {{ name }}"}}`, round),
		`{"name":"Call","delivery":{"channel":"human"}}`,
		`{"name":"Paid","outcome":"success","delivery":{"channel":"none","start_state":"paid"}}`,
	} {
		p.do("POST", one+"/stages", c+"/stages", s)
	}
	for _, s := range []string{
		`{"type":"data_load","code":"from datetime import datetime, timezone\ndef run(contact, existing_contact=None, logger=None, **more):\n    if contact.object_id.startswith('6'):\n        contact.communications.append(Communication(name='Later', stage_name='Letter', start_date=datetime(2031, 1, 1, tzinfo=timezone.utc)))\n    return contact\n"}`,
		`{"type":"aggregation","code":"def run(contact, *rest, **more):\n    return contact\n"}`,
	} {
		p.do("POST", one+"/strategies", c+"/strategies", s)
	}
	for _, n := range strings.Split(map[bool]string{true: "1 2 3 4 5 6", false: "1"}[status == "running"], " ") {
		if p.away {
			break
		}
		p.do("POST", one+"/contacts", c+"/contacts", fmt.Sprintf(`{"object_id":"%[1]s-%[2]s","external_id":"p-%[1]s-%[2]s","name":"Ada","email":"ada-%[2]s@example.com","phone":"+14155550100","parameters":{"amount":12}}`, n, c[len(c)-6:]))
	}
	switch status {
	case "draft":
		return
	case "stopped":
		p.do("POST", one+"/start", c+"/start", "")
		p.do("POST", one+"/stop", c+"/stop", "")
		return
	}
	p.do("POST", one+"/start", c+"/start", "")
	if status == "paused" {
		p.do("POST", one+"/pause", c+"/pause", "")
		return
	}
	if p.away {
		return
	}
	contacts := p.known.paths[one+"/contacts/{contact_id}"]
	move := one + "/contacts/{contact_id}/move"
	contacts = contacts[len(contacts)-6:]
	p.do("POST", move, contacts[0]+"/move", `{"stage_name":"Chat","send_now":true}`)
	p.do("POST", move, contacts[1]+"/move", `{"stage_name":"Letter","send_now":true}`)
	p.do("POST", move, contacts[2]+"/move", `{"stage_name":"Call","send_now":true}`)
	p.do("POST", one+"/contacts/{contact_id}/stop", contacts[3]+"/stop", "")
	p.do("POST", move, contacts[4]+"/move", `{"stage_name":"Chat","send_now":true}`)
	p.do("POST", one+"/contacts/bulk", c+"/contacts/bulk", fmt.Sprintf(`{"filter":{"object_id":"4-%s"},"action":"pause"}`, c[len(c)-6:]))
	of := "?campaign_id=" + strings.TrimPrefix(c, "/v1/campaigns/")
	p.await("/v1/outbox"+of, 3)
	sessions := p.await("/v1/sessions"+of+"&mode=ai", 2)
	p.do("POST", "/v1/sessions/{id}/handoff", "/v1/sessions/"+sessions[0].(map[string]any)["id"].(string)+"/handoff", "")
}

// await lists until there are so many.
func (p *prober) await(path string, n int) []any {
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); {
		if items, _ := p.do("GET", strings.Split(path, "?")[0], path, "")["items"].([]any); len(items) >= n {
			return items
		}
		select {
		case <-p.t.Context().Done():
		case <-time.After(20 * time.Millisecond):
		}
	}
	p.t.Fatalf("%s stays empty", path)
	return nil
}
