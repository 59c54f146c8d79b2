package api_test

import (
	"bytes"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	allagents "carillon/agents/all"
	"carillon/api"
	"carillon/channels"
	"carillon/channels/all"
	"carillon/internal/pgtest"
	"carillon/store"
)

// fuzzTime is how long TestFuzz goes on on each database; CARILLON_FUZZ_TIME
// sets another, such as 10m, and CARILLON_FUZZ_ROUND the round it begins with.
const fuzzTime = 10 * time.Second

// perOperation is how many requests of an operation a round makes, the first
// and every third, valid as far as can be told.
const perOperation = 9

// roundsPerWorld is after how many rounds there are new records: by then much
// is stopped or deleted.
const roundsPerWorld = 4

// TestFuzz sends requests made from the served document to the API with all that
// is behind it: a store, Temporal, workers, the strategies' runner. Whatever is
// sent, no answer is 5xx, shows our insides, or is other than documented.
func TestFuzz(t *testing.T) {
	for name, dsn := range map[string]func(t *testing.T) string{
		"sqlite":   func(t *testing.T) string { return filepath.Join(t.TempDir(), "carillon.db") },
		"postgres": func(t *testing.T) string { return pgtest.New(t) },
	} {
		t.Run(name, func(t *testing.T) { fuzz(t, openStore(t, dsn(t))) })
	}
}

func fuzz(t *testing.T, s *store.Store) {
	logged := &logbook{}
	f, _ := newRunningOn(t, s, func(d *api.Deps) {
		d.AdminKey, d.Runner, d.Log = adminKey, newRunner(t), slog.New(slog.NewTextHandler(logged, nil))
	})
	p := newProber(t, f.url, http.DefaultClient.Do)
	p.log = logged.about
	limit, first := fuzzTime, 1
	if text := os.Getenv("CARILLON_FUZZ_TIME"); text != "" {
		var err error
		limit, err = time.ParseDuration(text)
		require.NoError(t, err)
	}
	if text := os.Getenv("CARILLON_FUZZ_ROUND"); text != "" {
		_, err := fmt.Sscan(text, &first)
		require.NoError(t, err)
	}
	begun, round := time.Now(), first
	for ; round == first || time.Since(begun) < limit && !testing.Short(); round++ {
		p.round(round, func() bool { return time.Since(begun) > limit })
	}
	missed := []string{}
	for i := range p.doc.operations {
		if o := p.doc.operations[i].String(); p.reached[o] == 0 {
			missed = append(missed, o)
		}
	}
	t.Logf("%d requests of %d operations in %d rounds and %s; %s of it to furnish; slowest %s (%s); never succeeded: %s",
		p.sent, len(p.doc.operations), round-first, time.Since(begun).Round(time.Millisecond), p.furnishing.Round(time.Millisecond), p.slowest.Round(time.Millisecond), p.slow, missed)
}

func newProber(t testing.TB, base string, send func(*http.Request) (*http.Response, error)) *prober {
	t.Helper()
	p := &prober{
		t: t, base: base, key: adminKey, send: send, seen: map[string]bool{}, reached: map[string]int{}, log: func(string) string { return "" },
	}
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, base+"/openapi.json", nil)
	require.NoError(t, err)
	resp, err := send(r)
	require.NoError(t, err)
	defer resp.Body.Close()
	var text bytes.Buffer
	_, err = text.ReadFrom(resp.Body)
	require.NoError(t, err)
	p.doc = readDocument(t, text.Bytes())
	p.known = newKnowledge(p.doc)
	return p
}

// round walks every operation once, in an order of its own, over the records of its world.
func (p *prober) round(seed int, over func() bool) {
	if begun := time.Now(); seed%roundsPerWorld == 0 || len(p.known.paths) == 0 {
		p.known = newKnowledge(p.doc)
		p.furnish(seed)
		p.furnishing += time.Since(begun)
	}
	m := &maker{Rand: rand.New(rand.NewPCG(uint64(seed), 1)), doc: p.doc, known: p.known} //nolint:gosec // the same seed must make the same
	for n := range perOperation {
		for _, i := range m.Perm(len(p.doc.operations)) {
			if over() {
				return
			}
			o := &p.doc.operations[i]
			if ends(o) && n > 0 && n < perOperation-2 {
				continue // at first and at last only: others need what it takes away
			}
			a := m.request(o, n%3 > 0)
			p.try(&a)
		}
	}
}

// ends reports whether an operation takes away what others need.
func ends(o *documented) bool {
	return o.method == http.MethodDelete || strings.HasSuffix(o.path, "/stop") || strings.HasSuffix(o.path, "/pause") || o.path == "/v1/erasures"
}

// logbook keeps what the server logs.
type logbook struct {
	mu    sync.Mutex
	lines []string
}

func (l *logbook) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lines = append(l.lines, string(b))
	return len(b), nil
}

func (l *logbook) about(text string) string {
	l.mu.Lock()
	defer l.mu.Unlock()
	var out strings.Builder
	for _, line := range l.lines {
		if text != "" && strings.Contains(line, text) && !strings.Contains(line, "level=INFO") {
			out.WriteString("\n  " + strings.TrimSpace(line))
		}
	}
	return out.String()
}

// FuzzAPI sends any body and query to any operation, without Temporal.
func FuzzAPI(f *testing.F) {
	s := openStore(f, filepath.Join(f.TempDir(), "carillon.db"))
	server, err := api.New(api.Deps{Store: s, Channels: all.New(frontBox{s}), Agents: allagents.New(channels.NewRenderer()), AdminKey: adminKey, PublicURL: "https://carillon.example"})
	require.NoError(f, err)
	handler := server.Handler()
	send := func(r *http.Request) (*http.Response, error) {
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, r)
		return w.Result(), nil
	}
	p := newProber(f, "http://carillon.example", send)
	p.away = true
	p.furnish(0)
	m := &maker{Rand: rand.New(rand.NewPCG(0, 1)), doc: p.doc, known: p.known} //nolint:gosec // the same seed must make the same
	for i := range p.doc.operations {
		_, body := m.body(&p.doc.operations[i])
		f.Add(uint16(i), body, m.query(&p.doc.operations[i], 100))
	}
	f.Fuzz(func(t *testing.T, n uint16, body []byte, query string) {
		one := *p
		one.t, one.seen = t, map[string]bool{}
		o := &p.doc.operations[int(n)%len(p.doc.operations)]
		m := &maker{Rand: rand.New(rand.NewPCG(uint64(n), 1)), doc: p.doc, known: p.known} //nolint:gosec // as above
		path := p.known.path(m, o.path)
		if ends(o) {
			path = newKnowledge(p.doc).path(m, o.path) // of no record: the next ones need what there is
		}
		a := attempt{operation: o, path: path + "?" + url.PathEscape(query), body: body, header: map[string]string{"Content-Type": "application/json"}}
		one.try(&a)
	})
}
