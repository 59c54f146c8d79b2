package e2e_test

import (
	"database/sql"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	_ "modernc.org/sqlite"
)

// A campaign is resumed, and many contacts are to be stopped, while Temporal is
// away; the API is killed before it is back. What was written happens all the same.
func TestWhatWasAskedForWhileTemporalWasAwayHappens(t *testing.T) {
	t.Parallel()
	c := apart(t, false)
	s := c.planned("Resumed", nil, "Ann: Notice", "Bob: Talk")
	bob := s.contact("Bob")["external_id"]
	s.post(s.path("/pause"), nil)
	s.bringForward("Ann", "Notice")
	s.until("Ann", "held", func(ann doc) bool { return ann["held"] != nil })

	c.temporal.kill()
	var unanswered sync.WaitGroup
	unanswered.Go(func() {
		_, _ = s.try(http.MethodPost, s.path("/resume"), doc{"policy": "spread", "over": "1s"})
	})
	unanswered.Go(func() {
		_, _ = s.try(http.MethodPost, s.path("/contacts/bulk"), doc{"filter": doc{"external_id": bob}, "action": "stop"})
	})
	db, err := sql.Open("sqlite", "file:"+c.db+"?mode=ro")
	require.NoError(t, err)
	defer func() { _ = db.Close() }()
	eventually(t, patience, "both are committed", func() bool {
		var jobs int
		_ = db.QueryRow(`select count(*) from jobs where status = 'running'`).Scan(&jobs)
		return jobs == 1 && s.get(s.path(""))["status"] == "running"
	})
	c.server.kill() // before it could tell anybody
	unanswered.Wait()
	c.startTemporal()
	c.startAPI()

	s.awaitStatus("Ann", "completed", 2*time.Minute)
	s.awaitStatus("Bob", "stopped", 2*time.Minute)
	require.Len(t, s.outbox(""), 1)
	require.Empty(t, s.outbox("&contact_id="+s.contact("Bob")["id"].(string)))
	eventually(t, patience, "the job is done, and nothing is kept", func() bool {
		var jobs, kept int
		_ = db.QueryRow(`select (select count(*) from jobs where status = 'completed'), (select count(*) from sweeps)`).Scan(&jobs, &kept)
		return jobs == 1 && kept == 0
	})
}
