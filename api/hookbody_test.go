package api_test

import (
	"bytes"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"carillon/channels/sendgrid/sendgridtest"
	"carillon/store"
)

// letters makes an integration that receives letters, and returns the path of its webhook.
func (p *post) letters() (id, path string) {
	p.t.Helper()
	id = p.call("POST", "/v1/integrations", map[string]any{
		"name": "letters", "provider": "sendgrid", "secrets": map[string]any{"api_key": "SG.x"},
		"settings": map[string]any{"from_email": "a@example.com", "inbound_public_key": p.signer.PublicKey},
	}).ok(http.StatusCreated)["id"].(string)
	return id, "/hooks/sendgrid/" + id + "/inbound"
}

// posted delivers a form of Inbound Parse, signed.
func (p *post) posted(path, contentType string, body []byte) answer {
	p.t.Helper()
	h := http.Header{}
	p.signer.Sign(h, body, time.Now())
	h.Set("Content-Type", contentType)
	return p.deliver(path, body, h)
}

func TestLettersAreKept(t *testing.T) {
	t.Parallel()
	p := newPost(t)
	id, path := p.letters()
	head := "From: ann@example.com\r\nMessage-ID: <1@example.com>\r\nContent-Type: multipart/mixed; boundary=m\r\n\r\n--m\r\n\r\nYes\r\n--m\r\nContent-Type: image/png; name=a.png\r\n\r\n"
	large := append([]byte(head), bytes.Repeat([]byte{0x89, 0, '\n'}, 7<<20)...)
	contentType, body := sendgridtest.RawForm(large, "ann@example.com", "x@parse.example.com")
	require.Greater(t, len(body), 20<<20)
	for range 2 {
		require.Equal(t, http.StatusOK, p.posted(path, contentType, body).Status)
	}
	require.Equal(t, http.StatusRequestEntityTooLarge, p.posted(path, contentType, append(body, make([]byte, 10<<20)...)).Status)
	require.Equal(t, http.StatusOK, p.posted(path, contentType, []byte("no form")).Status, "or it is repeated for days")
	contentType, body = sendgridtest.RawForm([]byte("From: ann@example.com\r\nMessage-ID: <2@example.com>\r\n\r\nYes\r\n"), "", "x@parse.example.com")
	require.Equal(t, http.StatusUnauthorized, p.posted(p.path[:len(p.path)-len("events")]+"inbound", contentType, body).Status, "an integration without the key believes nothing")
	require.Equal(t, http.StatusOK, p.posted(path, contentType, body).Status)

	kept, err := p.store.ProviderEvents(t.Context(), id, store.Page{})
	require.NoError(t, err)
	require.Len(t, kept.Items, 3, "each once")
	byKey := map[string]store.ProviderEvent{}
	for _, e := range kept.Items {
		byKey[e.Key] = e
	}
	letter := byKey["<1@example.com> x@parse.example.com"]
	require.Equal(t, store.ReportMessage, letter.Kind)
	require.Equal(t, "Yes", letter.Content)
	require.Equal(t, []store.EventFile{{Name: "a.png", Type: "image/png", Size: 21 << 20}}, letter.Files)
	require.LessOrEqual(t, len(letter.Raw), 3*64<<10, "what is no UTF-8 is three bytes then")
	require.True(t, strings.HasPrefix(letter.Raw, "From: ann@example.com"))
	require.True(t, byKey["<2@example.com> x@parse.example.com"].Auto, "it had no sender in its envelope")
	unmatched := p.call("GET", "/v1/unmatched", nil).ok(http.StatusOK)["items"].([]any)
	require.Len(t, unmatched, 1)
}

// Anybody can send what is not signed: large bodies that never end keep no small ones out.
func TestAFloodOfLargeBodiesFillsNoMemory(t *testing.T) {
	t.Parallel()
	p := newPost(t)
	_, path := p.letters()
	answered := make(chan int, 9)
	stuck := func() (end func()) {
		r, w := io.Pipe()
		q, err := http.NewRequestWithContext(t.Context(), http.MethodPost, p.url+path, r)
		require.NoError(t, err)
		go func() {
			resp, err := http.DefaultClient.Do(q)
			if err != nil {
				answered <- 0
				return
			}
			_ = resp.Body.Close()
			answered <- resp.StatusCode
		}()
		_, _ = w.Write(make([]byte, 2<<20)) // one that is refused may be answered before all of it is sent
		return func() { _ = w.Close() }
	}
	var ends []func()
	for range 9 {
		ends = append(ends, stuck())
	}
	require.Contains(t, []int{http.StatusServiceUnavailable, 0}, <-answered, "whichever of the nine comes last comes again, told so or cut off")
	contentType, body := sendgridtest.RawForm([]byte("From: ann@example.com\r\nMessage-ID: <2@example.com>\r\n\r\nYes\r\n"), "ann@example.com", "x@parse.example.com")
	require.Equal(t, http.StatusOK, p.posted(path, contentType, body).Status, "small ones come through")
	for _, end := range ends {
		end()
	}
	for range 8 {
		require.Equal(t, http.StatusUnauthorized, <-answered)
	}
	contentType, body = sendgridtest.RawForm(append([]byte("From: ann@example.com\r\nMessage-ID: <3@example.com>\r\n\r\n"), make([]byte, 2<<20)...), "ann@example.com", "x@parse.example.com")
	require.Equal(t, http.StatusOK, p.posted(path, contentType, body).Status)
}
