package api_test

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	allagents "carillon/agents/all"
	"carillon/api"
	"carillon/channels"
	"carillon/internal/pgtest"
	"carillon/store"
)

// service is the API on a store of its own, called with the admin key.
type service struct {
	t     *testing.T
	url   string
	key   string
	store *store.Store
}

const adminKey = "test-admin-key"

// serve starts the API; each change may alter what it stands on.
func serve(t *testing.T, changes ...func(*api.Deps)) *service {
	t.Helper()
	st := openStore(t, emptyDatabase(t))
	deps := api.Deps{Store: st, Agents: allagents.New(channels.NewRenderer()), AdminKey: adminKey, Version: "test", Mode: api.ModeOutbox, PublicURL: "https://carillon.example"}
	for _, change := range changes {
		change(&deps)
	}
	s, err := api.New(deps)
	require.NoError(t, err)
	server := httptest.NewServer(s.Handler())
	t.Cleanup(server.Close)
	return &service{t: t, url: server.URL, key: deps.AdminKey, store: st}
}

// emptyDatabase is the address of a database for one test: SQLite, or PostgreSQL
// where CARILLON_TEST_STORE says so.
func emptyDatabase(t *testing.T) string {
	t.Helper()
	if os.Getenv("CARILLON_TEST_STORE") == "postgres" {
		return pgtest.New(t)
	}
	return filepath.Join(t.TempDir(), "carillon.db")
}

func openStore(t testing.TB, dsn string) *store.Store {
	t.Helper()
	s, err := store.Open(t.Context(), dsn, store.Options{SecretKeys: [][]byte{bytes.Repeat([]byte{7}, 32)}})
	require.NoError(t, err)
	t.Cleanup(func() { _ = s.Close() })
	require.NoError(t, s.Migrate(t.Context()))
	return s
}

// answer is what came back.
type answer struct {
	t      *testing.T
	Status int
	Header http.Header
	Body   []byte
}

// problem is the body of an error.
type problem struct {
	Type, Title, Detail, Code string
	Status                    int
	Errors                    []struct {
		Field, Message, Code string
		Line, Column         int
	}
	RequestID string `json:"request_id"`
}

// call sends a request; body is JSON unless it is a string or bytes already.
func (s *service) call(method, path string, body any, headers ...string) answer {
	s.t.Helper()
	var reader io.Reader
	switch b := body.(type) {
	case nil:
	case string:
		reader = bytes.NewReader([]byte(b))
	case []byte:
		reader = bytes.NewReader(b)
	default:
		text, err := json.Marshal(b)
		require.NoError(s.t, err)
		reader = bytes.NewReader(text)
	}
	r, err := http.NewRequestWithContext(s.t.Context(), method, s.url+path, reader)
	require.NoError(s.t, err)
	if body != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	if s.key != "" {
		r.Header.Set("Authorization", "Bearer "+s.key)
	}
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	resp, err := http.DefaultClient.Do(r)
	require.NoError(s.t, err)
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(resp.Body)
	require.NoError(s.t, err)
	return answer{t: s.t, Status: resp.StatusCode, Header: resp.Header, Body: text}
}

// ok wants a status and returns the document.
func (a answer) ok(status int) map[string]any {
	a.t.Helper()
	require.Equal(a.t, status, a.Status, "%s", a.Body)
	if len(a.Body) == 0 {
		return nil
	}
	var doc map[string]any
	require.NoError(a.t, json.Unmarshal(a.Body, &doc), "%s", a.Body)
	return doc
}

// fails wants an error of a status, in the form that all have.
func (a answer) fails(status int) problem {
	a.t.Helper()
	require.Equal(a.t, status, a.Status, "%s", a.Body)
	require.Equal(a.t, "application/problem+json", a.Header.Get("Content-Type"))
	var p problem
	require.NoError(a.t, json.Unmarshal(a.Body, &p))
	require.Equal(a.t, status, p.Status)
	require.NotEmpty(a.t, p.Type)
	require.NotEmpty(a.t, p.Title)
	require.NotEmpty(a.t, p.Code)
	require.Equal(a.t, a.Header.Get("X-Request-Id"), p.RequestID)
	require.NotEmpty(a.t, p.RequestID)
	return p
}

// campaign creates a campaign and returns its path.
func (s *service) campaign(name string) string {
	s.t.Helper()
	doc := s.call("POST", "/v1/campaigns", map[string]any{"name": name}).ok(http.StatusCreated)
	return "/v1/campaigns/" + doc["id"].(string)
}

// letter is a stage that needs no agent.
func letter(name string) map[string]any {
	return map[string]any{"name": name, "delivery": map[string]any{
		"channel": "email_notification", "subject": "Invoice", "template": "Hello {{ name }}, you owe {{ parameters.amount }}",
	}}
}
