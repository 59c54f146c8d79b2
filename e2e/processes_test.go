package e2e_test

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestTheWalkOnProcessesApartOnPostgreSQL(t *testing.T) {
	t.Parallel()
	c := apart(t, true)
	require.Contains(t, launchOnce(t, c.env, "migrate", "--temporal"), "up to date", "a second time")
	require.Equal(t, http.StatusOK, c.do(http.MethodGet, "/readyz", nil).status)

	s := c.walk()
	s.upload("text/csv", []byte(walkFile))
	s.start()
	id := s.contact("C-1")["id"].(string)
	session := s.session(id)
	s.must(http.MethodPost, "/v1/sessions/"+session+"/answers", doc{"content": "Thank you, I note your promise to pay."})
	s.end(session, doc{"OutcomeStatus": "PROMISE_TO_PAY"})
	eventually(t, patience, "a reminder is planned", func() bool { return statuses(s.contact("C-1")) == "COMPLETED COMPLETED PLANNED" })
	s.must(http.MethodPost, s.path("/contacts"), doc{"object_id": "C-1", "external_id": "U-1", "parameters": doc{"paid": true}})
	require.Equal(t, "success", s.awaitStatus("C-1", "completed", patience)["outcome"])
	require.Len(t, s.outbox(""), 3, "notice, opening, answer")

	for _, p := range []*process{c.server, c.worker, c.temporal} {
		p.leaves(t)
	}
}

func TestDevLeavesNoProcessBehindAndGoesOnFromItsData(t *testing.T) {
	t.Parallel()
	c := dev(t)
	s := c.planned("Goes on", nil, "Ann: Talk+Notice", "Bob: Notice")
	s.bringForward("Ann", "Talk")
	session := s.sessionOf("Ann")
	family := c.leaves(t)
	require.Contains(t, family, "temporal")
	require.Contains(t, family, "python")

	c.start()
	require.Equal(t, "open", s.get("/v1/sessions/" + session)["status"])
	s.end(session, nil)
	s.untilStand("Ann", "COMPLETED PLANNED")
	for _, name := range []string{"Ann", "Bob"} {
		s.bringForward(name, "Notice")
		s.awaitStatus(name, "completed", patience)
	}
	require.Len(t, s.outbox(""), 3)
}

// leaves is Ctrl-C: the process ends well, and every child of its with it. It
// returns the names of the children there were.
func (p *process) leaves(t *testing.T) string {
	t.Helper()
	family := descendants(t, p.cmd.Process.Pid)
	var names []string
	for _, name := range family {
		names = append(names, name)
	}
	p.interrupt(t)
	require.Zero(t, p.cmd.ProcessState.ExitCode(), "%s", p.stderr)
	for pid, name := range family {
		eventually(t, 5*time.Second, fmt.Sprint(name, " is gone"), func() bool {
			now, _ := look(pid)
			return now != name
		})
	}
	return strings.Join(names, " ")
}

// descendants are the processes a process started, and those they started, by
// their ids.
func descendants(t *testing.T, ancestor int) map[int]string {
	t.Helper()
	all, err := filepath.Glob("/proc/[0-9]*")
	require.NoError(t, err)
	found := map[int]string{}
	for before := -1; len(found) != before; {
		before = len(found)
		for _, dir := range all {
			pid, _ := strconv.Atoi(filepath.Base(dir))
			name, parent := look(pid)
			if _, ours := found[parent]; name != "" && (ours || parent == ancestor) {
				found[pid] = name
			}
		}
	}
	return found
}

// look reads a living process's name and parent.
func look(pid int) (name string, parent int) {
	raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	open, shut := strings.IndexByte(string(raw), '('), strings.LastIndexByte(string(raw), ')')
	if err != nil || shut < open || open < 0 {
		return "", 0
	}
	rest := strings.Fields(string(raw[shut+1:]))
	if rest[0] == "Z" {
		return "", 0
	}
	parent, _ = strconv.Atoi(rest[1])
	return string(raw[open+1 : shut]), parent
}
