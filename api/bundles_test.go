package api_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"carillon/api"
	"carillon/channels/all"
	"carillon/store"
)

const wholeBundle = `bundle: 1
campaign:
  name: Invoices
  labels: [billing]
  timezone: Europe/Berlin
  fields:
    - name: due_date
      type: date
  rules:
    hours:
      '*':
        mon: [['09:00', '20:00']]
    max_attempts: 4
    exhausted_stage: Unpaid
stages:
  - name: Letter
    session_timeout: 3d
    delivery:
      channel: email
      agent: Anna
      subject: Invoice
      template: |
        Hello {{ name }},

        please pay.
    alternatives:
      - label: short
        weight: 2
        delivery:
          channel: email_notification
          integration: Box
          subject: Invoice
          template: Please pay.
  - name: Unpaid
    outcome: failure
    delivery:
      channel: none
      start_state: unpaid
strategies:
  - type: data_load
    code: |
      # Plans nothing.

      def run(contact, existing_contact, logger, **kwargs):
          return contact
  - name: after
    type: aggregation
    function: decide
    code: |
      def decide(contact, session_results, logger, **kwargs):
          return contact
`

const named = `integrations:
  - name: Box
    provider: outbox
agents:
  - name: Anna
    kind: external
    status: running
    instructions: |
      Be kind.
      Be short.
    integrations:
      email: Box
`

func furnished(t *testing.T) *service {
	t.Helper()
	return serve(t, func(d *api.Deps) {
		d.Runner = newRunner(t)
		d.Channels = all.New(frontBox{d.Store.(*store.Store)})
	})
}

func (s *service) bundle(query, text string) answer {
	s.t.Helper()
	return s.call("POST", "/v1/campaigns/import"+query, text, "Content-Type", "application/yaml")
}

// changes is what an import says it did.
func changes(doc map[string]any) string {
	var out []string
	for _, c := range doc["changes"].([]any) {
		c := c.(map[string]any)
		out = append(out, strings.TrimSpace(fmt.Sprintf("%s %s %s: %s", c["action"], c["kind"], c["name"], c["detail"])))
	}
	return strings.Join(out, "\n")
}

func TestABundleComesBackAsItWas(t *testing.T) {
	t.Parallel()
	s := furnished(t)
	dry := s.bundle("?dry_run=true", wholeBundle+named).ok(200)
	require.Empty(t, s.call("GET", "/v1/campaigns", nil).ok(200)["items"], "a dry run keeps nothing")
	require.Empty(t, s.call("GET", "/v1/agents", nil).ok(200)["items"])
	made := s.bundle("", wholeBundle+named).ok(http.StatusCreated)
	require.Equal(t, "draft", made["status"])
	require.Equal(t, `created integration Box: outbox
created agent Anna: external, running
created campaign Invoices:
created stage Letter: email
created stage Unpaid: none
created strategy data_load: version 1
created strategy after: version 1`, changes(made))
	require.Equal(t, changes(made), changes(dry))

	export := s.call("GET", "/v1/campaigns/"+made["id"].(string)+"/export", nil)
	require.Equal(t, "application/yaml; charset=utf-8", export.Header.Get("Content-Type"))
	require.Equal(t, wholeBundle, string(export.Body))
	again := s.bundle("", string(export.Body)).ok(http.StatusCreated)
	require.NotEqual(t, made["id"], again["id"])
	require.Equal(t, export.Body, s.call("GET", "/v1/campaigns/"+again["id"].(string)+"/export", nil).Body)
	agent := s.call("GET", "/v1/agents/Anna", nil).ok(200)
	require.Equal(t, "running", agent["status"])
	require.Equal(t, s.call("GET", "/v1/integrations/Box", nil).ok(200)["id"], agent["integrations"].(map[string]any)["email"])

	// An agent that exists is used as it is, and what differs is said.
	other := s.bundle("?dry_run=true", wholeBundle+strings.NewReplacer("Be short.", "Be long.", "running", "stopped").Replace(named)).ok(200)
	require.Contains(t, changes(other), "kept agent Anna: instructions, status")
	require.NotContains(t, changes(s.bundle("?dry_run=true", wholeBundle+named).ok(200)), "kept")
}

func TestABundleChangesACampaign(t *testing.T) {
	t.Parallel()
	s := furnished(t)
	id := s.bundle("", wholeBundle+named).ok(http.StatusCreated)["id"].(string)
	into := "?campaign_id=" + id
	require.Empty(t, changes(s.bundle(into, wholeBundle+named).ok(200)), "the same bundle changes nothing")
	require.EqualValues(t, 1, s.call("GET", "/v1/campaigns/"+id, nil).ok(200)["version"])

	// An operator's id where the bundle has a name is no difference.
	stage := s.call("GET", "/v1/campaigns/"+id+"/stages", nil).ok(200)["items"].([]any)[0].(map[string]any)
	stage["delivery"].(map[string]any)["agent"] = s.call("GET", "/v1/agents/Anna", nil).ok(200)["id"]
	s.call("PUT", "/v1/campaigns/"+id+"/stages/"+stage["id"].(string), stage).ok(200)
	require.Empty(t, changes(s.bundle(into, wholeBundle).ok(200)))

	next := strings.NewReplacer(
		"session_timeout: 3d", "session_timeout: 4d", "# Plans nothing.", "# Plans less.", "max_attempts: 4", "max_attempts: 5",
		"  - name: Unpaid\n    outcome", "  - name: Paid\n    delivery: {channel: none, start_state: paid}\n  - name: Gone\n    outcome", "exhausted_stage: Unpaid", "exhausted_stage: Gone",
	).Replace(wholeBundle)
	next = next[:strings.Index(next, "  - name: after")]
	want := `updated campaign Invoices: rules
updated stage Letter: session_timeout
created stage Paid: none
created stage Gone: none
updated strategy data_load: code; version 2
deleted strategy after: aggregation
deleted stage Unpaid:`
	require.Equal(t, want+" if no contact is in it", changes(s.bundle(into+"&dry_run=true", next).ok(200)))
	require.Equal(t, want, changes(s.bundle(into, next).ok(200)))
	require.Empty(t, changes(s.bundle(into, next).ok(200)))
	swapped := strings.Replace(next, "  - name: Gone\n    outcome: failure\n    delivery:\n      channel: none\n      start_state: unpaid\n", "", 1)
	swapped = strings.Replace(swapped, "stages:\n", "stages:\n  - name: Gone\n    outcome: failure\n    delivery:\n      channel: none\n      start_state: unpaid\n", 1)
	require.Equal(t, "updated campaign Invoices: order of the stages", changes(s.bundle(into, swapped).ok(200)))
	s.bundle("?campaign_id=none", next).fails(404)
	s.call("POST", "/v1/campaigns/"+id+"/stop", nil)
	s.bundle(into, next).fails(409)
}

func TestABundleWithFaultsLeavesNothing(t *testing.T) {
	t.Parallel()
	s := furnished(t)
	bad := strings.NewReplacer("please pay.", "please pay {{ name .", "return contact\n  - name", "return = contact\n  - name", "integration: Box", "integration: Nothing",
		"max_attempts: 4", "max_attempts: 4\n    colour: red").Replace(wholeBundle)
	p := s.bundle("", bad).fails(http.StatusUnprocessableEntity)
	require.Len(t, p.Errors, 1, "first the form")
	require.Equal(t, "campaign.rules.colour", p.Errors[0].Field)
	require.Equal(t, 14, p.Errors[0].Line)

	p = s.bundle("", strings.Replace(bad, "    colour: red\n", "", 1)+`agents:
  - name: Otto
    kind: scripted
    integrations: {email: Nowhere}
integrations:
  - name: Mail
    provider: smtp
`).fails(http.StatusUnprocessableEntity)
	var fields []string
	for _, e := range p.Errors {
		fields = append(fields, fmt.Sprintf("%s:%d", e.Field, e.Line))
	}
	require.Subset(t, fields, []string{"agents[0].integrations.email:55", "stages[0].delivery.agent:20", "stages[0].delivery.template:22", "strategies[0].code:4"})
	require.Contains(t, strings.Join(fields, " "), "integrations[0]")
	for _, path := range []string{"/v1/campaigns", "/v1/agents", "/v1/integrations"} {
		require.Empty(t, s.call("GET", path, nil).ok(200)["items"], path)
	}

	s.call("POST", "/v1/campaigns/import", "x", "Content-Type", "text/csv").fails(http.StatusUnsupportedMediaType)
	s.bundle("", "").fails(http.StatusUnprocessableEntity)
	s.bundle("", strings.Repeat("#", 4<<20+1)).fails(http.StatusRequestEntityTooLarge)
}

func TestABundlesIntegrationsCarryTheirChannels(t *testing.T) {
	t.Parallel()
	s := serve(t, func(d *api.Deps) {
		d.Runner, d.Mode = newRunner(t), api.ModeLive
		d.Channels = all.New(frontBox{d.Store.(*store.Store)})
	})
	s.call("POST", "/v1/integrations", `{"name":"Mail","provider":"sendgrid","settings":{"from_email":"a@example.com"},"secrets":{"api_key":"SG.x"}}`).ok(http.StatusCreated)
	p := s.bundle("", `bundle: 1
campaign:
  name: Mixed up
stages:
  - name: Chat
    delivery:
      channel: whatsapp_meta
      agent: Anna
      integration: Mail
      template_name: hello
      start_state: ask
integrations:
  - name: Box
    provider: outbox
agents:
  - name: Anna
    kind: external
    integrations:
      email: Box
      telegram: Mail
`).fails(http.StatusUnprocessableEntity)
	found := map[string]string{}
	for _, e := range p.Errors {
		found[e.Field] = e.Message
	}
	require.Equal(t, map[string]string{
		"stages[0].delivery.integration":  `the integration "Mail" is of sendgrid, which does not carry whatsapp_meta: it carries email_notification, email; choose one of outbox, meta`,
		"agents[0].integrations.telegram": `the integration "Mail" is of sendgrid, which does not carry telegram: it carries email_notification, email; choose one of outbox, telegram`,
	}, found)
}
