package egress

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"sync/atomic"
	"time"
)

// tunnel connects to the host and carries bytes both ways until either side is
// done, silent for too long or over its limit.
func (c *call) tunnel(ctx context.Context, w http.ResponseWriter) {
	p := c.proxy
	far, err := p.dial(ctx, "tcp", c.target())
	if err != nil {
		c.refuse(ctx, w, c.failure(err))
		return
	}
	near, rw, err := http.NewResponseController(w).Hijack()
	if err != nil {
		_ = far.Close()
		return
	}
	if !p.keep(near, far) {
		return
	}
	defer p.drop(near, far)
	_ = near.SetDeadline(time.Time{}) // of the request, which is over
	stop := time.AfterFunc(p.options.Longest, func() { _, _ = near.Close(), far.Close() })
	defer stop.Stop()
	_, _ = rw.WriteString("HTTP/1.1 200 Connection established\r\n\r\n")
	if rw.Flush() != nil {
		return
	}
	state := &movement{}
	state.last.Store(time.Now().UnixNano())
	out := &pump{movement: state, idle: p.options.Idle, limit: p.options.SentBytes}
	in := &pump{movement: state, idle: p.options.Idle, limit: p.options.ReceivedBytes}
	done := make(chan error, 1)
	go func() {
		err := out.run(far, rw.Reader, near)
		if err != nil { // the other way has nobody to speak to any more
			_, _ = near.Close(), far.Close()
		}
		done <- err
	}()
	back := in.run(near, far, far)
	if back != nil {
		_, _ = near.Close(), far.Close()
	} else {
		state.ending.Store(true)
		_ = near.SetReadDeadline(time.Now().Add(lastWords))
	}
	c.received = in.n
	forth := <-done
	c.sent.Store(out.n)
	c.log(ctx, http.StatusOK, reason(errors.Join(forth, back), errOver, errIdle))
}

var (
	errOver = errors.New("more bytes than one tunnel may carry")
	errIdle = errors.New("silent for too long")
)

// reason names the one of ours that ended a tunnel; that a side hung up is not one.
func reason(err error, ours ...error) string {
	for _, e := range ours {
		if errors.Is(err, e) {
			return e.Error()
		}
	}
	return ""
}

// lastWords is how long the strategy may go on after the host has finished.
const lastWords = time.Second

// movement is what the two directions of a tunnel know of each other.
type movement struct {
	last   atomic.Int64 // when a byte last moved, in Unix nanoseconds
	ending atomic.Bool  // the host has finished
}

// pump is one direction of a tunnel.
type pump struct {
	*movement
	idle  time.Duration
	limit int64
	n     int64
}

// run copies until the source ends, which is passed on.
func (p *pump) run(to net.Conn, from io.Reader, deadline net.Conn) error {
	buffer := make([]byte, 32<<10)
	for {
		_ = deadline.SetReadDeadline(time.Now().Add(p.idle))
		if p.ending.Load() {
			_ = deadline.SetReadDeadline(time.Now().Add(lastWords))
		}
		n, err := from.Read(buffer)
		if n > 0 {
			p.last.Store(time.Now().UnixNano())
			if p.n += int64(n); p.n > p.limit {
				return errOver
			}
			_ = to.SetWriteDeadline(time.Now().Add(p.idle))
			if _, err := to.Write(buffer[:n]); err != nil {
				return err
			}
		}
		switch {
		case err == nil:
		case errors.Is(err, io.EOF):
			if half, ok := to.(*net.TCPConn); ok {
				return half.CloseWrite()
			}
			return nil
		case errors.Is(err, os.ErrDeadlineExceeded):
			if p.ending.Load() {
				return nil
			}
			if time.Since(time.Unix(0, p.last.Load())) >= p.idle {
				return errIdle
			}
		default:
			return err
		}
	}
}

// keep makes a tunnel's connections known to Close; false if it came first.
func (p *Proxy) keep(conns ...net.Conn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		for _, c := range conns {
			_ = c.Close()
		}
		return false
	}
	p.tunnels.Add(1)
	for _, c := range conns {
		p.open[c] = true
	}
	return true
}

func (p *Proxy) drop(conns ...net.Conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range conns {
		_ = c.Close()
		delete(p.open, c)
	}
	p.tunnels.Done()
}
