package e2e_test

import (
	"encoding/csv"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// applied is an example applied from the command line, with its contacts.
type applied struct{ *scene }

// applyExample runs the commands of a person at a terminal.
func (c *carillon) applyExample(name string) *applied {
	c.t.Helper()
	dir := filepath.Join("..", "examples", name)
	args := []string{"campaign", "apply", filepath.Join(dir, "bundle.yaml"), "--api", c.api, "--key", adminKey}
	require.Contains(c.t, launchOnce(c.t, c.env, append(args, "--dry-run")...), "would be created campaign")
	out := launchOnce(c.t, c.env, append(args, "--contacts", filepath.Join(dir, "contacts.csv"))...)
	rows, err := csv.NewReader(strings.NewReader(string(read(c.t, filepath.Join(dir, "contacts.csv"))))).ReadAll()
	require.NoError(c.t, err)
	require.Contains(c.t, out, "created campaign")
	require.Contains(c.t, out, " 0 failed")
	id := out[strings.Index(out, "(cp_")+1:]
	a := &applied{&scene{carillon: c, id: id[:strings.Index(id, ",")]}}
	require.Len(c.t, a.list(a.path("/contacts")), len(rows)-1)

	// Whatever the hour is, and without waiting for days: the rules and waits are
	// changed over the API, the bundle and its code are as they are.
	a.must(http.MethodPatch, a.path(""), doc{"rules": doc{"hours": nil, "holidays": nil, "max_lateness": nil}})
	require.Contains(c.t, launchOnce(c.t, c.env, append(args, "--dry-run")...), "would be updated campaign", "the difference is seen")
	for _, stage := range a.list(a.path("/stages")) {
		if stage["session_timeout"] != "" && stage["delivery"].(doc)["channel"] == "email_notification" {
			stage["session_timeout"] = "1s"
			a.must(http.MethodPut, a.path("/stages/"+stage["id"].(string)), stage)
		}
	}
	require.Equal(c.t, true, a.get(a.path("/preflight"))["ok"])
	a.start()
	return a
}

// forward brings whatever the contact has planned for a stage forward, when it
// is planned, and waits until it has left.
func (a *applied) forward(object, stage string) doc {
	a.t.Helper()
	var found doc
	eventually(a.t, 40*time.Second, stage+" goes to "+object, func() bool {
		contact := a.contact(object)
		for _, m := range contact["communications"].([]any) {
			m := m.(doc)
			if m["stage_name"] != stage {
				continue
			}
			status := m["status"].(doc)["status"]
			if start, err := time.Parse(time.RFC3339, m["start_date"].(string)); status == "PLANNED" && err == nil && time.Until(start) > time.Second {
				a.do(http.MethodPost, a.path("/contacts/"+contact["id"].(string)+"/reschedule"), doc{"communication_id": m["id"], "start_date": time.Now().UTC().Format(time.RFC3339)})
			}
			if status != "PLANNED" && status != "STARTED" || status == "STARTED" && m["channel"] == "human" {
				found = m
				return true
			}
		}
		return false
	})
	return found
}

// answer is what the contact says to what was sent for the communication.
func (a *applied) answer(m doc, words string) {
	a.t.Helper()
	for _, sent := range a.outbox("") {
		if sent["communication_id"] == m["id"] && sent["payload"].(doc)["reply"] == nil {
			a.post("/v1/outbox/"+sent["id"].(string)+"/reply", doc{"content": words})
			return
		}
	}
	require.FailNow(a.t, "nothing was sent", "%v", m)
}

func (a *applied) news(object, person string, parameters doc) {
	a.t.Helper()
	a.must(http.MethodPost, a.path("/contacts"), doc{"object_id": object, "external_id": person, "parameters": parameters})
}

func (a *applied) endsAt(object, stage, outcome string) {
	a.t.Helper()
	done := a.awaitStatus(object, "completed", 40*time.Second)
	require.Equal(a.t, stage, done["current_stage"])
	require.Equal(a.t, outcome, done["outcome"])
}

// One installation, the four examples beside each other, each along one path.
// All other paths are in package examples, where days pass at once.
func TestTheExamplesFromTheCommandLine(t *testing.T) {
	c := dev(t)
	debt := c.applyExample("debt")
	before := c.applyExample("pre-collection")
	sales := c.applyExample("sales")
	feedback := c.applyExample("feedback")

	debt.forward("D-1001", "1. Payment notice")
	debt.answer(debt.forward("D-1001", "2. WhatsApp conversation"), "I will pay on Friday")
	debt.forward("D-1001", "3. Payment promised")
	debt.news("D-1001", "C-501", doc{"paid": true})
	debt.endsAt("D-1001", "Paid", "success")

	before.forward("L-2001", "1. Reminder e-mail")
	before.answer(before.forward("L-2001", "2. WhatsApp message"), "Yes, of course")
	eventually(t, 20*time.Second, "the call is cancelled", func() bool {
		return before.contact("L-2001")["communications"].([]any)[2].(doc)["status"].(doc)["status"] == "CANCELED"
	})
	before.news("L-2001", "C-601", doc{"paid": true})
	before.endsAt("L-2001", "Paid", "success")

	sales.answer(sales.forward("S-3001", "1. Introduction"), "Sounds good")
	whatsapp := sales.forward("S-3001", "2. WhatsApp qualification")
	sales.answer(whatsapp, "35 drivers")
	eventually(t, 20*time.Second, "the assistant has asked on", func() bool { return len(sales.outbox("")) >= 4 })
	sales.answer(whatsapp, "yes, tomorrow")
	sales.answer(sales.forward("S-3001", "3. Call"), "Thursday")
	sales.endsAt("S-3001", "Meeting booked", "success")

	feedback.forward("O-4002", "1. Survey invitation")
	call := feedback.forward("O-4002", "2. Call")
	feedback.answer(call, "a 5")
	eventually(t, 20*time.Second, "the assistant has asked on", func() bool {
		return feedback.contact("O-4002")["counts"].(doc)["sent"].(float64) >= 3
	})
	feedback.answer(call, "no")
	feedback.endsAt("O-4002", "Participated", "success")

	// What is applied again is put back as the bundle says, and then nothing is left to do.
	args := []string{"campaign", "apply", "../examples/debt/bundle.yaml", "--api", c.api, "--key", adminKey}
	require.Contains(t, launchOnce(t, c.env, args...), "updated campaign    Debt collection: rules\n")
	require.Contains(t, launchOnce(t, c.env, args...), "nothing to change")

	// A file with a bad row: the others are in, and where to read why is said.
	file := filepath.Join(t.TempDir(), "more.csv")
	require.NoError(t, os.WriteFile(file, []byte("object_id,external_id,name,email,phone,account_number,amount,due_date\n"+
		"D-9,C-9,Kim,kim@example.com,+14155550109,0009,12.00,2026-11-01\nD-10,C-10,Lee,lee@example.com,+14155550110,0010,many,2026-11-01\n"), 0o600))
	out, err := launchFailing(t, c.env, "import", "Debt collection", file, "--api", c.api, "--key", adminKey)
	require.Error(t, err)
	require.Contains(t, out, "2 rows: 1 created, 0 updated, 1 failed")
	require.Contains(t, out, "/failed_rows\n")
	require.Contains(t, out, "carillon: 1 of 2 rows failed")
}
