package channeltest_test

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/require"

	"carillon/channels/channeltest"
)

func TestLocalOnly(t *testing.T) {
	t.Parallel()
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) }))
	defer srv.Close()
	c := &http.Client{Transport: channeltest.LocalOnly()}
	for _, tc := range []struct {
		url string
		ok  bool
	}{{srv.URL, true}, {"http://192.0.2.1/", false}, {"http://example.com/", false}} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, tc.url, nil)
		require.NoError(t, err)
		res, err := c.Do(req)
		if !tc.ok {
			require.ErrorContains(t, err, "loopback", tc.url)
			continue
		}
		require.NoError(t, err)
		require.NoError(t, res.Body.Close())
	}
}
