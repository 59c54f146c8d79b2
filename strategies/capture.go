package strategies

import (
	"os"
	"sync"
	"time"
)

// capture drains a pipe and keeps its beginning.
type capture struct {
	file  *os.File
	ended chan struct{}
	some  chan struct{} // closed at the first byte

	mu   sync.Mutex
	kept []byte
	cut  bool
}

func newCapture(file *os.File, limit int) *capture {
	c := &capture{file: file, ended: make(chan struct{}), some: make(chan struct{})}
	go func() {
		defer close(c.ended)
		defer func() { _ = file.Close() }()
		buffer := make([]byte, 4096)
		for first := true; ; first = false {
			n, err := file.Read(buffer)
			c.mu.Lock()
			if room := limit - len(c.kept); n > room {
				n, c.cut = room, true
			}
			c.kept = append(c.kept, buffer[:n]...)
			c.mu.Unlock()
			if first && n > 0 {
				close(c.some)
			}
			if err != nil {
				return
			}
		}
	}()
	return c
}

// finish waits for the end of the pipe, but not for long: something else may hold its other end.
func (c *capture) finish(wait time.Duration) string {
	_ = c.file.SetReadDeadline(time.Now().Add(wait))
	<-c.ended
	return c.text()
}

func (c *capture) text() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.cut {
		return string(c.kept) + "…" // by which a redactor knows that a secret may have been cut, too
	}
	return string(c.kept)
}
