package e2e_test

import (
	"context"
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"carillon/channels/bird/birdtest"
	"carillon/channels/fault"
	"carillon/channels/whatsapp/metatest"
)

// line is a fake provider as the stories need it: a line to people who are
// reached by their numbers.
type line struct {
	channel     string
	address     func(i int) string // of the i-th person; one who opted out is known by it
	column      string             // of the import, that holds it
	env         []string           // that carillon needs to reach it
	integration doc                // the body that makes it
	delivery    doc                // of a stage that opens a conversation
	hooks       *fault.Hooks
	always      func(*fault.Fault)
	held        func() int
	subscribe   func(address string) error
	say         func(from, text string)
	sent        func() []text
	reports     func(id, status string)
	times       func() map[string]int
	refused     func() []string
	opening     func(name string) string // as sent tells it
}

// name is the provider's.
func (l *line) name() string { return l.integration["provider"].(string) }

// text is a message that a fake accepted.
type text struct{ id, to, key, words string }

const (
	metaToken  = "EAA-the-token-that-must-be-seen-nowhere"
	birdKey    = "the-bird-key-that-must-be-seen-nowhere"
	appSecret  = "the-app-secret-that-must-be-seen-nowhere"
	signingKey = "the-signing-key-that-must-be-seen-nowhere"
)

var debtTemplate = metatest.Template{Name: "debt", Language: "en_US", Status: "APPROVED", Body: "Hello {{1}}, you owe {{2}}."}

func metaLine(t *testing.T) (*line, *metatest.Server) {
	t.Helper()
	fake := metatest.New(t, metaToken, debtTemplate)
	find := func(id string) (m metatest.Message) {
		for _, m = range fake.Accepted() {
			if m.ID == id {
				return m
			}
		}
		return m
	}
	return &line{
		channel: "whatsapp_meta", column: "phone", address: number("555"), hooks: fake.Hooks, always: fake.Always, held: fake.Held,
		integration: doc{
			"provider": "meta", "secrets": doc{"access_token": metaToken, "app_secret": appSecret, "verify_token": "a word"},
			"settings": doc{"phone_number_id": metatest.Number, "waba_id": metatest.Account, "base_url": fake.URL},
		},
		delivery:  doc{"channel": "whatsapp_meta", "template_name": "debt", "start_state": "ask", "variables": doc{"1": "{{ name }}", "2": "{{ parameters.amount }}"}},
		subscribe: func(address string) error { return fake.Subscribe(t.Context(), address, "a word", appSecret) },
		say:       func(from, words string) { fake.Say(from, words) },
		reports: func(id, status string) {
			if status == "failed" {
				fake.Report(find(id), status, map[string]any{"errors": []any{map[string]any{"code": 131026, "title": "Message undeliverable"}}})
				return
			}
			fake.Report(find(id), status)
		},
		times: fake.Times, refused: fake.Refused,
		opening: func(name string) string { return "debt(" + name + ", 120 EUR)" },
		sent: func() (all []text) {
			for _, m := range fake.Accepted() {
				words := m.Text
				if m.Template != "" {
					words = m.Template + "(" + strings.Join(m.Variables, ", ") + ")"
				}
				all = append(all, text{m.ID, "+" + m.To, m.Correlation, words})
			}
			return all
		},
	}, fake
}

func birdLine(t *testing.T) (*line, *birdtest.Server) {
	t.Helper()
	fake := birdtest.New(t, birdKey, time.Now)
	find := func(id string) (m birdtest.Message) {
		for _, m = range fake.Accepted() {
			if m.ID == id {
				return m
			}
		}
		return m
	}
	return &line{
		channel: "whatsapp_bird", column: "phone", address: number("556"), hooks: fake.Hooks, always: fake.Always, held: fake.Held,
		integration: doc{
			"provider": "bird", "secrets": doc{"access_key": birdKey, "signing_key": signingKey},
			"settings": doc{"workspace_id": birdtest.Workspace, "channel_id": birdtest.Channel, "base_url": fake.URL},
		},
		delivery: doc{
			"channel": "whatsapp_bird", "project_id": "1c2a1c0e-0000-4000-8000-00000000000d", "version": "latest", "start_state": "ask",
			"variables": doc{"name": "{{ name }}", "amount": "{{ parameters.amount }}"},
		},
		subscribe: func(address string) error { fake.Subscribe(address, signingKey); return nil },
		say:       func(from, words string) { fake.Say(from, words) },
		reports: func(id, status string) {
			if status == "failed" {
				fake.Report(find(id), "sending_failed", map[string]any{"code": 15005, "description": "Message undeliverable"})
				return
			}
			fake.Report(find(id), status, nil)
		},
		times: fake.Times, refused: fake.Refused,
		opening: func(name string) string { return "latest(amount=120 EUR, name=" + name + ")" },
		sent: func() (all []text) {
			for _, m := range fake.Accepted() {
				words := m.Text
				if m.Project != "" {
					words = m.Version + "(" + strings.Join(m.Parameters, ", ") + ")"
				}
				all = append(all, text{m.ID, m.To, m.Reference, words})
			}
			return all
		},
	}, fake
}

// number makes phone numbers of a line's own.
func number(exchange string) func(int) string {
	return func(i int) string { return fmt.Sprintf("+1415%s%04d", exchange, 100+i) }
}

// spoken is a running campaign whose contacts are written to over a line by an
// agent by rules; they are named by their object ids.
type spoken struct {
	*scene
	*line
	person map[string]string // their addresses
}

func (c *carillon) spoken(l *line, contacts ...string) *spoken {
	c.t.Helper()
	s := &spoken{scene: c.campaign(doc{"name": "Over " + l.name()}), line: l, person: map[string]string{}}
	l.integration["name"] = "Line of " + l.name()
	s.integrationID = s.post("/v1/integrations", l.integration)["id"].(string)
	if l.subscribe != nil {
		require.NoError(c.t, l.subscribe(s.hook()))
	}
	agent := rules("Rules of " + l.name())
	agent["integrations"] = doc{l.channel: s.integrationID}
	s.agentID = s.post("/v1/agents", agent)["id"].(string)
	s.post("/v1/agents/"+s.agentID+"/start", nil)
	l.delivery["agent"] = s.agentID
	s.stage("Talk", l.delivery)
	s.stage("Done", doc{"channel": "none", "start_state": "done"}, doc{"outcome": "success"})
	s.strategy("data_load", planTomorrow)
	s.strategy("aggregation", remember)
	var file strings.Builder
	file.WriteString("object_id,external_id,name,email,phone,telegram_chat_id,plan,amount\n")
	for i, name := range contacts {
		name, plan, ok := strings.Cut(name, ": ")
		if !ok {
			plan = "Talk"
		}
		s.person[name] = l.address(i)
		at := map[string]string{l.column: s.person[name]}
		fmt.Fprintf(&file, "%s,%s of %s,%s,%s,%s,%s,%s,120 EUR\n", name, name, s.id, name, at["email"], at["phone"], at["telegram_chat_id"], plan)
	}
	require.EqualValues(c.t, len(contacts), s.upload("text/csv", []byte(file.String()))["created"])
	s.start()
	eventually(c.t, patience, "all have started", func() bool { return len(s.contacts("&status=active")) == len(contacts) })
	return s
}

// hook is the address of the line's webhook, as its provider is given it.
func (s *spoken) hook() string {
	return s.api + "/hooks/" + s.line.name() + "/" + s.integrationID
}

func (s *spoken) at(t *testing.T) *spoken {
	one := *s
	one.scene = s.in(t)
	return &one
}

// reached is what a contact's number got, oldest first.
func (s *spoken) reached(name string) (all []text) {
	for _, m := range s.sent() {
		if m.to == s.person[name] {
			all = append(all, m)
		}
	}
	return all
}

// gets waits for the n-th message to a contact.
func (s *spoken) gets(name string, n int, words string) text {
	s.t.Helper()
	eventually(s.t, patience, fmt.Sprintf("%s gets %q", name, words), func() bool { return len(s.reached(name)) >= n })
	all := s.reached(name)
	require.Len(s.t, all, n)
	require.Equal(s.t, words, all[n-1].words)
	return all[n-1]
}

// opens sends the opening to a contact.
func (s *spoken) opens(name string) text {
	s.t.Helper()
	s.bringForward(name, "Talk")
	return s.gets(name, 1, s.opening(name))
}

var changing = regexp.MustCompile(`im_\w+|\d{4}-\d\d-\d\dT[\d:]+Z`)

// story is a contact's timeline as one reads it, but for ids and times.
func (s *scene) story(objectID string) (lines []string) {
	s.t.Helper()
	for _, d := range s.list(s.of(objectID) + "/timeline?limit=500") {
		lines = append(lines, d["kind"].(string)+": "+changing.ReplaceAllString(d["summary"].(string), "…"))
	}
	return lines
}

// untilTold waits until a contact's timeline has a decision of the kind.
func (s *scene) untilTold(objectID, kind string) {
	s.t.Helper()
	s.until(objectID, "told of "+kind, func(doc) bool { return strings.Contains(" "+s.kinds(objectID)+" ", " "+kind+" ") })
}

// most is how often the message came that came most often.
func most(times map[string]int) (n int) {
	for _, times := range times {
		n = max(n, times)
	}
	return n
}

// hooked posts as anybody might, and returns the status.
func hooked(ctx context.Context, address string, body string) int {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, address, strings.NewReader(body))
	if err != nil {
		return 0
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		return 0
	}
	_ = resp.Body.Close()
	return resp.StatusCode
}
