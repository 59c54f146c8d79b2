package api

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"mime"
	"net/http"
	"strings"

	"github.com/labstack/echo/v4"

	"carillon/campaign"
	"carillon/store"
)

// Headers of idempotency.
const (
	idempotencyKey = "Idempotency-Key"
	replayedHeader = "Idempotency-Replayed"
)

// replay answers a POST that was answered before, by caller and
// Idempotency-Key, with the same answer. An answer of 5xx is forgotten.
func (s *Server) replay(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		r := c.Request()
		key := r.Header.Get(idempotencyKey)
		if key == "" || !replayable(r) {
			return next(c)
		}
		if len(key) > 255 {
			return campaign.Invalid(idempotencyKey, "at most 255 bytes")
		}
		raw, err := io.ReadAll(r.Body)
		if err != nil {
			return readError(err)
		}
		r.Body = io.NopCloser(bytes.NewReader(raw))
		id, _ := r.Context().Value(identityKey{}).(identity)
		hash := hashRequest(r, raw)
		earlier, fresh, err := s.Store.ReserveAnswer(r.Context(), id.id, key, hash, s.now())
		switch {
		case err != nil:
			return err
		case fresh:
			return s.remember(c, next, id.id, key, hash)
		case earlier.RequestHash != hash:
			return campaign.Errorf(campaign.CodeConflict, "the %s was used for another request", idempotencyKey)
		case earlier.Status == 0:
			return campaign.Errorf(campaign.CodeConflict, "the request with this %s is still being worked on", idempotencyKey)
		default:
			return again(c, earlier)
		}
	}
}

// replayable reports whether a request is a POST of JSON whose answer may be
// kept. Answers of /v1/keys hold a key and are not.
func replayable(r *http.Request) bool {
	if r.Method != http.MethodPost || !strings.HasPrefix(r.URL.Path, "/v1/") || r.URL.Path == "/v1/keys" {
		return false
	}
	kind, _, err := mime.ParseMediaType(r.Header.Get(echo.HeaderContentType))
	if strings.HasSuffix(r.URL.Path, "/imports") {
		return false // a raw body, whatever its type
	}
	return r.Header.Get(echo.HeaderContentType) == "" || err == nil && (kind == echo.MIMEApplicationJSON || strings.HasSuffix(kind, "+json"))
}

func hashRequest(r *http.Request, body []byte) string {
	h := sha256.New()
	h.Write([]byte(r.Method + "\n" + r.URL.Path + "\n" + r.URL.RawQuery + "\n"))
	h.Write(body)
	return hex.EncodeToString(h.Sum(nil))
}

func readError(err error) error {
	if isTooLarge(err) {
		return err
	}
	p := problem(http.StatusBadRequest, "unreadable", "the body cannot be read")
	p.cause = err
	return p
}

// remember lets the request through and keeps its answer.
func (s *Server) remember(c echo.Context, next echo.HandlerFunc, actorID, key, hash string) error {
	ctx := context.WithoutCancel(c.Request().Context())
	copied := &recorder{ResponseWriter: c.Response().Writer}
	c.Response().Writer = copied
	done := false
	defer func() {
		c.Response().Writer = copied.ResponseWriter
		if !done {
			if err := s.Store.DropAnswer(ctx, actorID, key); err != nil {
				s.Log.Warn("drop answer", "error", err)
			}
		}
	}()
	if err := next(c); err != nil {
		c.Error(err)
	}
	status := c.Response().Status
	if status >= http.StatusInternalServerError || status == http.StatusTooManyRequests {
		return nil
	}
	header, err := json.Marshal(kept(c.Response().Header()))
	if err != nil {
		return err
	}
	if err := s.Store.StoreAnswer(ctx, actorID, key, store.Answer{RequestHash: hash, Status: status, Header: header, Body: copied.body.Bytes()}); err != nil {
		s.Log.Error("store answer", "error", err)
		return nil
	}
	done = true
	return nil
}

// kept are the headers that belong to the answer rather than to the exchange.
func kept(h http.Header) http.Header {
	out := http.Header{}
	for _, name := range []string{echo.HeaderContentType, "Etag", echo.HeaderLocation} {
		if v := h.Values(name); len(v) > 0 {
			out[name] = v
		}
	}
	return out
}

func again(c echo.Context, a store.Answer) error {
	var header http.Header
	if err := json.Unmarshal(a.Header, &header); err != nil {
		return err
	}
	for name, values := range header {
		c.Response().Header()[name] = values
	}
	c.Response().Header().Set(replayedHeader, "true")
	c.Response().WriteHeader(a.Status)
	_, err := c.Response().Write(a.Body)
	return err
}

// recorder copies what is written.
type recorder struct {
	http.ResponseWriter
	body bytes.Buffer
}

func (r *recorder) Write(b []byte) (int, error) {
	r.body.Write(b)
	return r.ResponseWriter.Write(b)
}

// Unwrap lets http.ResponseController through.
func (r *recorder) Unwrap() http.ResponseWriter { return r.ResponseWriter }
