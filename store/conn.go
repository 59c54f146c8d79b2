package store

import (
	"context"
	"database/sql"
	"fmt"
	"time"
)

// conn runs SQL, in a transaction or outside of one.
type conn struct {
	s  *Store
	db *sql.DB
	tx *sql.Tx // nil: outside
	// missed are the statements of the transaction that were not prepared.
	missed *[]string
}

// scanner is a row.
type scanner interface{ Scan(into ...any) error }

// read is for statements that only read.
func (s *Store) read() conn { return conn{s: s, db: s.reader} }

// direct is for one statement that writes; it commits by itself.
func (s *Store) direct() conn { return conn{s: s, db: s.writer} }

// write runs f in a transaction, again if the database asks for it. The error of
// f is returned as it is.
func (s *Store) write(ctx context.Context, f func(c conn) error) error {
	const attempts = 8
	for i := 1; ; i++ {
		err := s.writeOnce(ctx, f)
		if err == nil || i == attempts || !retryable(err) {
			return err
		}
		select {
		case <-time.After(time.Duration(i*i) * time.Millisecond):
		case <-ctx.Done():
			return err
		}
	}
}

func (s *Store) writeOnce(ctx context.Context, f func(c conn) error) error {
	tx, err := s.writer.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("begin: %w", err)
	}
	var missed []string
	if err := f(conn{s: s, db: s.writer, tx: tx, missed: &missed}); err != nil {
		_ = tx.Rollback()
		return err
	}
	if err := tx.Commit(); err != nil {
		return fmt.Errorf("commit: %w", err)
	}
	for _, query := range missed {
		_, _ = s.prepare(ctx, s.writer, query) //nolint:sqlclosecheck // kept for ever; committed already: the next one will see the error
	}
	return nil
}

// exec runs a statement and returns how many rows it touched.
func (c conn) exec(ctx context.Context, query string, args ...any) (int64, error) {
	cleanArgs(args)
	stmt, err := c.statement(ctx, query) //nolint:sqlclosecheck // prepared once, kept by the store
	if err != nil {
		return 0, mapped(err)
	}
	var res sql.Result
	switch {
	case stmt != nil:
		res, err = stmt.ExecContext(ctx, args...)
	case c.tx != nil:
		res, err = c.tx.ExecContext(ctx, query, args...)
	default:
		res, err = c.db.ExecContext(ctx, query, args...)
	}
	if err != nil {
		return 0, mapped(err)
	}
	return res.RowsAffected()
}

// each visits the rows of a query.
func (c conn) each(ctx context.Context, query string, args []any, visit func(scanner) error) error {
	cleanArgs(args)
	if c.s.watch != nil {
		c.s.watch(query, args)
	}
	stmt, err := c.statement(ctx, query) //nolint:sqlclosecheck // prepared once, kept by the store
	if err != nil {
		return mapped(err)
	}
	var rows *sql.Rows
	switch {
	case stmt != nil:
		rows, err = stmt.QueryContext(ctx, args...)
	case c.tx != nil:
		rows, err = c.tx.QueryContext(ctx, query, args...)
	default:
		rows, err = c.db.QueryContext(ctx, query, args...)
	}
	if err != nil {
		return mapped(err)
	}
	defer rows.Close()
	for rows.Next() {
		if err := visit(rows); err != nil {
			return err
		}
	}
	return mapped(rows.Err())
}

// cleanArgs removes from texts what PostgreSQL refuses.
func cleanArgs(args []any) {
	for i, arg := range args {
		if text, ok := arg.(string); ok {
			args[i] = clean(text)
		}
	}
}

// one reads the only row of a query; ErrNotFound if there is none.
func (c conn) one(ctx context.Context, query string, args []any, into ...any) error {
	found := false
	err := c.each(ctx, query, args, func(row scanner) error {
		found = true
		return row.Scan(into...)
	})
	if err == nil && !found {
		return ErrNotFound
	}
	return err
}

// statement returns the query prepared, on SQLite, where that saves most of what a
// statement costs; pgx does the same by itself. A transaction holds the only
// connection that writes, so what it misses is prepared after it.
func (c conn) statement(ctx context.Context, query string) (*sql.Stmt, error) {
	if c.s.dialect.postgres() {
		return nil, nil
	}
	stmt, ok := c.s.prepared.Load(statementKey{c.db, query})
	switch {
	case ok && c.tx != nil:
		return c.tx.StmtContext(ctx, stmt.(*sql.Stmt)), nil
	case ok:
		return stmt.(*sql.Stmt), nil
	case c.tx != nil:
		*c.missed = append(*c.missed, query)
		return nil, nil
	default:
		return c.s.prepare(ctx, c.db, query)
	}
}

// statementKey names a prepared statement.
type statementKey struct {
	db    *sql.DB
	query string
}

func (s *Store) prepare(ctx context.Context, db *sql.DB, query string) (*sql.Stmt, error) {
	stmt, err := db.PrepareContext(ctx, query)
	if err != nil {
		return nil, err
	}
	if other, loaded := s.prepared.LoadOrStore(statementKey{db, query}, stmt); loaded {
		_ = stmt.Close() //nolint:sqlclosecheck // the other one is kept
		return other.(*sql.Stmt), nil
	}
	return stmt, nil
}

// collect reads all rows of a query.
func collect[T any](ctx context.Context, c conn, query string, args []any, scan func(scanner) (T, error)) ([]T, error) {
	items := []T{}
	err := c.each(ctx, query, args, func(row scanner) error {
		item, err := scan(row)
		if err == nil {
			items = append(items, item)
		}
		return err
	})
	return items, err
}

func scanText(row scanner) (text string, err error) {
	err = row.Scan(&text)
	return text, err
}

// scanDoc reads a row that is one record's JSON.
func scanDoc[T any](row scanner) (v T, err error) {
	var doc []byte
	if err = row.Scan(&doc); err != nil {
		return v, err
	}
	return decode[T](doc)
}
