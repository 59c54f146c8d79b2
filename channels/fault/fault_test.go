package fault_test

import (
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"carillon/channels/fault"
)

func TestAServerMisbehavesToOrder(t *testing.T) {
	t.Parallel()
	var taken atomic.Int32
	s := fault.NewServer(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		taken.Add(1)
		w.Header().Set("X-Id", "7")
		w.WriteHeader(http.StatusAccepted)
		_, _ = io.WriteString(w, "taken")
	}))
	client := &http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{}}
	t.Cleanup(client.CloseIdleConnections)
	call := func(patience time.Duration) (status int, header http.Header, body string) {
		c := *client
		c.Timeout = patience
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.URL, strings.NewReader("a message"))
		require.NoError(t, err)
		resp, err := c.Do(r)
		if err != nil {
			return 0, nil, ""
		}
		defer func() { _ = resp.Body.Close() }()
		raw, err := io.ReadAll(resp.Body)
		require.NoError(t, err)
		return resp.StatusCode, resp.Header, string(raw)
	}
	for _, tc := range []struct {
		name   string
		fault  fault.Fault
		status int
		taken  int32
	}{
		{"none", fault.Fault{}, 202, 1},
		{"a status", fault.Fault{Status: 429, Header: map[string]string{"Retry-After": "7"}, Body: "slowly"}, 429, 0},
		{"a reset", fault.Fault{Reset: true}, 0, 0},
		{"a drop after it was taken", fault.Fault{Drop: true}, 0, 1},
		{"no answer", fault.Fault{Hold: true}, 0, 1},
		{"a late answer", fault.Fault{Slow: 50 * time.Millisecond}, 202, 1},
	} {
		before := taken.Load()
		s.Fail(tc.fault)
		patience, begun := 5*time.Second, time.Now()
		if tc.fault.Hold {
			patience = 100 * time.Millisecond
		}
		status, header, body := call(patience)
		require.Equal(t, tc.status, status, tc.name)
		require.Equal(t, tc.taken, taken.Load()-before, tc.name)
		switch status {
		case 429:
			require.Equal(t, "7 slowly", header.Get("Retry-After")+" "+body)
		case 202:
			require.Equal(t, "7 taken", header.Get("X-Id")+" "+body, tc.name)
			require.GreaterOrEqual(t, time.Since(begun), tc.fault.Slow)
		}
	}
	require.Equal(t, 6, s.Calls())
	require.Eventually(t, func() bool { return s.Held() == 0 }, 5*time.Second, time.Millisecond)

	s.Always(&fault.Fault{Status: 503})
	for range 2 {
		status, _, _ := call(time.Second)
		require.Equal(t, 503, status)
	}
	s.Always(nil)
	status, _, _ := call(time.Second)
	require.Equal(t, 202, status)
}

func TestListenIsOfThisMachineOnly(t *testing.T) {
	t.Parallel()
	for _, address := range []string{"0.0.0.0:0", ":0", "example.com:80", "192.0.2.1:80", "nonsense"} {
		_, err := fault.Listen(address)
		require.Error(t, err, address)
	}
	l, err := fault.Listen("127.0.0.1:0")
	require.NoError(t, err)
	s := fault.NewServer(t, http.NotFoundHandler())
	s.Serve(l)
	require.Equal(t, "http://"+l.Addr().String(), s.URL)
}

// receiver is the other end of webhooks.
type receiver struct {
	*fault.Server
	mu     sync.Mutex
	got    []string // body|signature
	answer int
}

func receive(t *testing.T) *receiver {
	t.Helper()
	r := &receiver{answer: http.StatusOK}
	r.Server = fault.NewServer(t, http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		body, _ := io.ReadAll(q.Body)
		r.mu.Lock()
		defer r.mu.Unlock()
		r.got = append(r.got, string(body)+"|"+q.Header.Get("X-Signed"))
		w.WriteHeader(r.answer)
	}))
	return r
}

func (r *receiver) take() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	got := r.got
	r.got = nil
	return got
}

func (r *receiver) answers(status int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.answer = status
}

func TestWebhooksMisbehaveToOrder(t *testing.T) {
	t.Parallel()
	r := receive(t)
	h := fault.NewHooks(t)
	send := func(bodies ...string) []string {
		for _, body := range bodies {
			h.Send(fault.Webhook{URL: r.URL, Body: []byte(body), Signed: func(h http.Header, _ string, body []byte, at time.Time) {
				h.Set("X-Signed", "of "+string(body)+strings.Repeat("!", int(time.Since(at).Hours())))
			}})
		}
		h.Flush()
		return r.take()
	}
	require.Equal(t, []string{"a|of a", "b|of b", "c|of c"}, send("a", "b", "c"))
	h.Twist(fault.Twist{Again: 2})
	require.Equal(t, []string{"a|of a", "a|of a", "a|of a", "b|of b"}, send("a", "b"))
	h.Twist(fault.Twist{Later: true})
	require.Equal(t, []string{"b|of b", "a|of a"}, send("a", "b"))
	h.Twist(fault.Twist{Forged: true}, fault.Twist{Bare: true}, fault.Twist{Age: 2 * time.Hour})
	require.Equal(t, []string{"a|of  a", "b|", "c|of c!!"}, send("a", "b", "c"))
	require.Empty(t, h.Refused())

	r.answers(http.StatusForbidden)
	require.Equal(t, []string{"a|of a"}, send("a"), "what is refused is not repeated")
	require.Equal(t, []string{"403 "}, h.Refused())

	r.answers(http.StatusOK)
	r.Fail(fault.Fault{Status: 503}, fault.Fault{Reset: true}, fault.Fault{Status: 429})
	require.Equal(t, []string{"a|of a", "b|of b"}, send("a", "b"), "what could not be taken comes again, before what is younger")
}

func TestABookShowsWhatIsAccepted(t *testing.T) {
	t.Parallel()
	var b fault.Book[string]
	var seen []string
	b.Accept("a1")
	b.Watch(func(m string) { seen = append(seen, m) })
	b.Accept("b1")
	b.Accept("a2")
	b.Refuse("no")
	require.Equal(t, []string{"a1", "b1", "a2"}, b.Accepted())
	require.Equal(t, []string{"no"}, b.Refused())
	require.Equal(t, []string{"b1", "a2"}, seen)
	require.Equal(t, map[string]int{"a": 2, "b": 1}, b.Times(func(m *string) string { return (*m)[:1] }))
}
