package e2e_test

import (
	"bytes"
	"compress/gzip"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// What a release leaves on a disk: its data directory, and a dump of its
// PostgreSQL store. They are recorded once, by `make fixture VERSION=v0.1.0`,
// when the version is released, and kept for ever: every later build must go
// on from them.
const fixtures = "../testdata/upgrade"

// farAway is a date that no run of this test reaches.
const farAway = "datetime(2040, 1, 1, 9, 0)"

// everyState is a campaign with a contact in every state that lasts.
func (c *carillon) everyState() *scene {
	s := c.campaign(doc{"name": "Upgrade"})
	agent := c.agent("Upgrade")
	s.stage("Talk", doc{"channel": "email", "agent": agent, "subject": "Hello", "template": "{{ name }}"}, doc{"session_timeout": "3650d"})
	s.stage("Notice", doc{"channel": "email_notification", "integration": "outbox", "subject": "Notice", "template": "{{ parameters.amount }}"})
	s.stage("End", doc{"channel": "none", "start_state": "end"}, doc{"outcome": "success"})
	s.strategy("data_load", `
async def run(contact, existing_contact, logger, **kwargs):
    contact.internal_data["loaded"] = datetime.now()
    if contact.object_id in ("Waiting", "Paused"):
        contact.communications.append(Communication(name="Notice", stage_name="Notice", start_date=`+farAway+`))
    else:
        contact.communications.append(Communication(name="Talk", stage_name="Talk"))
    return contact
`)
	s.strategy("aggregation", `
async def run(contact, session_results, logger, **kwargs):
    if contact.object_id == "Attention":
        raise ValueError("not in this version")
    contact.current_stage = "End"
    return contact
`)
	s.upload("text/csv", []byte("object_id,external_id,name,email,phone,amount\nWaiting,1,Ann,ann@example.com,,1\nPaused,2,Bob,bob@example.com,,2\n"+
		"Open,3,Cid,cid@example.com,,3\nAttention,4,Dan,dan@example.com,,4\nDone,5,Eve,eve@example.com,,5\n"))
	s.start()
	id := func(object string) string { return s.contact(object)["id"].(string) }
	s.session(id("Open"))
	s.must(http.MethodPost, "/v1/sessions/"+s.session(id("Attention"))+"/results", doc{})
	s.must(http.MethodPost, "/v1/sessions/"+s.session(id("Done"))+"/results", doc{"results": doc{"OutcomeStatus": "DONE"}})
	s.awaitStatus("Attention", "needs_attention", patience)
	s.awaitStatus("Done", "completed", patience)
	s.must(http.MethodPost, s.path("/contacts/"+id("Paused")+"/pause"), nil)
	return s
}

// goesOn is what a later build must do with it.
func (c *carillon) goesOn() {
	t := c.t
	campaigns := c.list("/v1/campaigns?q=Upgrade")
	require.Len(t, campaigns, 1)
	s := &scene{carillon: c, id: campaigns[0]["id"].(string), stages: map[string]string{}}
	require.Len(t, s.contacts(""), 5)
	require.Equal(t, "completed", s.contact("Done")["status"])
	id := func(object string) string { return s.contact(object)["id"].(string) }
	require.NotEmpty(t, s.list(s.path("/contacts/"+id("Done")+"/timeline")))

	s.must(http.MethodPost, "/v1/sessions/"+s.session(id("Open"))+"/results", doc{})
	for _, x := range s.list(s.path("/strategies")) {
		if x["type"] == "aggregation" {
			s.must(http.MethodPut, s.path("/strategies/"+x["id"].(string)), doc{
				"name": "aggregation", "type": "aggregation",
				"code": "async def run(contact, session_results, logger, **kwargs):\n    contact.current_stage = 'End'\n    return contact\n",
			})
		}
	}
	s.must(http.MethodPost, s.path("/contacts/"+id("Attention")+"/retry"), nil)
	s.must(http.MethodPost, s.path("/contacts/"+id("Paused")+"/resume"), nil)
	for _, object := range []string{"Waiting", "Paused"} {
		s.must(http.MethodPost, s.path("/contacts/"+id(object)+"/reschedule"), doc{"communication_id": id(object) + "-1", "start_date": time.Now().UTC()})
	}
	for _, object := range []string{"Waiting", "Paused", "Open", "Attention"} {
		s.awaitStatus(object, "completed", patience)
	}
	require.Len(t, s.outbox(""), 5, "one message each, none twice")
}

func TestThisBuildGoesOnFromEveryReleasesData(t *testing.T) {
	t.Parallel()
	releases, err := filepath.Glob(fixtures + "/*")
	require.NoError(t, err)
	require.NotEmpty(t, releases)
	for _, release := range releases {
		t.Run(filepath.Base(release), func(t *testing.T) {
			t.Parallel()
			c := newDev(t)
			for _, name := range []string{"carillon.db", "temporal.db", "temporal.ok"} {
				unzip(t, filepath.Join(release, name+".gz"), filepath.Join(c.data, name))
			}
			c.start()
			c.goesOn()
		})
	}
}

// TestRecordFixture writes what this version leaves. It runs only by `make
// fixture`, and never over what is there.
func TestRecordFixture(t *testing.T) {
	version := os.Getenv("CARILLON_FIXTURE")
	if version == "" {
		t.Skip("recorded by make fixture")
	}
	dir := filepath.Join(fixtures, version)
	require.NoDirExists(t, dir, "a release's fixture is kept as it is")
	c := dev(t)
	c.everyState()
	c.interrupt(t)
	require.NoError(t, os.MkdirAll(dir, 0o755))
	for _, name := range []string{"carillon.db", "temporal.db"} { // take the write-ahead log in
		vacuum(t, filepath.Join(c.data, name))
	}
	for _, name := range []string{"carillon.db", "temporal.db", "temporal.ok"} {
		raw, err := os.ReadFile(filepath.Join(c.data, name))
		require.NoError(t, err)
		zip(t, filepath.Join(dir, name+".gz"), raw)
	}
	p := apart(t, true)
	p.everyState()
	dump, err := exec.CommandContext(t.Context(), "pg_dump", "--no-owner", "--no-privileges", p.db).Output()
	require.NoError(t, err)
	zip(t, filepath.Join(dir, "postgres.sql.gz"), dump)
}

func zip(t *testing.T, path string, raw []byte) {
	t.Helper()
	var b bytes.Buffer
	z, err := gzip.NewWriterLevel(&b, gzip.BestCompression)
	require.NoError(t, err)
	_, err = z.Write(raw)
	require.NoError(t, err)
	require.NoError(t, z.Close())
	require.NoError(t, os.WriteFile(path, b.Bytes(), 0o644))
}

func unzip(t *testing.T, from, to string) {
	t.Helper()
	f, err := os.Open(from)
	require.NoError(t, err)
	defer func() { _ = f.Close() }()
	z, err := gzip.NewReader(f)
	require.NoError(t, err)
	raw, err := io.ReadAll(z)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(to, raw, 0o600))
}

// vacuum brings an SQLite file and its write-ahead log together.
func vacuum(t *testing.T, path string) {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "python3", "-c", `
import sqlite3, sys
db = sqlite3.connect(sys.argv[1])
db.execute("pragma wal_checkpoint(truncate)")
db.execute("pragma journal_mode=delete")
db.execute("vacuum")
db.close()
`, path).CombinedOutput()
	require.NoError(t, err, "%s", out)
}
