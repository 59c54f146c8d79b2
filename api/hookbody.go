package api

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"time"

	"github.com/labstack/echo/v4"

	"carillon/channels"
)

// Nobody is known before the signature over the whole body is verified. So that a
// flood of large requests does not fill the memory, only a few of them are read
// at once, each within a time; of small ones as many as come.
const (
	largeBody   = 1 << 20 // bytes from which on a body is a large one
	largeBodies = 8
	bodyTime    = time.Minute
)

// errManyBodies says that as many large bodies are being read as may be.
var errManyBodies = errors.New("too many large webhooks at once")

// bodies reads the bodies of webhooks.
type bodies struct {
	slots chan struct{}
}

func newBodies() bodies { return bodies{slots: make(chan struct{}, largeBodies)} }

// read reads a body once, as it came. It is done with when done is called.
func (b bodies) read(c echo.Context, limit int64) (body []byte, done func(), err error) {
	r := c.Request()
	done = func() {}
	if limit <= 0 {
		limit = channels.HookLimit
	}
	if r.ContentLength > limit {
		return nil, done, &http.MaxBytesError{Limit: limit}
	}
	late := http.NewResponseController(c.Response())
	if err := late.SetReadDeadline(time.Now().Add(bodyTime)); err == nil {
		defer func() { _ = late.SetReadDeadline(time.Time{}) }()
	}
	body, err = io.ReadAll(io.LimitReader(r.Body, min(limit, largeBody)+1))
	if err != nil || int64(len(body)) <= min(limit, largeBody) {
		return body, done, err
	}
	if limit <= largeBody {
		return nil, done, &http.MaxBytesError{Limit: limit}
	}
	select {
	case b.slots <- struct{}{}:
		done = func() { <-b.slots }
	default:
		return nil, done, errManyBodies
	}
	whole := bytes.NewBuffer(make([]byte, 0, max(r.ContentLength, 2*largeBody)+bytes.MinRead))
	whole.Write(body)
	if _, err = io.Copy(whole, io.LimitReader(r.Body, limit+1-int64(len(body)))); err == nil && int64(whole.Len()) > limit {
		err = &http.MaxBytesError{Limit: limit}
	}
	if err != nil {
		done()
		return nil, func() {}, err
	}
	return whole.Bytes(), done, nil
}
