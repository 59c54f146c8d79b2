//go:build chaos

package e2e_test

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestChaos kills parts of a running campaign with SIGKILL at random moments
// and starts them again. Whatever is killed, every contact ends and every
// planned message is in the outbox exactly once. ROUNDS sets the kills per
// case (20), CONTACTS the contacts (500), SEED the moments.
func TestChaos(t *testing.T) {
	for _, name := range []string{
		"everything on SQLite", "worker on SQLite", "api on SQLite", "temporal on SQLite",
		"everything on PostgreSQL", "worker on PostgreSQL", "api on PostgreSQL", "temporal on PostgreSQL",
	} {
		t.Run(name, func(t *testing.T) { chaos(t, name) })
	}
}

func chaos(t *testing.T, name string) {
	victim, _, _ := strings.Cut(name, " ")
	var c *house
	if name == "everything on SQLite" {
		c = &house{carillon: dev(t)}
	} else {
		c = apart(t, strings.HasSuffix(name, "PostgreSQL"))
	}
	contacts, rounds := setting("CONTACTS", 500), setting("ROUNDS", 20)
	seed := uint64(setting("SEED", int(time.Now().UnixNano()%1e6)))
	t.Logf("seed %d", seed)
	dice := rand.New(rand.NewPCG(seed, 1))

	s := c.campaign(doc{"name": "Chaos"})
	agent := c.agent("Chaos", doc{"kind": "scripted", "states": []doc{{"name": "talk", "replies": []doc{
		{"match": []string{"hello"}, "say": "Hello, {{ name }}.", "results": doc{"Greeted": true}},
	}}}})
	s.stage("Notice", doc{"channel": "email_notification", "integration": "outbox", "subject": "Notice", "template": "{{ name }}"})
	s.stage("Talk", doc{"channel": "email", "agent": agent, "subject": "Talk", "template": "{{ name }}"}, doc{"session_timeout": "3s"})
	s.stage("Goodbye", doc{"channel": "email_notification", "integration": "outbox", "subject": "Goodbye", "template": "{{ name }}"})
	s.stage("End", doc{"channel": "none", "start_state": "end"}, doc{"outcome": "success"})
	s.strategy("data_load", fmt.Sprintf(`
import hashlib
async def run(contact, existing_contact, logger, **kwargs):
    spread = int(hashlib.sha256(contact.object_id.encode()).hexdigest(), 16) %% %d
    contact.communications.append(Communication(name="Notice", stage_name="Notice", start_date=datetime.now() + timedelta(milliseconds=spread)))
    return contact
`, 1000+rounds*1500))
	s.strategy("aggregation", `
NEXT = {"Notice": "Talk", "Talk": "Goodbye"}
async def run(contact, session_results, logger, **kwargs):
    nxt = NEXT.get(session_results["StageName"])
    if nxt is None:
        contact.current_stage = "End"
    elif not any(c.stage_name == nxt for c in contact.communications):  # a late reply is aggregated too
        contact.communications.append(Communication(name=nxt, stage_name=nxt, start_date=datetime.now() + timedelta(seconds=1)))
    return contact
`)
	var file strings.Builder
	file.WriteString("object_id,external_id,name,email,phone\n")
	for i := range contacts {
		fmt.Fprintf(&file, "O-%d,E-%d,Name %d,n%d@example.com,\n", i, i, i, i)
	}
	s.upload("text/csv", []byte(file.String()))
	s.start()

	stop := make(chan struct{})
	var replies sync.WaitGroup
	var said []string
	replies.Go(func() { said = answerTalks(s, stop) })
	var pauses sync.WaitGroup
	pauses.Go(func() { pauseTwice(s, rand.New(rand.NewPCG(seed, 2)), time.Duration(rounds)*time.Second/2) })
	for range rounds {
		<-time.After(time.Duration(300+dice.IntN(2200)) * time.Millisecond)
		c.strike(victim)
	}
	pauses.Wait()
	await := time.Now().Add(5 * time.Minute)
	left := -1
	for left != 0 && time.Now().Before(await) {
		left = contacts - len(s.all("/contacts", "&status=completed"))
		<-time.After(300 * time.Millisecond)
	}
	close(stop)
	replies.Wait()
	if left != 0 {
		for _, x := range s.all("/contacts", "") {
			if x["status"] != "completed" {
				timeline := s.must(http.MethodGet, s.path("/contacts/"+x["id"].(string)+"/timeline"), nil)
				t.Logf("left over: %v\n%s", x, timeline.body)
				break
			}
		}
	}
	require.Zero(t, left, "contacts that did not end")
	counts := map[string]int{}
	answered := map[string]bool{}
	for _, m := range s.allOutbox() {
		if strings.HasPrefix(m["body"].(string), "Hello, ") {
			require.False(t, answered[m["contact_id"].(string)], "the agent answered twice")
			answered[m["contact_id"].(string)] = true
			continue
		}
		counts[m["contact_id"].(string)+" "+m["subject"].(string)]++
	}
	for _, m := range s.pages("/v1/unmatched?limit=500") { // it came when its contact had ended
		answered[m["contact_id"].(string)] = true
	}
	for _, contact := range said { // one whose acceptance was lost may be answered as well
		require.True(t, answered[contact], "what %s said was never answered", contact)
	}
	var twice []string
	for key, n := range counts {
		if n != 1 {
			twice = append(twice, fmt.Sprintf("%s ×%d", key, n))
		}
	}
	require.Empty(t, twice, "sent more than once")
	require.Len(t, counts, 3*contacts, "three messages per contact")
	t.Logf("%d contacts, %d kills of %s: %d messages and %d answers of the agent, each once", contacts, rounds, victim, len(counts), len(answered))
}

// pauseTwice pauses and resumes the campaign at random moments, each time within
// a span, so that holds and releases too are under way when something dies.
func pauseTwice(s *scene, dice *rand.Rand, within time.Duration) {
	for range 2 {
		<-time.After(time.Duration(dice.Int64N(int64(within) + 1)))
		repeat(s, "/pause", nil)
		<-time.After(time.Duration(1000+dice.IntN(3000)) * time.Millisecond)
		repeat(s, "/resume", doc{"policy": "now"})
	}
}

// repeat asks until it is accepted. A conflict says that it was, and that only
// the answer was lost.
func repeat(s *scene, action string, body any) {
	for deadline := time.Now().Add(2 * time.Minute); time.Now().Before(deadline); <-time.After(200 * time.Millisecond) {
		a, err := s.try(http.MethodPost, s.path(action), body)
		if err == nil && (a.status < 300 || a.status == http.StatusConflict) {
			return
		}
	}
	s.t.Errorf("%s was not accepted within two minutes", action)
}

// answerTalks lets every fifth contact answer, so that replies too are in
// flight when something dies. A lost answer is repeated with its key. It returns
// the contacts whose answer was accepted.
func answerTalks(s *scene, stop chan struct{}) (said []string) {
	done := map[string]bool{}
	for {
		select {
		case <-stop:
			return said
		case <-time.After(400 * time.Millisecond):
		}
		a, err := s.try(http.MethodGet, "/v1/outbox?limit=500&campaign_id="+s.id, nil)
		if err != nil || a.status != http.StatusOK {
			continue
		}
		for i, m := range a.items(s.t) {
			id := m["id"].(string)
			if m["subject"] != "Talk" || done[id] || i%5 != 0 {
				continue
			}
			if r, err := s.try(http.MethodPost, "/v1/outbox/"+id+"/reply", doc{"content": "hello"}, "Idempotency-Key", id); err == nil && r.status == http.StatusAccepted {
				done[id] = true
				said = append(said, m["contact_id"].(string))
			}
		}
	}
}

// all reads every page of a list of the campaign.
func (s *scene) all(list, query string) []doc {
	return s.pages(s.path(list) + "?limit=500" + query)
}

func (s *scene) allOutbox() []doc { return s.pages("/v1/outbox?limit=500&campaign_id=" + s.id) }

func (s *scene) pages(path string) []doc {
	s.t.Helper()
	var items []doc
	for cursor := ""; ; {
		page := path
		if cursor != "" {
			page += "&cursor=" + cursor
		}
		a := s.must(http.MethodGet, page, nil)
		items = append(items, a.items(s.t)...)
		next, _ := a.doc(s.t)["next_cursor"].(string)
		if cursor = next; cursor == "" {
			return items
		}
	}
}

// strike kills the victim and starts it again.
func (c *house) strike(victim string) {
	c.t.Helper()
	switch {
	case c.temporal == nil:
		c.killAndRestart()
	case victim == "worker":
		c.worker.kill()
		c.startWorker()
	case victim == "api":
		c.server.kill()
		c.startAPI()
	case victim == "temporal":
		c.temporal.kill()
		c.startTemporal()
	default:
		c.temporal.kill()
		c.worker.kill()
		c.server.kill()
		c.startTemporal()
		c.startWorker()
		c.startAPI()
	}
}

func setting(name string, otherwise int) int {
	if n, err := strconv.Atoi(os.Getenv(name)); err == nil {
		return n
	}
	return otherwise
}
