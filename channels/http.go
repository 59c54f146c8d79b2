package channels

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
)

// callTime bounds one request to a provider. The activity that makes it is
// given 15 s, so it always learns how the request ended.
const callTime = 10 * time.Second

// NewHTTPClient makes the client for calls to providers: its own connections,
// 10 s for a request, no redirect followed, no proxy of the environment, and
// no private address unless allowPrivate is set.
func NewHTTPClient(allowPrivate bool) *http.Client {
	return &http.Client{
		Timeout:       callTime,
		CheckRedirect: stay,
		Transport: &http.Transport{
			DialContext:         NewDialer(allowPrivate).DialContext,
			ForceAttemptHTTP2:   true,
			TLSHandshakeTimeout: dialTime,
			MaxIdleConnsPerHost: 16,
			// Short, because a request on a connection the provider is closing at
			// that moment has an unknown outcome.
			IdleConnTimeout: 15 * time.Second,
		},
	}
}

// stay makes a redirect an answer like any other: a message must not follow
// one to another address.
func stay(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }

// Narrow returns a copy of the client that follows no redirect and reads at
// most limit bytes of an answer.
func Narrow(c *http.Client, limit int64) *http.Client {
	narrow := *c
	narrow.CheckRedirect = stay
	next := c.Transport
	if next == nil {
		next = http.DefaultTransport
	}
	narrow.Transport = narrowed{next, limit}
	return &narrow
}

type narrowed struct {
	next  http.RoundTripper
	limit int64
}

// RoundTrip implements [http.RoundTripper].
func (n narrowed) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := n.next.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	resp.Body = struct {
		io.Reader
		io.Closer
	}{io.LimitReader(resp.Body, n.limit), resp.Body}
	return resp, nil
}

// Trip watches one request, to tell afterwards whether it can have left. The
// zero value is ready.
type Trip struct{ wrote atomic.Bool }

// Watch returns the context to make the request with.
func (t *Trip) Watch(ctx context.Context) context.Context {
	return httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		// Package http tries a POST again only when nothing of it was written, so
		// what counts is the last connection.
		GetConn:      func(string) { t.wrote.Store(false) },
		WroteHeaders: func() { t.wrote.Store(true) },
	})
}

// Failure classes an error of the request: [NotSent] if nothing of it was
// written, else [Unknown]. The address, which may hold a secret, is left out.
func (t *Trip) Failure(err error) *Failure {
	if e, ok := errors.AsType[*url.Error](err); ok {
		err = e.Err
	}
	class, text := Unknown, "the request left and no answer came"
	if !t.wrote.Load() {
		class, text = NotSent, "the request did not leave"
	}
	switch {
	case errors.Is(err, ErrPrivate):
		return Fail(Config, "private_address", "%s", err.Error())
	case errors.Is(err, context.Canceled):
		text += ": it was canceled"
	case errors.Is(err, context.DeadlineExceeded):
		text += " in time"
	default:
		text += ": " + err.Error()
	}
	return Fail(class, "", "%s", text)
}

// maxRetryAfter bounds what a provider may ask us to wait.
const maxRetryAfter = time.Hour

// RetryAfter returns how long an answer asks to wait, at most an hour: its
// Retry-After (seconds or a date), else X-RateLimit-Reset (seconds since 1970).
// 0 if it does not say.
func RetryAfter(h http.Header, now time.Time) time.Duration {
	wait := time.Duration(0)
	if text := strings.TrimSpace(h.Get("Retry-After")); text != "" {
		if s, err := strconv.ParseInt(text, 10, 32); err == nil {
			wait = time.Duration(s) * time.Second
		} else if at, err := http.ParseTime(text); err == nil {
			wait = at.Sub(now)
		}
	} else if s, err := strconv.ParseInt(strings.TrimSpace(h.Get("X-RateLimit-Reset")), 10, 64); err == nil {
		wait = time.Unix(s, 0).Sub(now)
	}
	return min(max(wait, 0), maxRetryAfter)
}
