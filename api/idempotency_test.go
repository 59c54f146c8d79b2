package api_test

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestTheSamePostIsAnsweredTheSame(t *testing.T) {
	t.Parallel()
	s := serve(t)
	body := map[string]any{"name": "Once"}
	first := s.call("POST", "/v1/campaigns", body, "Idempotency-Key", "k1")
	first.ok(http.StatusCreated)
	again := s.call("POST", "/v1/campaigns", body, "Idempotency-Key", "k1")
	require.Equal(t, http.StatusCreated, again.Status)
	require.Equal(t, string(first.Body), string(again.Body))
	require.Equal(t, "true", again.Header.Get("Idempotency-Replayed"))
	require.Equal(t, first.Header.Get("Etag"), again.Header.Get("Etag"))
	require.Empty(t, first.Header.Get("Idempotency-Replayed"))
	require.Len(t, s.call("GET", "/v1/campaigns", nil).ok(200)["items"], 1)

	s.call("POST", "/v1/campaigns", map[string]any{"name": "Other"}, "Idempotency-Key", "k1").fails(http.StatusConflict)
	s.call("POST", "/v1/campaigns", map[string]any{"name": "Other"}, "Idempotency-Key", "k2").ok(http.StatusCreated)
}

func TestARefusalIsRepeatedToo(t *testing.T) {
	t.Parallel()
	s := serve(t)
	c := s.campaign("One")
	first := s.call("POST", c+"/pause", nil, "Idempotency-Key", "p")
	first.fails(http.StatusConflict)
	again := s.call("POST", c+"/pause", nil, "Idempotency-Key", "p")
	require.Equal(t, http.StatusConflict, again.Status)
	require.Equal(t, string(first.Body), string(again.Body))
	require.Equal(t, "application/problem+json", again.Header.Get("Content-Type"))
}
