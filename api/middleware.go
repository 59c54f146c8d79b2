package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"runtime/debug"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humaecho"
	"github.com/labstack/echo/v4"
)

// maxUpload bounds the one kind of body that is streamed: an import.
const maxUpload = 4 << 30

type requestIDKey struct{}

// requestID is the id that the answer's X-Request-Id shows.
func requestID(ctx context.Context) string {
	id, _ := ctx.Value(requestIDKey{}).(string)
	return id
}

// identify gives every request an id, and every answer the headers that all have.
func (s *Server) identify(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		id := c.Request().Header.Get(echo.HeaderXRequestID)
		if !validRequestID(id) {
			id = newID("rq_")
		}
		h := c.Response().Header()
		h.Set(echo.HeaderXRequestID, id)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Cache-Control", "no-store")
		c.SetRequest(c.Request().WithContext(context.WithValue(c.Request().Context(), requestIDKey{}, id)))
		return next(c)
	}
}

func validRequestID(id string) bool {
	return id != "" && len(id) <= 64 && !strings.ContainsFunc(id, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '-' && r != '_'
	})
}

// observe logs and counts every request.
func (s *Server) observe(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		begun := time.Now()
		if err := next(c); err != nil {
			c.Error(err)
		}
		r, took := c.Request(), time.Since(begun)
		status, route := c.Response().Status, c.Path()
		if route == "" || status == http.StatusNotFound && strings.HasSuffix(route, "*") {
			route = "unmatched"
		}
		s.metrics.observe(r.Method, route, status, took)
		level, path := slog.LevelInfo, r.URL.Path
		if !strings.HasPrefix(path, "/v1/") {
			level, path = slog.LevelDebug, route // other paths may hold a token
		}
		s.Log.Log(r.Context(), level, "request", "method", r.Method, "path", path, "status", status,
			"ms", took.Milliseconds(), "bytes", c.Response().Size, "actor", actor(r.Context()), "request_id", requestID(r.Context()))
		return nil
	}
}

// catch answers a panic like any other bug.
func (s *Server) catch(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) (err error) {
		defer func() {
			switch p := recover().(type) {
			case nil:
			case error:
				if errors.Is(p, http.ErrAbortHandler) {
					panic(p)
				}
				s.Log.Error("panic", "request_id", requestID(c.Request().Context()), "error", p, "stack", string(debug.Stack()))
				err = internal(p)
			default:
				s.Log.Error("panic", "request_id", requestID(c.Request().Context()), "error", p, "stack", string(debug.Stack()))
				err = internal(fmt.Errorf("panic: %v", p))
			}
		}()
		return next(c)
	}
}

// limitBody bounds every body.
func (s *Server) limitBody(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		r, limit := c.Request(), int64(maxJSON)
		if r.Method == http.MethodPost && strings.HasSuffix(r.URL.Path, "/imports") {
			limit = maxUpload
		}
		if r.ContentLength > limit {
			return tooLarge(limit)
		}
		if r.Body != nil {
			r.Body = http.MaxBytesReader(c.Response(), r.Body, limit)
		}
		return next(c)
	}
}

func tooLarge(limit int64) *Problem {
	return problem(http.StatusRequestEntityTooLarge, "too_large", fmt.Sprintf("the body is larger than %d MiB", limit>>20))
}

// answer writes an error that did not come from an operation: Echo's own, a
// middleware's, a panic.
func (s *Server) answer(err error, c echo.Context) {
	if c.Response().Committed {
		return
	}
	p := s.problemOf(c.Request().Context(), err)
	header := c.Response().Header()
	for name, values := range p.GetHeaders() {
		header[name] = values
	}
	header.Set(echo.HeaderContentType, problemType)
	c.Response().WriteHeader(p.Status)
	if c.Request().Method != http.MethodHead {
		_ = json.NewEncoder(c.Response()).Encode(p)
	}
}

// write answers a problem from a middleware of an operation.
func (s *Server) write(ctx huma.Context, p *Problem) {
	s.answer(p, humaecho.UnwrapV4(ctx))
}
