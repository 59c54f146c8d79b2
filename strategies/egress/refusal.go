package egress

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"syscall"
	"time"
)

// refusal is an answer of the proxy itself. Its message is the status line's
// reason, because that is what Python shows: of a tunnel that fails nothing
// else, of a plain request "HTTP Error 403: <reason>".
type refusal struct {
	status  int
	message string
}

// Error returns the message as the author reads it.
func (r *refusal) Error() string { return r.message }

func refuse(status int, format string, args ...any) *refusal {
	return &refusal{status: status, message: cut("egress: " + fmt.Sprintf(format, args...))}
}

// cut makes a text fit for a header line and a log: printable ASCII, and short.
func cut(s string) string {
	s = strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' {
			return '?'
		}
		return r
	}, s)
	if len(s) > 400 {
		s = s[:400] + "..."
	}
	return s
}

// failure says why a host was not reached.
func (c *call) failure(err error) *refusal {
	if no, ok := errors.AsType[*refusal](err); ok {
		return no
	}
	if d, ok := errors.AsType[*net.DNSError](err); ok && d.IsNotFound {
		return refuse(http.StatusBadGateway, "%s: there is no such host", c.target())
	}
	if n, ok := errors.AsType[net.Error](err); ok && n.Timeout() || errors.Is(err, context.DeadlineExceeded) {
		return refuse(http.StatusGatewayTimeout, "%s did not answer in time", c.target())
	}
	if errors.Is(err, syscall.ECONNREFUSED) {
		return refuse(http.StatusBadGateway, "%s: connection refused", c.target())
	}
	if large, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return refuse(http.StatusRequestEntityTooLarge, "more than %d bytes sent to %s", large.Limit, c.target())
	}
	return refuse(http.StatusBadGateway, "%s was not reached: %v", c.target(), err)
}

// refuse answers with a refusal and logs it. The connection ends: what its
// sender thinks of the rest of it is unknown.
func (c *call) refuse(ctx context.Context, w http.ResponseWriter, no *refusal) {
	c.log(ctx, no.status, no.message)
	conn, rw, err := http.NewResponseController(w).Hijack()
	if err != nil {
		http.Error(w, no.message, no.status)
		return
	}
	defer func() { _ = conn.Close() }()
	_ = conn.SetDeadline(time.Now().Add(2 * time.Second))
	if writeRefusal(rw.Writer, no) != nil {
		return
	}
	// Closed over unread bytes the answer would be lost to a reset.
	if half, ok := conn.(*net.TCPConn); ok && half.CloseWrite() == nil {
		_, _ = io.CopyN(io.Discard, conn, 1<<20)
	}
}

func writeRefusal(w *bufio.Writer, no *refusal) error {
	challenge := ""
	if no.status == http.StatusProxyAuthRequired {
		challenge = "Proxy-Authenticate: Basic realm=\"carillon\"\r\n"
	}
	if _, err := fmt.Fprintf(w, "HTTP/1.1 %d %s\r\nContent-Type: text/plain; charset=utf-8\r\n%sContent-Length: %d\r\nConnection: close\r\n\r\n%s\n",
		no.status, no.message, challenge, len(no.message)+1, no.message); err != nil {
		return err
	}
	return w.Flush()
}
