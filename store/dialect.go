package store

import (
	"database/sql"
	"errors"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"
	"modernc.org/sqlite"
)

// dialect is all that differs between the two databases beside their types.
type dialect struct {
	name   string
	locked string // ends a select whose row is written next
	// unclaimed ends a select that leaves out what another transaction has locked.
	unclaimed string
}

// The two databases. In SQLite a writing transaction holds the only lock there is.
var (
	sqliteDialect   = dialect{name: "sqlite"}
	postgresDialect = dialect{name: "postgres", locked: " for update", unclaimed: " for update skip locked"}
)

func (d dialect) postgres() bool { return d.name == "postgres" }

// rows is a table x of the rows that are given to bulk, with the columns
// "name type, name type …". On SQLite bulk writes it for a number of rows.
func (d dialect) rows(columns string) string {
	if d.postgres() {
		return "json_to_recordset($1::json) as x(" + columns + ")"
	}
	return rowsMark + columns + "}"
}

// in tests membership in the one JSON parameter: an array of texts.
func (d dialect) in(column, param string) string {
	if d.postgres() {
		return column + " = any(array(select json_array_elements_text(" + param + "::json)))"
	}
	return column + " in (select value from json_each(" + param + "))"
}

// member is the text of a top-level member of a document.
func (d dialect) member(doc, name string) string {
	if d.postgres() {
		doc += "::json"
	}
	return "coalesce(" + doc + "->>'" + name + "', '')"
}

// fieldName is the argument that names a parameter to field; false if no
// parameter can have the name. SQLite reads it as a path, which has no way to
// write a quote.
func (d dialect) fieldName(name string) (string, bool) {
	if name = clean(name); d.postgres() {
		return name, true
	}
	return `$."` + name + `"`, name != "" && !strings.ContainsAny(name, `"\`)
}

// field is the text of contact c's parameter whose name is the SQL text given: a
// string's own text, a tagged date's text, else its JSON.
func (d dialect) field(name string) string {
	if d.postgres() {
		return "coalesce(" +
			"case json_typeof(c.doc::json->'parameters'->" + name + ") when 'object' then " +
			"coalesce(c.doc::json->'parameters'->" + name + "->>'$dt', c.doc::json->'parameters'->" + name + "->>'$d') end, " +
			"c.doc::json->'parameters'->>" + name + ")"
	}
	v := "(c.doc->'parameters'->" + name + ")"
	return "case json_type(" + v + ") when 'text' then " + v + "->>'$' when 'object' then " +
		"coalesce(" + v + `->>'$."$dt"', ` + v + `->>'$."$d"', ` + v + ") else " + v + " end"
}

// mapped turns what a driver says into the store's errors.
func mapped(err error) error {
	if err == nil {
		return nil
	}
	if errors.Is(err, sql.ErrNoRows) {
		return ErrNotFound
	}
	switch state, detail := sqlState(err); state {
	case "23505":
		return fmt.Errorf("%w: %s is taken", ErrConflict, detail)
	case "23503":
		return fmt.Errorf("%w: the record it belongs to", ErrNotFound)
	default:
		return err
	}
}

// retryable reports an error that goes away when the transaction runs again.
func retryable(err error) bool {
	switch state, _ := sqlState(err); state {
	case "40001", "40P01":
		return true
	default:
		return errors.Is(err, errAgain)
	}
}

// errAgain asks for the transaction to be run again: another one came between.
var errAgain = errors.New("run again")

// sqlState returns PostgreSQL's code of an error, also for SQLite, and what it is about.
func sqlState(err error) (state, detail string) {
	var pg *pgconn.PgError
	if errors.As(err, &pg) {
		return pg.Code, pg.ConstraintName
	}
	var lite *sqlite.Error
	if !errors.As(err, &lite) {
		return "", ""
	}
	const unique, primaryKey, foreignKey, busy = 2067, 1555, 787, 5
	switch code := lite.Code(); {
	case code == unique, code == primaryKey:
		_, detail, _ = strings.Cut(lite.Error(), "constraint failed: ")
		return "23505", strings.TrimPrefix(detail, "UNIQUE constraint failed: ")
	case code == foreignKey:
		return "23503", ""
	case code&0xff == busy:
		return "40001", ""
	default:
		return "", ""
	}
}
