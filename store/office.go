package store

import (
	"context"
	"errors"
	"time"
)

// CreateKey adds an API key; ErrConflict if it is there.
func (s *Store) CreateKey(ctx context.Context, k Key) error {
	_, err := s.direct().exec(ctx, `insert into api_keys (id, name, role, hash, created_at, last_used) values ($1, $2, $3, $4, $5, $6)`,
		k.ID, k.Name, k.Role, k.Hash, micros(k.CreatedAt), microsPtr(k.LastUsed))
	return wrap(err, "create key %q", k.Name)
}

const keyColumns = `id, name, role, hash, created_at, last_used`

func scanKey(row scanner) (k Key, err error) {
	var created int64
	var used *int64
	err = row.Scan(&k.ID, &k.Name, &k.Role, &k.Hash, &created, &used)
	k.CreatedAt, k.LastUsed = fromMicros(created), fromMicrosPtr(used)
	return k, err
}

// KeyByHash finds a key by the hash of what a client sent.
func (s *Store) KeyByHash(ctx context.Context, hash string) (Key, error) {
	keys, err := collect(ctx, s.read(), `select `+keyColumns+` from api_keys where hash = $1`, []any{hash}, scanKey)
	if err == nil && len(keys) == 0 {
		err = ErrNotFound
	}
	if err != nil {
		return Key{}, wrap(err, "read key")
	}
	return keys[0], nil
}

// Keys returns all keys, the oldest first.
func (s *Store) Keys(ctx context.Context) ([]Key, error) {
	keys, err := collect(ctx, s.read(), `select `+keyColumns+` from api_keys order by created_at, id`, nil, scanKey)
	return keys, wrap(err, "read keys")
}

// DeleteKey removes a key.
func (s *Store) DeleteKey(ctx context.Context, id string) error {
	n, err := s.direct().exec(ctx, `delete from api_keys where id = $1`, id)
	if err == nil && n == 0 {
		err = ErrNotFound
	}
	return wrap(err, "delete key %s", id)
}

// TouchKey remembers when a key was last used, to the minute: a key in use is not
// written with every request.
func (s *Store) TouchKey(ctx context.Context, id string, now time.Time) error {
	_, err := s.direct().exec(ctx, `update api_keys set last_used = $2 where id = $1 and (last_used is null or last_used < $3)`,
		id, micros(now), micros(now.Add(-time.Minute)))
	return wrap(err, "touch key %s", id)
}

// Audit adds an entry; the same id again changes nothing.
func (s *Store) Audit(ctx context.Context, e AuditEntry) error {
	if e.ID == "" {
		e.ID = newID("au_")
	}
	_, err := s.direct().exec(ctx, `insert into audit (id, at, actor, action, resource, detail) values ($1, $2, $3, $4, $5, $6) on conflict do nothing`,
		e.ID, micros(e.At), e.Actor, e.Action, e.Resource, e.Detail)
	return wrap(err, "write audit log")
}

// AuditLog lists the entries, the newest first.
func (s *Store) AuditLog(ctx context.Context, p Page) (List[AuditEntry], error) {
	var q query
	items, err := list(ctx, s.read(), `select id, at, actor, action, resource, detail from audit`, &q, newest("at"), p,
		func(row scanner) (e AuditEntry, at position, err error) {
			var when int64
			err = row.Scan(&e.ID, &when, &e.Actor, &e.Action, &e.Resource, &e.Detail)
			e.At = fromMicros(when)
			return e, position{when, e.ID}, err
		})
	return items, wrap(err, "list audit log")
}

// reservation is how long an answer may take before its key is free again.
const reservation = time.Minute

// ReserveAnswer claims an idempotency key.
func (s *Store) ReserveAnswer(ctx context.Context, actor, key, requestHash string, now time.Time) (Answer, bool, error) {
	var a Answer
	claimed := false
	err := s.write(ctx, func(c conn) error {
		a = Answer{RequestHash: requestHash}
		n, err := c.exec(ctx, `insert into answers (actor, key, request_hash, status, header, body, reserved_at)
			values ($1, $2, $3, 0, '{}', $4, $5)
			on conflict (actor, key) do update set request_hash = excluded.request_hash, reserved_at = excluded.reserved_at
			where answers.status = 0 and answers.reserved_at < $6`,
			actor, key, requestHash, []byte{}, micros(now), micros(now.Add(-reservation)))
		if claimed = n == 1; err != nil || claimed {
			return err
		}
		var header []byte
		err = c.one(ctx, `select request_hash, status, header, body from answers where actor = $1 and key = $2`, []any{actor, key},
			&a.RequestHash, &a.Status, &header, &a.Body)
		a.Header = header
		if errors.Is(err, ErrNotFound) {
			return errAgain // dropped in between
		}
		return err
	})
	return a, claimed && err == nil, wrap(err, "reserve answer")
}

// StoreAnswer keeps the answer to a request whose key was reserved.
func (s *Store) StoreAnswer(ctx context.Context, actor, key string, a Answer) error {
	if a.Body == nil {
		a.Body = []byte{}
	}
	n, err := s.direct().exec(ctx, `update answers set status = $3, header = $4, body = $5 where actor = $1 and key = $2`,
		actor, key, a.Status, rawOr(a.Header, "{}"), a.Body)
	if err == nil && n == 0 {
		err = ErrNotFound
	}
	return wrap(err, "store answer")
}

// DropAnswer frees a key whose request left nothing behind.
func (s *Store) DropAnswer(ctx context.Context, actor, key string) error {
	_, err := s.direct().exec(ctx, `delete from answers where actor = $1 and key = $2 and status = 0`, actor, key)
	return wrap(err, "drop answer")
}

// PruneAnswers forgets answers that were reserved before; it returns how many.
func (s *Store) PruneAnswers(ctx context.Context, before time.Time) (int64, error) {
	n, err := s.direct().exec(ctx, `delete from answers where reserved_at < $1`, micros(before))
	return n, wrap(err, "prune answers")
}
