package api_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"carillon/api"
	"carillon/campaign"
	"carillon/channels/all"
	"carillon/store"
)

// contract lists the routes of the REST contract that there must be.
const contract = `
GET POST /v1/campaigns
GET PATCH DELETE /v1/campaigns/{id}
POST /v1/campaigns/{id}/start
POST /v1/campaigns/{id}/pause
POST /v1/campaigns/{id}/resume
POST /v1/campaigns/{id}/stop
GET /v1/campaigns/{id}/export
POST /v1/campaigns/import
GET /v1/campaigns/{id}/preflight
GET /v1/campaigns/{id}/analytics
GET /v1/campaigns/{id}/stuck
GET PUT /v1/settings
GET POST /v1/campaigns/{id}/stages
PUT /v1/campaigns/{id}/stages/order
GET PUT DELETE /v1/campaigns/{id}/stages/{stage_id}
POST /v1/campaigns/{id}/stages/{stage_id}/pause
POST /v1/campaigns/{id}/stages/{stage_id}/resume
POST /v1/campaigns/{id}/stages/{stage_id}/preview
POST /v1/campaigns/{id}/stages/{stage_id}/test_send
GET /v1/channels
GET POST /v1/campaigns/{id}/strategies
GET PUT DELETE /v1/campaigns/{id}/strategies/{strategy_id}
GET /v1/campaigns/{id}/strategies/{strategy_id}/code
GET /v1/campaigns/{id}/strategies/{strategy_id}/versions
POST /v1/campaigns/{id}/strategies/{strategy_id}/rollback
POST /v1/campaigns/{id}/strategies/{strategy_id}/test
POST /v1/strategies/check
GET /v1/campaigns/{id}/strategy_runs
GET POST /v1/campaigns/{id}/imports
GET /v1/campaigns/{id}/imports/{import_id}
GET /v1/campaigns/{id}/imports/{import_id}/errors
GET /v1/campaigns/{id}/imports/{import_id}/failed_rows
GET POST /v1/campaigns/{id}/contacts
GET /v1/campaigns/{id}/contacts/export
POST /v1/campaigns/{id}/contacts/bulk
GET PATCH DELETE /v1/campaigns/{id}/contacts/{contact_id}
GET /v1/campaigns/{id}/contacts/{contact_id}/timeline
GET /v1/campaigns/{id}/contacts/{contact_id}/plan
POST /v1/campaigns/{id}/contacts/{contact_id}/retry
POST /v1/campaigns/{id}/contacts/{contact_id}/skip
POST /v1/campaigns/{id}/contacts/{contact_id}/stop
POST /v1/campaigns/{id}/contacts/{contact_id}/pause
POST /v1/campaigns/{id}/contacts/{contact_id}/resume
POST /v1/campaigns/{id}/contacts/{contact_id}/reset
POST /v1/campaigns/{id}/contacts/{contact_id}/restart
POST /v1/campaigns/{id}/contacts/{contact_id}/move
POST /v1/campaigns/{id}/contacts/{contact_id}/reschedule
GET /v1/contacts
GET /v1/campaigns/{id}/communications
GET /v1/campaigns/{id}/decisions
GET /v1/sessions
GET /v1/sessions/export
GET /v1/sessions/{id}
POST /v1/sessions/{id}/messages
POST /v1/sessions/{id}/answers
POST /v1/sessions/{id}/results
POST /v1/sessions/{id}/handoff
POST /v1/sessions/{id}/claim
POST /v1/sessions/{id}/reply
POST /v1/sessions/{id}/notes
POST /v1/sessions/{id}/resolve
POST /v1/sessions/{id}/hand_back
GET /v1/inbox
GET /v1/unmatched
GET POST /v1/agents
GET PUT DELETE /v1/agents/{id}
POST /v1/agents/{id}/start
POST /v1/agents/{id}/stop
POST /v1/agents/{id}/try
GET POST /v1/integrations
GET PUT DELETE /v1/integrations/{id}
POST /v1/integrations/{id}/verify
POST /v1/integrations/{id}/pause
POST /v1/integrations/{id}/resume
GET /v1/outbox
POST /v1/outbox/{id}/reply
POST /v1/outbox/{id}/status
GET POST /v1/suppressions
DELETE /v1/suppressions/{id}
POST /v1/erasures
GET POST /v1/keys
DELETE /v1/keys/{key_id}
GET /v1/audit
GET /v1/jobs/{id}
GET POST /hooks/{provider}/{integration_id}
GET POST /u/{token}
GET /healthz
GET /readyz
GET /metrics
`

// later lists the routes of the contract that are not made yet. One that is
// moves up.
const later = `
POST /v1/campaigns/{id}/dry_runs
POST /v1/campaigns/{id}/simulations
POST /v1/campaigns/{id}/backtests
POST /v1/campaigns/{id}/reviews
GET /v1/campaigns/{id}/contacts/{contact_id}/explain
GET /v1/incidents
POST /v1/incidents/{id}/resolve
GET POST DELETE /v1/webhooks
GET /v1/events
`

// promised are the fields that answers must have, by operation; "items" are
// looked into.
var promised = map[string]string{
	"GET /v1/campaigns/{id}":    "id name description labels timezone status status_message fields rules success egress launch launch.started launch.total finished_at",
	"POST /v1/campaigns/import": "id name status changes changes.action changes.kind changes.name changes.detail",
	"GET /v1/campaigns":         "items next_cursor items.id items.launch",
	"GET /v1/campaigns/{id}/preflight": "ok problems problems.severity problems.code problems.message problems.where contacts will_skip " +
		"will_skip.reason will_skip.count due_at_once launch_estimate",
	"GET /v1/campaigns/{id}/analytics": "total processed completion_rate success_rate by_stage by_stage.stage by_stage.stage_id by_stage.count by_status by_status.status by_status.count " +
		"by_channel by_channel.channel by_channel.sent by_channel.delivered by_channel.read by_channel.replied by_channel.completed by_channel.success by_channel.contacts " +
		"by_alternative by_alternative.stage by_alternative.label by_alternative.weight by_alternative.probability by_alternative.sent by_alternative.delivered by_alternative.read " +
		"by_alternative.replied by_alternative.completed by_alternative.success by_alternative.success_rate outcomes outcomes.of outcomes.outcome outcomes.count " +
		"stage_by_period stage_by_period.period stage_by_period.stage stage_by_period.count stage_by_period.change status_by_period status_by_period.status status_by_period.count",
	"GET /v1/campaigns/{id}/stages/{stage_id}": "id name description position session_timeout send_if outcome weight delivery delivery.channel alternatives " +
		"alternatives.label alternatives.weight alternatives.fallback alternatives.delivery",
	"GET /v1/campaigns/{id}/strategies/{strategy_id}":       "id name type function code version",
	"POST /v1/strategies/check":                             "ok problems problems.severity problems.message problems.line problems.column",
	"POST /v1/campaigns/{id}/strategies/{strategy_id}/test": "contact diff logs",
	"GET /v1/campaigns/{id}/strategy_runs":                  "next_cursor items.at items.type items.version items.contact_id items.status items.duration_ms items.logs items.error items.error.kind items.error.message",
	"POST /v1/campaigns/{id}/imports":                       "id status",
	"GET /v1/campaigns/{id}/imports/{import_id}":            "id status total created updated failed warnings started_at finished_at",
	"GET /v1/campaigns/{id}/imports":                        "next_cursor items.id items.status items.total",
	"GET /v1/campaigns/{id}/contacts": "next_cursor items.id items.campaign_id items.object_id items.external_id items.name items.email items.phone items.timezone " +
		"items.language items.telegram_chat_id items.parameters items.results items.internal_data items.current_stage items.communications items.outcome items.status",
	"GET /v1/campaigns/{id}/contacts/{contact_id}": "workflow_id temporal_url next_action_at held held.cause held.since attention attention.reason attention.detail " +
		"counts counts.sent counts.received updated_at paused idle communications.id communications.name communications.stage_name communications.start_date communications.timeout " +
		"communications.expires_at communications.start_state communications.params communications.status communications.status.status communications.status.at communications.status.reason " +
		"communications.flagged communications.channel communications.alternative communications.session_id communications.provider_message_id communications.results communications.attempt",
	"GET /v1/campaigns/{id}/contacts/{contact_id}/timeline": "items.at items.kind items.summary items.data",
	"GET /v1/campaigns/{id}/contacts/{contact_id}/plan":     "next_action at blockers",
	"POST /v1/campaigns/{id}/contacts/bulk":                 "id status",
	"GET /v1/sessions/{id}": "id campaign_id communication_id contact_id agent_id channel mode state status messages messages.id messages.author messages.content messages.at " +
		"results late created_at ended_at notes notes.id notes.author notes.content notes.at",
	"POST /v1/sessions/{id}/notes":   "id session_id author content at",
	"POST /v1/agents/{id}/try":       "content state results end hand_off reason",
	"GET /v1/sessions":               "next_cursor items.id items.status",
	"POST /v1/sessions/{id}/answers": "id status",
	"GET /v1/agents/{id}":            "id name kind status instructions states result_fields integrations max_sessions daily_sessions settings",
	"GET /v1/integrations/{id}":      "id name provider settings rate_per_second status",
	"GET /v1/outbox":                 "next_cursor items.id items.at items.channel items.to items.subject items.body items.payload items.contact_id items.communication_id items.session_id items.correlation_key",
	"GET /v1/jobs/{id}":              "id status",
	"GET /v1/audit":                  "next_cursor items.at items.actor items.action items.resource",
	"GET /healthz":                   "status",
	"GET /readyz":                    "ready store temporal worker",
}

func routesOf(text string) []string {
	var out []string
	for line := range strings.Lines(strings.TrimSpace(text)) {
		methods := strings.Fields(line)
		for _, method := range methods[:len(methods)-1] {
			out = append(out, method+" "+methods[len(methods)-1])
		}
	}
	return out
}

func TestEveryRouteOfTheContractIsDocumented(t *testing.T) {
	t.Parallel()
	s := serve(t)
	var documented []string
	for _, o := range readDocument(t, s.call("GET", "/openapi.json", nil).Body).operations {
		documented = append(documented, o.String())
	}
	for _, route := range routesOf(contract) {
		require.Contains(t, documented, route)
		method, path, _ := strings.Cut(route, " ")
		a := s.call(method, strings.NewReplacer("{", "", "}", "").Replace(path), nil)
		require.NotEqual(t, http.StatusMethodNotAllowed, a.Status, route)
		if a.Status == http.StatusNotFound { // of a record, not of the path
			require.NotContains(t, string(a.Body), `"detail":"not found"`, route)
		}
	}
	for _, route := range routesOf(later) {
		require.NotContains(t, documented, route, "it is there now: move it from later to contract")
	}
}

func TestAnswersHaveThePromisedFields(t *testing.T) {
	t.Parallel()
	s := serve(t)
	d := readDocument(t, s.call("GET", "/openapi.json", nil).Body)
	for _, o := range d.operations {
		for path := range strings.FieldsSeq(promised[o.String()]) {
			require.Empty(t, d.lacks(d.answerOf(t, &o), strings.Split(path, ".")), "%s: %s", &o, path)
		}
	}
	settings := s.call("GET", "/v1/settings", nil).ok(200) // its schema is that of PUT too, where all may be absent
	for _, name := range []string{"max_per_day", "max_per_week", "min_gap", "retention", "redirect", "default_hours"} {
		require.Contains(t, settings, name)
	}
	for route := range promised {
		require.True(t, slices.ContainsFunc(d.operations, func(o documented) bool { return o.String() == route }), route)
	}
}

// answerOf is the schema of an operation's success.
func (d *document) answerOf(t *testing.T, o *documented) schema {
	t.Helper()
	for _, status := range []string{"200", "201", "202"} {
		if m, ok := o.answers[status]["application/json"]; ok {
			return m.Schema
		}
	}
	require.Fail(t, "no answer of JSON", o.String())
	return nil
}

// lacks says which field of a path a schema does not promise; TestFuzz checks
// that answers keep what schemas promise. The error of a run and the fields of a
// delivery depend on others and may be absent.
func (d *document) lacks(s schema, path []string) string {
	s = d.resolve(s)
	if either, ok := s["oneOf"].([]any); ok {
		return d.lacks(either[0].(map[string]any), path)
	}
	if items, ok := s["items"].(map[string]any); ok {
		return d.lacks(items, path)
	}
	if len(path) == 0 {
		return ""
	}
	required, _ := s["required"].([]any)
	p, ok := s.properties()[path[0]]
	if !ok || !slices.Contains(required, any(path[0])) {
		return path[0]
	}
	return d.lacks(p, path[1:])
}

// workshop is a service with a record of every kind, and no Temporal: bad
// requests are refused before it is asked.
type workshop struct {
	*service
	front    *front
	campaign string // path
	contact  string
	session  string
	agent    string
	box      string
	sent     string // in the outbox
	strategy string
}

func newWorkshop(t *testing.T) *workshop {
	t.Helper()
	s := serve(t, func(d *api.Deps) { d.Channels = all.New(frontBox{d.Store.(*store.Store)}) })
	f := &front{t: t, store: s.store, url: s.url}
	require.NoError(t, s.store.CreateAgent(t.Context(), campaign.Agent{ID: "ag_anna", Name: "Anna", Kind: campaign.AgentExternal, Status: campaign.AgentRunning}))
	c := f.addCampaign(campaign.Running)
	contact := f.addContact(c, "1")
	w := &workshop{service: s, front: f, campaign: "/v1/campaigns/" + c.ID, contact: contactPath(contact), agent: "/v1/agents/ag_anna"}
	w.session = "/v1/sessions/" + f.addSession(contact, func(s *campaign.Session) { s.AgentID = "ag_anna" })
	id := func(a answer) string { return a.ok(a.Status)["id"].(string) }
	w.box = "/v1/integrations/" + id(s.call("POST", "/v1/integrations", `{"name":"Box","provider":"outbox"}`))
	s.call("POST", "/v1/integrations", `{"name":"Other","provider":"outbox"}`).ok(201)
	s.call("POST", "/v1/agents", `{"name":"Otto","kind":"external"}`).ok(201)
	w.strategy = w.campaign + "/strategies/" + id(s.call("POST", w.campaign+"/strategies", `{"type":"data_load","code":"def run(contact, existing_contact, logger):\n    return contact\n"}`))
	w.sent = "/v1/outbox/" + id(s.call("POST", w.letter()+"/test_send", `{"contact":{"name":"Ada"},"to":"me@example.com"}`))
	return w
}

func (w *workshop) letter() string {
	return w.campaign + "/stages/st_" + strings.TrimPrefix(w.campaign, "/v1/campaigns/") + "_Letter"
}

// in gives the workshop another test to report to.
func (w *workshop) in(t *testing.T) *workshop {
	one, s := *w, *w.service
	s.t, one.service = t, &s
	return &one
}

// state is everything that a write could change, the audit log among it.
func (w *workshop) state() string {
	w.t.Helper()
	var out strings.Builder
	for _, path := range []string{
		"/v1/campaigns", w.campaign + "/stages", w.campaign + "/strategies", w.campaign + "/contacts", w.campaign + "/decisions", w.contact, w.session, w.sent,
		"/v1/agents", "/v1/integrations", "/v1/outbox", "/v1/settings", "/v1/suppressions", "/v1/keys", "/v1/audit", "/v1/unmatched",
	} {
		a := w.call("GET", path, nil)
		require.Equal(w.t, 200, a.Status, path)
		out.WriteString(path + " " + string(a.Body) + "\n")
	}
	return out.String()
}

// refuses checks that a request is refused with the fields, and changes nothing.
func (w *workshop) refuses(t *testing.T, method, path string, body any, status int, fields ...string) {
	t.Helper()
	w = w.in(t)
	before := w.state()
	p := w.call(method, path, body).fails(status)
	var named []string
	for _, f := range p.Errors {
		named = append(named, f.Field)
		require.NotEmpty(t, f.Message)
	}
	for _, field := range fields {
		require.Contains(t, named, field, "%s: %v", p.Detail, p.Errors)
	}
	require.Equal(t, before, w.state(), "something was written")
}

func TestBadRequestsAreRefusedWhole(t *testing.T) {
	t.Parallel()
	w := newWorkshop(t)
	c, contacts := w.campaign, w.campaign+"/contacts"
	delivery := `"delivery":{"channel":"email_notification","subject":"Hi","template":"Hi"}`
	for _, tc := range []struct {
		name, method, path, body string
		status                   int
		field                    string
	}{
		{"campaign: an invalid zone", "POST", "/v1/campaigns", `{"name":"x","timezone":"Mars/Base"}`, 422, "timezone"},
		{"campaign: no name", "POST", "/v1/campaigns", `{"name":" "}`, 422, "name"},
		{"campaign: an unknown type of field", "POST", "/v1/campaigns", `{"name":"x","fields":[{"name":"a","type":"colour"}]}`, 422, "fields[0].type"},
		{"campaign: hours of an unknown channel", "POST", "/v1/campaigns", `{"name":"x","rules":{"hours":{"pigeon":{"mon":[["09:00","20:00"]]}}}}`, 422, "rules.hours.pigeon"},
		{"campaign: a bad duration", "POST", "/v1/campaigns", `{"name":"x","rules":{"min_gap":"soon"}}`, 422, "rules.min_gap"},
		{"campaign: an empty outcome", "POST", "/v1/campaigns", `{"name":"x","success":{"outcomes":[""]}}`, 422, "success.outcomes[0]"},
		{"campaign: a change to an invalid zone", "PATCH", c, `{"timezone":"Mars/Base","description":"new"}`, 422, "timezone"},
		{"campaign: a change to no name, with a secret", "PATCH", c, `{"name":null,"secrets":{"token":"s3cret"}}`, 422, "name"},
		{"campaign: deleted while it runs", "DELETE", c, "", 409, ""},
		{"campaign: started twice", "POST", c + "/start", "", 409, ""},
		{"campaign: resumed in a way there is not", "POST", c + "/resume", `{"policy":"later"}`, 422, "policy"},
		{"campaign: resumed spread over nothing", "POST", c + "/resume", `{"policy":"spread"}`, 422, "over"},
		{"stage: an unknown channel", "POST", c + "/stages", `{"name":"x","delivery":{"channel":"pigeon"}}`, 422, "delivery.channel"},
		{"stage: a weight below 0", "POST", c + "/stages", `{"name":"x","weight":-1,` + delivery + `}`, 422, "weight"},
		{"stage: an alternative's weight below 0", "POST", c + "/stages", `{"name":"x",` + delivery + `,"alternatives":[{"label":"a","weight":-1,` + delivery + `}]}`, 422, "alternatives[0].weight"},
		{"stage: a template that does not parse", "POST", c + "/stages", `{"name":"x","delivery":{"channel":"email_notification","subject":"Hi","template":"{{ name"}}`, 422, "delivery.template"},
		{"stage: an unknown agent", "POST", c + "/stages", `{"name":"x","delivery":{"channel":"email","agent":"Nobody","subject":"Hi","template":"Hi"}}`, 422, "delivery.agent"},
		{"stage: a name that is taken", "POST", c + "/stages", `{"name":"Letter",` + delivery + `}`, 409, "name"},
		{"stage: replaced with a weight below 0", "PUT", w.letter(), `{"name":"Letter","weight":-0.5,` + delivery + `}`, 422, "weight"},
		{"stage: replaced with a name that is taken", "PUT", w.letter(), `{"name":"Chat",` + delivery + `}`, 409, "name"},
		{"stage: replaced with a bad time-out", "PUT", w.letter(), `{"name":"Letter","session_timeout":"soon",` + delivery + `}`, 422, "session_timeout"},
		{"stage: deleted in use", "DELETE", w.letter(), "", 409, "stage_id"},
		{"stages: an order that leaves one out", "PUT", c + "/stages/order", `{"stage_ids":["` + w.letter() + `"]}`, 409, "stage_ids"},
		{"stage: resumed though it is not paused", "POST", w.letter() + "/resume", `{"policy":"now"}`, 409, ""},
		{"stage: resumed over a bad span", "POST", w.letter() + "/resume", `{"policy":"spread","over":"long"}`, 422, "over"},
		{"stage: previewed for nobody", "POST", w.letter() + "/preview", `{}`, 422, "contact"},
		{"stage: sent on trial to nowhere", "POST", w.letter() + "/test_send", `{"contact":{"name":"Ada"}}`, 422, "to"},
		{"stage: an unknown alternative on trial", "POST", w.letter() + "/test_send", `{"contact":{"name":"Ada"},"to":"a@example.com","alternative":"none"}`, 422, "alternative"},
		{"strategy: an unknown type", "POST", c + "/strategies", `{"type":"magic","code":"x"}`, 422, "type"},
		{"strategy: no code", "POST", c + "/strategies", `{"type":"aggregation","code":""}`, 422, "code"},
		{"strategy: a second one of its type", "POST", c + "/strategies", `{"type":"data_load","code":"def run(contact):\n    return contact\n"}`, 409, "type"},
		{"strategy: changed to a type there is not", "PUT", w.strategy, `{"type":"magic"}`, 422, "type"},
		{"strategy: changed to a function that is no name", "PUT", w.strategy, `{"function":"1 + 1"}`, 422, "function"},
		{"strategy: back to a version there is not", "POST", w.strategy + "/rollback", `{"version":99}`, 422, "version"},
		{"strategy: checked without a type", "POST", "/v1/strategies/check", `{"code":"x"}`, 422, "type"},
		{"strategy: tried now, in words", "POST", w.strategy + "/test", `{"contact":{},"now":"noon"}`, 422, "now"},
		{"contact: a malformed e-mail", "POST", contacts, `{"object_id":"1","external_id":"p-1","email":"x"}`, 422, "email"},
		{"contact: no name", "POST", contacts, `{"object_id":"2","external_id":"p-2"}`, 422, "name"},
		{"contact: no object_id", "POST", contacts, `{"object_id":"","external_id":"p-2","name":"Bob"}`, 422, "object_id"},
		{"contact: an object_id of NUL", "POST", contacts, `{"object_id":"\u0000","external_id":"p-2","name":"Bob"}`, 422, "object_id"},
		{"contact: changed to a malformed e-mail", "PATCH", w.contact, `{"name":"New","email":"x"}`, 422, "email"},
		{"contact: a system field as a parameter", "PATCH", w.contact, `{"parameters":{"Object ID":"2"}}`, 422, "parameters.Object ID"},
		{"contact: moved to an unknown stage", "POST", w.contact + "/move", `{"stage_name":"Nowhere"}`, 422, "stage_name"},
		{"contact: an unknown communication rescheduled", "POST", w.contact + "/reschedule", `{"communication_id":"none","start_date":"2030-01-01T00:00:00Z"}`, 422, "communication_id"},
		{"contact: rescheduled to no date", "POST", w.contact + "/reschedule", `{"communication_id":"none","start_date":"tomorrow"}`, 422, "start_date"},
		{"contact: stopped for too long a reason", "POST", w.contact + "/stop", `{"reason":"` + strings.Repeat("x", 501) + `"}`, 422, "reason"},
		{"contact: resumed though it is not paused", "POST", w.contact + "/resume", `{"policy":"now"}`, 409, ""},
		{"contact: restarted before it started", "POST", w.contact + "/restart", "", 409, ""},
		{"contacts: an unknown action", "POST", contacts + "/bulk", `{"filter":{},"action":"dance"}`, 422, "action"},
		{"contacts: an unknown filter", "POST", contacts + "/bulk", `{"filter":{"colour":"red"},"action":"stop"}`, 422, "filter.colour"},
		{"contacts: moved to an unknown stage", "POST", contacts + "/bulk", `{"filter":{},"action":"move","stage_name":"Nowhere"}`, 422, "stage_name"},
		{"contacts: rescheduled to no date", "POST", contacts + "/bulk", `{"filter":{},"action":"reschedule"}`, 422, "start_date"},
		{"import: a mapping that is none", "POST", c + "/imports?mapping=x", "name\nAda\n", 422, "mapping"},
		{"import: an unknown query", "POST", c + "/imports?colour=red", "name\nAda\n", 422, "query.colour"},
		{"session: a message of nothing", "POST", w.session + "/messages", `{"content":""}`, 422, "content"},
		{"session: an answer of nothing", "POST", w.session + "/answers", `{"content":"","state":"x"}`, 422, "content"},
		{"session: an end there is not", "POST", w.session + "/results", `{"status":"happy","results":{"a":1}}`, 422, "status"},
		{"session: results that are too large", "POST", w.session + "/results", `{"results":{"a":"` + strings.Repeat("x", 20_000) + `"}}`, 422, "results"},
		{"session: a person's reply to an agent's", "POST", w.session + "/reply", `{"content":"Hello"}`, 409, ""},
		{"session: resolved in a way there is not", "POST", w.session + "/resolve", `{"status":"happy"}`, 422, "status"},
		{"session: claimed though it is its agent's", "POST", w.session + "/claim", "", 409, ""},
		{"agent: an unknown kind", "POST", "/v1/agents", `{"name":"x","kind":"robot"}`, 422, "kind"},
		{"agent: no place", "POST", "/v1/agents", `{"name":"x","kind":"external","max_sessions":0}`, 422, "max_sessions"},
		{"agent: a name that is taken, with a secret", "PUT", w.agent, `{"name":"Otto","kind":"external","secrets":{"api_key":"s3cret"}}`, 409, "name"},
		{"agent: an expression that is none", "PUT", w.agent, `{"name":"Anna","kind":"scripted","states":[{"name":"a","replies":[{"match":["/(/"]}]}]}`, 422, "states[0].replies[0].match[0]"},
		{"agent: a script without states", "POST", "/v1/agents", `{"name":"x","kind":"scripted"}`, 422, "states"},
		{"agent: tried with an unknown author", "POST", w.agent + "/try", `{"messages":[{"author":"ghost","content":"x"}]}`, 422, "messages[0].author"},
		{"agent: an external one is not tried", "POST", w.agent + "/try", `{"content":"Hello"}`, 409, ""},
		{"session: a note of nothing", "POST", w.session + "/notes", `{"content":" "}`, 422, "content"},
		{"agent: an integration there is not", "PUT", w.agent, `{"name":"Anna","kind":"external","integrations":{"email":"none"}}`, 422, "integrations.email"},
		{"agent: deleted in use", "DELETE", w.agent, "", 409, ""},
		{"integration: an unknown provider", "POST", "/v1/integrations", `{"name":"x","provider":"pigeon"}`, 422, "provider"},
		{"integration: a rate below 0", "POST", "/v1/integrations", `{"name":"x","provider":"outbox","rate_per_second":-1}`, 422, "rate_per_second"},
		{"integration: a setting there is not", "PUT", w.box, `{"name":"Box","provider":"outbox","settings":{"colour":"red"}}`, 422, "settings.colour"},
		{"integration: a name that is taken", "PUT", w.box, `{"name":"Other","provider":"outbox"}`, 409, "name"},
		{"integration: resumed though it is not paused", "POST", w.box + "/resume", `{"policy":"now"}`, 409, ""},
		{"outbox: a reply of nothing", "POST", w.sent + "/reply", `{"content":""}`, 422, "content"},
		{"outbox: a status there is not", "POST", w.sent + "/status", `{"status":"eaten"}`, 422, "status"},
		{"outbox: a reply to a message on trial", "POST", w.sent + "/reply", `{"content":"Hello"}`, 409, ""},
		{"outbox: the status of a message on trial", "POST", w.sent + "/status", `{"status":"read"}`, 409, ""},
		{"settings: a limit below 0", "PUT", "/v1/settings", `{"max_per_day":-1}`, 422, "max_per_day"},
		{"settings: a channel there is not", "PUT", "/v1/settings", `{"redirect":{"pigeon":"x"}}`, 422, "redirect.pigeon"},
		{"settings: a week shorter than a day", "PUT", "/v1/settings", `{"max_per_day":3,"max_per_week":2}`, 422, "max_per_week"},
		{"suppression: of nobody", "POST", "/v1/suppressions", `{}`, 422, "external_id"},
		{"suppression: an unknown channel", "POST", "/v1/suppressions", `{"external_id":"x","channel":"pigeon"}`, 422, "channel"},
		{"erasure: of nobody", "POST", "/v1/erasures", `{"external_id":""}`, 422, "external_id"},
		{"key: an unknown role", "POST", "/v1/keys", `{"name":"x","role":"king"}`, 422, "role"},
		{"key: no name", "POST", "/v1/keys", `{"name":" ","role":"viewer"}`, 422, "name"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var fields []string
			if tc.field != "" {
				fields = append(fields, tc.field)
			}
			w.refuses(t, tc.method, tc.path, tc.body, tc.status, fields...)
		})
	}
}

// TestEveryBodyIsChecked spoils the body of every operation that takes JSON: an
// unknown field, a wrong type in each field, no JSON at all, another media type.
func TestEveryBodyIsChecked(t *testing.T) {
	t.Parallel()
	w := newWorkshop(t)
	d := readDocument(t, w.call("GET", "/openapi.json", nil).Body)
	for _, o := range d.operations {
		content, ok := o.bodies["application/json"]
		if !ok || content.Schema == nil {
			continue
		}
		t.Run(o.String(), func(t *testing.T) {
			path := w.concrete(o.path)
			w.refuses(t, o.method, path, with(content.Example, "colour", "red"), 422, "colour")
			w.refuses(t, o.method, path, `{"name":`, 400, "body")
			w.refuses(t, o.method, path, `[]`, 422, "body")
			w := w.in(t)
			before := w.state()
			w.call(o.method, path, "a: b", "Content-Type", "application/yaml").fails(http.StatusUnsupportedMediaType)
			require.Equal(t, before, w.state())
			for name, p := range ordered(d.resolve(content.Schema).properties()) {
				if types := d.resolve(p).types(); p["readOnly"] != true && len(types) > 0 {
					w.refuses(t, o.method, path, with(content.Example, name, wrong(types)), 422, name)
				}
			}
		})
	}
}

// concrete is the path of an operation on the workshop's records.
func (w *workshop) concrete(path string) string {
	for _, r := range []struct{ from, to string }{
		{"/v1/campaigns/{id}/contacts/{contact_id}", w.contact},
		{"/v1/campaigns/{id}/stages/{stage_id}", w.letter()},
		{"/v1/campaigns/{id}/strategies/{strategy_id}", w.strategy},
		{"/v1/campaigns/{id}", w.campaign},
		{"/v1/sessions/{id}", w.session},
		{"/v1/agents/{id}", w.agent},
		{"/v1/integrations/{id}", w.box},
		{"/v1/outbox/{id}", w.sent},
	} {
		if rest, ok := strings.CutPrefix(path, r.from); ok {
			return r.to + rest
		}
	}
	return path
}

// with is an object with one field set.
func with(object any, name string, v any) map[string]any {
	out := map[string]any{}
	if fields, ok := object.(map[string]any); ok {
		for k, value := range fields {
			out[k] = value
		}
	}
	out[name] = v
	return out
}

// wrong is a value of none of the types.
func wrong(types []string) any {
	for _, v := range []any{"x", []any{}, map[string]any{"a": 1.0}, true, 0.5} {
		if !slices.ContainsFunc(types, func(t string) bool { return isA(v, t) }) {
			return v
		}
	}
	panic(fmt.Sprint("every type is right: ", types))
}

// TestTextsOfNoDatabase sends what PostgreSQL refuses where texts are kept.
func TestTextsOfNoDatabase(t *testing.T) {
	t.Parallel()
	w := newWorkshop(t)
	for _, tc := range []struct{ name, path, body string }{
		{"a name", "/v1/campaigns", `{"name":"a` + `\u0000` + `b","description":"` + "\xff" + `"}`},
		{"labels", "/v1/campaigns", `{"name":"x","labels":["\ud800"],"secrets":{"a\u0000":"b\u0000"}}`},
		{"a suppression", "/v1/suppressions", `{"external_id":"a\u0000b"}`},
		{"a message", w.session + "/messages", `{"content":"a\u0000b\ud800"}`},
		{"results", w.session + "/results", `{"results":{"a\u0000":"\udfff","b":["\u0000` + "\xff" + `"]}}`},
		{"an agent", "/v1/agents", `{"name":"a\u0000b","kind":"external","instructions":"` + "\xc3" + `"}`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			a := w.in(t).call("POST", tc.path, tc.body)
			require.Less(t, a.Status, 300, "%s", a.Body)
			require.True(t, json.Valid(a.Body))
			require.NotContains(t, string(a.Body), `\u0000`)
		})
	}
	for _, path := range []string{"/v1/campaigns/%00", "/v1/agents/%ff", w.campaign + "/contacts/%00%ff"} {
		w.call("GET", path, nil).fails(http.StatusNotFound)
	}
	for _, path := range []string{"/v1/campaigns?q=%00", "/v1/sessions?contact_id=%ff", w.campaign + "/contacts?q=%00a&field.%00=%ff", w.campaign + "/contacts?stage=%ff"} {
		w.call("GET", path, nil).ok(200)
	}
	for _, name := range []string{"a", "", "$", "$[", "[0]", "[x", `a"b`, `a\`, "a.b", "'"} {
		list := w.call("GET", w.campaign+"/contacts?"+url.Values{"field." + name + "x": {"1"}, "field[" + name + "]": {"1"}}.Encode(), nil).ok(200)
		require.Empty(t, list["items"], name)
	}
}
