package egress

import (
	"context"
	"io"
	"net/http"
	"net/textproto"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// hopHeaders are between two neighbours, and not passed on.
// https://www.rfc-editor.org/rfc/rfc9110#section-7.6.1
var hopHeaders = []string{
	"Connection", "Proxy-Connection", "Keep-Alive", "Proxy-Authenticate", "Proxy-Authorization", "Te", "Trailer", "Transfer-Encoding", "Upgrade",
}

// forward carries a plain request to its host and the answer back. Both are
// written anew from what was understood, so nothing can be smuggled past us.
func (c *call) forward(ctx context.Context, w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	o := &c.proxy.options
	if r.ContentLength > o.SentBytes {
		c.refuse(ctx, w, refuse(http.StatusRequestEntityTooLarge, "more than %d bytes sent to %s", o.SentBytes, c.target()))
		return
	}
	out := r.Clone(ctx)
	out.RequestURI, out.Trailer = "", nil
	out.Host = r.URL.Host
	out.URL.Host = c.target()
	out.Header = endToEnd(r.Header)
	if out.Header.Values("User-Agent") == nil {
		out.Header["User-Agent"] = nil // not Go's
	}
	body := &counter{r: http.MaxBytesReader(w, r.Body, o.SentBytes), n: &c.sent, closed: make(chan struct{})}
	if out.Body = body; r.ContentLength == 0 {
		out.Body = http.NoBody
		_ = body.Close()
	}
	resp, err := c.proxy.transport.RoundTrip(out)
	var no *refusal
	switch {
	case err != nil:
		no = c.failure(err)
	case resp.ContentLength > o.ReceivedBytes:
		no = refuse(http.StatusBadGateway, "%s answers with more than %d bytes", c.target(), o.ReceivedBytes)
	case resp.StatusCode < http.StatusOK:
		no = refuse(http.StatusBadGateway, "%s answers with another protocol", c.target())
	}
	if resp != nil {
		defer func() { _ = resp.Body.Close() }()
	}
	if no != nil {
		cancel()
		if !body.rests() {
			c.log(ctx, no.status, no.message)
			panic(http.ErrAbortHandler)
		}
		c.refuse(ctx, w, no)
		return
	}
	h := w.Header()
	for name, values := range endToEnd(resp.Header) {
		h[name] = values
	}
	w.WriteHeader(resp.StatusCode)
	if no := c.answer(w, resp.Body); no != "" {
		c.log(ctx, resp.StatusCode, no)
		panic(http.ErrAbortHandler) // so that the strategy sees an answer that was cut
	}
	c.log(ctx, resp.StatusCode, "")
}

// answer copies the body; it says why if it was not copied whole.
func (c *call) answer(w io.Writer, body io.Reader) string {
	limit := c.proxy.options.ReceivedBytes
	var err error
	c.received, err = io.Copy(w, io.LimitReader(body, limit))
	if err != nil {
		return "the answer broke off"
	}
	var one [1]byte
	if n, _ := body.Read(one[:]); n > 0 {
		return "the answer is too long"
	}
	return ""
}

// endToEnd returns the headers that are passed on.
func endToEnd(h http.Header) http.Header {
	out := h.Clone()
	for _, list := range h.Values("Connection") {
		for name := range strings.SplitSeq(list, ",") {
			out.Del(textproto.TrimString(name))
		}
	}
	for _, name := range hopHeaders {
		out.Del(name)
	}
	return out
}

// counter counts what is read of a request's body.
type counter struct {
	r      io.ReadCloser
	n      *atomic.Int64
	once   sync.Once
	closed chan struct{}
}

func (c *counter) Read(b []byte) (int, error) {
	n, err := c.r.Read(b)
	c.n.Add(int64(n))
	return n, err
}

func (c *counter) Close() error {
	defer c.once.Do(func() { close(c.closed) })
	return c.r.Close()
}

// rests waits a moment for the transport to let go of the body. Before that the
// connection under it cannot be taken over.
func (c *counter) rests() bool {
	t := time.NewTimer(time.Second)
	defer t.Stop()
	select {
	case <-c.closed:
		return true
	case <-t.C:
		return false
	}
}
