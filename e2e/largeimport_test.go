package e2e_test

import (
	"fmt"
	"net/http"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestAnImportSurvivesAKillInTheMiddle(t *testing.T) {
	t.Parallel()
	const rows = 20_000
	c := dev(t)
	s := c.noticeAndEnd("Killed", loadLater)
	a := s.must(http.MethodPost, s.path("/imports"), many(rows))
	id := a.doc(t)["id"].(string)
	var half doc
	eventually(t, 60*time.Second, "some rows are in", func() bool {
		half = s.get(s.path("/imports/" + id))
		return half["created"].(float64) > 0
	})
	c.killAndRestart()
	s.carillon = c
	var done doc
	eventually(t, 60*time.Second, "the import is done", func() bool {
		done = s.get(s.path("/imports/" + id))
		return done["status"] != "processing"
	})
	t.Logf("killed after %v of %d rows", half["created"], rows)
	require.Less(t, half["created"], float64(rows), "the kill came too late")
	require.Equal(t, fmt.Sprintf("completed %d %d 0 %d", rows, rows-rows/1000, rows/1000), counts(done))
	require.Len(t, s.report(done), rows/1000)
	seen := map[string]bool{}
	for line := range strings.Lines(string(s.must(http.MethodGet, s.path("/contacts/export?format=ndjson"), nil).body)) {
		_, rest, _ := strings.Cut(line, `"object_id":"`)
		object, _, _ := strings.Cut(rest, `"`)
		require.False(t, seen[object], "twice: %s", object)
		seen[object] = true
	}
	require.Len(t, seen, rows-rows/1000)
}

// A hundred thousand rows take half a minute: CARILLON_BIG=1 measures them.
func TestALargeImportKeepsMemoryFlat(t *testing.T) {
	if os.Getenv("CARILLON_BIG") == "" {
		t.Skip("CARILLON_BIG=1 measures an import of 100,000 rows")
	}
	const rows = 100_000
	s := dev(t).noticeAndEnd("Large", loadLater)
	file := many(rows)
	began := time.Now()
	id := s.must(http.MethodPost, s.path("/imports"), file).doc(t)["id"].(string)
	received := time.Since(began)
	eventually(t, 10*time.Minute, "the import is done", func() bool { return s.get(s.path("/imports/" + id))["status"] == "completed" })
	took := time.Since(began)
	peak := peakMemory(t, s.cmd.Process.Pid)
	t.Logf("%d rows, %d MiB: received in %v, done in %v, %.0f rows/s with data_load; peak memory %d MiB",
		rows, len(file)>>20, received, took, rows/took.Seconds(), peak>>20)
	require.Less(t, peak, 400<<20)
}

// many is a file in which every thousandth row has no name.
func many(rows int) string {
	var b strings.Builder
	b.WriteString(columns + ",amount,city\n")
	for i := 1; i <= rows; i++ {
		name := "Name " + strconv.Itoa(i)
		if i%1000 == 0 {
			name = ""
		}
		fmt.Fprintf(&b, "O-%d,E-%d,%s,n%d@example.com,+4930%07d,%d EUR,Berlin\n", i, i, name, i, i, i)
	}
	return b.String()
}

// peakMemory is what the process held at most.
func peakMemory(t *testing.T, pid int) int {
	t.Helper()
	for line := range strings.Lines(string(read(t, fmt.Sprintf("/proc/%d/status", pid)))) {
		if f := strings.Fields(line); f[0] == "VmHWM:" {
			kb, err := strconv.Atoi(f[1])
			require.NoError(t, err)
			return kb << 10
		}
	}
	t.Fatal("no VmHWM")
	return 0
}
