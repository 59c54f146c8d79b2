package channeltest

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"carillon/campaign"
	"carillon/channels"
)

// HTTP describes a provider that is reached over HTTP, at the integration's
// setting base_url.
type HTTP struct {
	Server  *Server
	Problem string // an error in the provider's own form, with one %s for its text
	TooLong int    // bytes of a text that is refused without asking; 0: there is no such bound
}

// testHTTP holds every provider that is reached over HTTP to what the engine
// relies on: a class for whatever happens, one request per send, and no secret
// anywhere.
func testHTTP(t *testing.T, spec Spec) {
	h := spec.HTTP
	t.Run("has a class for every status", func(t *testing.T) { testStatuses(t, spec) })
	t.Run("does not know the outcome when no answer comes", func(t *testing.T) { testNoAnswer(t, spec) })
	t.Run("knows that nothing left", func(t *testing.T) { testNothingLeft(t, spec) })
	t.Run("says how long to wait", func(t *testing.T) { testRetryAfter(t, spec) })
	t.Run("shows no secret", func(t *testing.T) { testRedacted(t, spec) })
	t.Run("refuses what is too long", func(t *testing.T) {
		if h.TooLong == 0 {
			t.Skip("it has no bound")
		}
		m := message(spec, 40)
		m.Body = strings.Repeat("x", h.TooLong)
		before := h.Server.Calls()
		_, err := open(t, spec).Send(t.Context(), m)
		require.Equal(t, channels.Invalid, channels.Classify(err).Class)
		require.Equal(t, before, h.Server.Calls(), "it asked all the same")
	})
}

func message(spec Spec, n int) channels.Outbound {
	return Outbound(spec.Provider.Describe().Channels[0], n)
}

func testStatuses(t *testing.T, spec Spec) {
	h, s := spec.HTTP, open(t, spec)
	bodies := map[string]string{"nothing": "", "a page": "<html><h1>Bad Gateway</h1></html>", "the provider's error": fmt.Sprintf(h.Problem, "no"), "half of JSON": `{"errors":[`}
	for status := 200; status < 600; status++ {
		for what, body := range bodies {
			before := h.Server.Calls()
			h.Server.Fail(Fault{Status: status, Body: body, Header: map[string]string{"Location": h.Server.URL + "/elsewhere"}})
			receipt, err := s.Send(t.Context(), message(spec, status))
			require.Equal(t, before+1, h.Server.Calls(), "%d with %s: one request per send", status, what)
			if err == nil {
				require.Less(t, status, 300, "%d with %s counts as sent", status, what)
				require.NotEmpty(t, receipt.ProviderMessageID, "%d with %s", status, what)
				continue
			}
			class := channels.Classify(err).Class
			require.NotEqual(t, channels.Unclassified, class, "%d with %s: %v", status, what, err)
			require.NotEqual(t, channels.NotSent, class, "%d with %s: the request did leave", status, what)
			switch {
			case status < 300:
				require.Equal(t, channels.Unknown, class, "%d with %s: it may have been taken", status, what)
			case status < 400, status == http.StatusUnauthorized:
				require.Equal(t, channels.Config, class, "%d with %s", status, what)
			case status == http.StatusTooManyRequests:
				require.Equal(t, channels.Throttled, class, "%d with %s", status, what)
			case status >= 500:
				require.Contains(t, []channels.Class{channels.Retryable, channels.Throttled, channels.Unknown}, class, "%d with %s", status, what)
			}
		}
	}
}

func testNoAnswer(t *testing.T, spec Spec) {
	h := spec.HTTP
	for _, tc := range []struct {
		name  string
		fault Fault
		ctx   func(context.Context) (context.Context, context.CancelFunc)
	}{
		{"the connection is dropped once the message was taken", Fault{Drop: true}, nil},
		{"the connection is reset", Fault{Reset: true}, nil},
		{"the client's time is over", Fault{Hold: true}, nil},
		{"the caller gives up", Fault{Hold: true}, func(ctx context.Context) (context.Context, context.CancelFunc) {
			ctx, cancel := context.WithCancel(ctx)
			before := h.Server.Calls()
			go func() {
				for h.Server.Calls() == before && ctx.Err() == nil {
					<-time.After(time.Millisecond)
				}
				cancel()
			}()
			return ctx, cancel
		}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			patience := 5 * time.Second
			if tc.fault.Hold && tc.ctx == nil {
				patience = 200 * time.Millisecond
			}
			s := openWith(t, spec, &http.Client{Transport: LocalOnly(), Timeout: patience})
			_, err := s.Send(t.Context(), message(spec, 50)) // leaves an open connection, which must not tempt anyone to try again
			require.NoError(t, err)
			ctx, cancel := t.Context(), context.CancelFunc(func() {})
			if tc.ctx != nil {
				ctx, cancel = tc.ctx(ctx)
			}
			defer cancel()
			before := h.Server.Calls()
			h.Server.Fail(tc.fault)
			_, err = s.Send(ctx, message(spec, 51))
			require.Equal(t, channels.Unknown, channels.Classify(err).Class, "%v", err)
			require.Equal(t, before+1, h.Server.Calls(), "it was sent again on a guess")
		})
	}
}

func testNothingLeft(t *testing.T, spec Spec) {
	h := spec.HTTP
	before := h.Server.Calls()
	at := func(url string) Spec {
		other := spec
		other.Integration.Settings = without(spec.Integration.Settings, "base_url")
		if url != "" {
			other.Integration.Settings["base_url"] = url
		}
		return other
	}
	closed := NewServer(t, http.NotFoundHandler())
	closed.Close()
	tls := strings.Replace(h.Server.URL, "http://", "https://", 1)
	for what, url := range map[string]string{
		"a closed port": closed.URL, "no TLS at the other end": tls, "a name that does not exist": "https://nowhere.invalid", "the provider itself, which tests do not reach": "",
	} {
		_, err := open(t, at(url)).Send(t.Context(), message(spec, 60))
		require.Equal(t, channels.NotSent, channels.Classify(err).Class, "%s: %v", what, err)
	}
	canceled, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := open(t, spec).Send(canceled, message(spec, 61))
	require.Equal(t, channels.NotSent, channels.Classify(err).Class, "canceled before it began: %v", err)

	_, err = openWith(t, spec, channels.NewHTTPClient(false)).Send(t.Context(), message(spec, 62))
	require.Equal(t, channels.Config, channels.Classify(err).Class, "a private address: %v", err)
	require.ErrorContains(t, err, "CARILLON_ALLOW_PRIVATE_URLS")
	require.Equal(t, before, h.Server.Calls())
}

func testRetryAfter(t *testing.T, spec Spec) {
	h, s := spec.HTTP, open(t, spec)
	for text, want := range map[string]time.Duration{
		"7": 7 * time.Second, clock().Add(90 * time.Second).Format(http.TimeFormat): 90 * time.Second,
		"soon": 0, "-3": 0, "": 0, "999999999": time.Hour,
	} {
		h.Server.Fail(Fault{Status: http.StatusTooManyRequests, Header: map[string]string{"Retry-After": text}, Body: fmt.Sprintf(h.Problem, "too many requests")})
		_, err := s.Send(t.Context(), message(spec, 70))
		f := channels.Classify(err)
		require.Equal(t, channels.Throttled, f.Class)
		require.Equal(t, want, f.RetryAfter, "Retry-After: %s", text)
	}
}

// testRedacted lets the provider give back everything it was sent.
func testRedacted(t *testing.T, spec Spec) {
	h := spec.HTTP
	var echo []string
	for _, secret := range spec.Secrets {
		require.GreaterOrEqual(t, len(secret.Reveal()), 8, "a secret that can be looked for")
		echo = append(echo, secret.Reveal())
	}
	s := open(t, spec)
	hidden := func(what, text string) {
		for _, secret := range echo {
			if strings.Contains(text, secret) {
				t.Errorf("%s shows a secret", what) // and this message does not
			}
		}
	}
	for _, status := range []int{200, 302, 400, 401, 403, 418, 429, 500, 503} {
		h.Server.Fail(Fault{Status: status, Body: fmt.Sprintf(h.Problem, "you sent "+strings.Join(echo, " and ")), Header: map[string]string{"Location": "/" + echo[0]}})
		_, err := s.Send(t.Context(), message(spec, 80))
		for _, form := range []string{"%v", "%+v", "%#v"} {
			hidden(fmt.Sprintf("the error of %d", status), fmt.Sprintf(form, err))
			hidden("its failure", fmt.Sprintf(form, channels.Classify(err)))
		}
		for cause := err; cause != nil; {
			hidden("its cause", fmt.Sprintf("%+v", cause))
			unwrap, ok := cause.(interface{ Unwrap() error })
			if !ok {
				break
			}
			cause = unwrap.Unwrap()
		}
	}
	h.Server.Fail(Fault{Drop: true})
	_, err := s.Send(t.Context(), message(spec, 81))
	hidden("the error of a lost connection", fmt.Sprintf("%+v %#v", err, err))
	for _, form := range []string{"%v", "%+v", "%#v", "%s"} {
		hidden("the sender itself", fmt.Sprintf(form, s))
	}
}

func clock() time.Time { return time.Date(2026, 12, 1, 9, 0, 0, 0, time.UTC) }

// testVerify holds those who can ask their provider to saying what is wrong.
func testVerify(t *testing.T, spec Spec) {
	v, ok := open(t, spec).(channels.Verifier)
	if !ok {
		t.Skip("the provider cannot be asked")
	}
	text, err := v.Verify(t.Context())
	require.NoError(t, err)
	require.NotEmpty(t, text)
	wrong := spec
	wrong.Secrets = map[string]campaign.Secret{}
	for name := range spec.Secrets {
		wrong.Secrets[name] = campaign.Secret("wrong-" + name + "-0000")
	}
	_, err = open(t, wrong).(channels.Verifier).Verify(t.Context())
	require.Equal(t, channels.Config, channels.Classify(err).Class, "%v", err)
}
