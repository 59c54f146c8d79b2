package agents

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"carillon/campaign"
)

// ErrNoClient says that whoever opened an agent gave it no way out.
var ErrNoClient = &Failure{Permanent: true, Err: errors.New("the agent is in a part of the program that reaches no other server")}

// Narrow returns a copy of a client that follows no redirect, has no time-out of
// its own and reads at most limit bytes of an answer; what is longer is cut off.
func Narrow(c *http.Client, limit int64) *http.Client {
	out := *c
	out.Timeout = 0
	out.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	next := c.Transport
	if next == nil {
		next = http.DefaultTransport
	}
	out.Transport = narrowed{next, limit}
	return &out
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

// Unreached is the failure of a request that got no answer; it is tried again.
// The address, which may hold what nobody should read, is left out. If ctx, the
// engine's, has ended, it is its error; a turn's own time-out is no such end.
func Unreached(ctx context.Context, who string, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if e, ok := errors.AsType[*url.Error](err); ok {
		err = e.Err
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return &Failure{Err: fmt.Errorf("%s did not answer in time", who)}
	}
	return &Failure{Err: fmt.Errorf("%s cannot be reached: %w", who, err)}
}

// Again reports whether an answer with the status says that the same request may
// succeed later.
func Again(status int) bool {
	switch status {
	case http.StatusRequestTimeout, http.StatusConflict, http.StatusTooEarly, http.StatusTooManyRequests: // 409: it is at this turn already
		return true
	default:
		return status >= 500
	}
}

// maxRetryAfter bounds what a server may ask us to wait.
const maxRetryAfter = time.Hour

// RetryAfter returns how long an answer asks to wait, at most an hour; 0 if it
// does not say.
func RetryAfter(h http.Header, now time.Time) time.Duration {
	text, wait := strings.TrimSpace(h.Get("Retry-After")), time.Duration(0)
	if s, err := strconv.ParseFloat(text, 64); err == nil && s > 0 && s < 1e9 {
		wait = time.Duration(s * float64(time.Second))
	} else if at, err := http.ParseTime(text); err == nil {
		wait = at.Sub(now)
	}
	return min(max(wait, 0), maxRetryAfter)
}

// Redact takes secrets out of what a server wrote, plain or as they look in
// base64 and in a URL, and bounds it to one line of 300 bytes: it goes into
// histories and answers.
func Redact(text string, secrets map[string]campaign.Secret) string {
	const limit = 300
	var pairs []string
	for _, s := range secrets {
		if s == "" {
			continue
		}
		v := s.Reveal()
		for _, form := range []string{v, base64.StdEncoding.EncodeToString([]byte(v)), url.QueryEscape(v), url.PathEscape(v)} {
			pairs = append(pairs, form, s.String())
		}
	}
	text = strings.Join(strings.Fields(strings.NewReplacer(pairs...).Replace(text)), " ")
	if len(text) > limit {
		text = text[:limit] + "…"
	}
	return strings.ToValidUTF8(text, "")
}
