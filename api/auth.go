package api

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/labstack/echo/v4"

	"carillon/store"
)

// Role is what a caller may do; each may all that the ones after it may.
type Role string

// The roles.
const (
	Admin    Role = "admin"    // keys, settings, audit
	Manager  Role = "manager"  // edits campaigns and all they stand on
	Operator Role = "operator" // works with contacts and sessions
	Viewer   Role = "viewer"   // reads
)

var ranks = map[Role]int{Viewer: 1, Operator: 2, Manager: 3, Admin: 4}

// Valid reports whether the role is one of the four.
func (r Role) Valid() bool { return ranks[r] > 0 }

func (r Role) may(needed Role) bool { return ranks[r] >= ranks[needed] }

// identity is who makes a request.
type identity struct {
	id    string // of the key; "admin" and "local" are built in
	actor string
	role  Role
}

type identityKey struct{}

// actor names who makes the request, for the audit log and decisions.
func actor(ctx context.Context) string {
	id, _ := ctx.Value(identityKey{}).(identity)
	return id.actor
}

// keyID is the id of the key that makes the request.
func keyID(ctx context.Context) string {
	id, _ := ctx.Value(identityKey{}).(identity)
	return id.id
}

func hashKey(key string) string {
	sum := sha256.Sum256([]byte(key))
	return hex.EncodeToString(sum[:])
}

// authenticate finds out who calls anything under /v1.
func (s *Server) authenticate(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		r := c.Request()
		if !strings.HasPrefix(r.URL.Path, "/v1/") {
			return next(c)
		}
		id, err := s.identity(r)
		if err != nil {
			if p := fail(err); p.Status == http.StatusUnauthorized {
				c.Response().Header().Set("WWW-Authenticate", "Bearer")
			}
			return err
		}
		c.SetRequest(r.WithContext(context.WithValue(r.Context(), identityKey{}, id)))
		return next(c)
	}
}

func (s *Server) identity(r *http.Request) (identity, error) {
	header := r.Header.Get("Authorization")
	if header == "" {
		return s.local(r)
	}
	scheme, key, _ := strings.Cut(header, " ")
	if key = strings.TrimSpace(key); !strings.EqualFold(scheme, "Bearer") || key == "" {
		return identity{}, problem(http.StatusUnauthorized, "unauthorized", "send Authorization: Bearer and a key")
	}
	hash := hashKey(key)
	if s.AdminKey != "" && subtle.ConstantTimeCompare([]byte(hash), []byte(hashKey(s.AdminKey))) == 1 {
		return identity{"admin", "admin", Admin}, nil
	}
	k, err := s.Store.KeyByHash(r.Context(), hash)
	if errors.Is(err, store.ErrNotFound) {
		return identity{}, problem(http.StatusUnauthorized, "unauthorized", "the key is not known")
	} else if err != nil {
		return identity{}, err
	}
	s.touch(r.Context(), k.ID)
	return identity{k.ID, "key " + k.Name, Role(k.Role)}, nil
}

// touch notes that a key is in use, at most once a minute.
func (s *Server) touch(ctx context.Context, keyID string) {
	now := s.now()
	if last, ok := s.touched.Load(keyID); ok && now.Sub(last.(time.Time)) < time.Minute {
		return
	}
	s.touched.Store(keyID, now)
	if err := s.Store.TouchKey(ctx, keyID, now); err != nil {
		s.Log.Warn("touch key", "key_id", keyID, "error", err)
	}
}

// local lets callers from this very machine in while no key is configured. A
// request that a proxy or a web page of another origin passed on is not local.
func (s *Server) local(r *http.Request) (identity, error) {
	missing := problem(http.StatusUnauthorized, "unauthorized", "send Authorization: Bearer and a key")
	if s.RequireKeys || s.AdminKey != "" {
		return identity{}, missing
	}
	keys, err := s.Store.Keys(r.Context())
	if err != nil {
		return identity{}, err
	}
	if len(keys) > 0 {
		return identity{}, missing
	}
	origin, err := url.Parse(r.Header.Get("Origin"))
	foreign := err != nil || origin.Host != "" && origin.Host != r.Host
	if !loopback(r.RemoteAddr) || !loopback(r.Host) || foreign || r.Header.Get("X-Forwarded-For") != "" || r.Header.Get("Forwarded") != "" {
		return identity{}, problem(http.StatusForbidden, "forbidden", "no key is configured: only this machine may call")
	}
	return identity{"local", "local", Admin}, nil
}

// loopback reports whether "host:port" or "host" is this machine.
func loopback(address string) bool {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		host = strings.Trim(address, "[]")
	}
	if strings.EqualFold(host, "localhost") {
		return true
	}
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback()
}

// require lets only callers of at least the role through to an operation.
func (s *Server) require(role Role) func(huma.Context, func(huma.Context)) {
	return func(ctx huma.Context, next func(huma.Context)) {
		id, _ := ctx.Context().Value(identityKey{}).(identity)
		if id.role.may(role) {
			next(ctx)
			return
		}
		s.write(ctx, problem(http.StatusForbidden, "forbidden", "this needs the role "+string(role)))
	}
}
