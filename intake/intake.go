// Package intake turns an uploaded contact file into rows. It reads CSV, JSON Lines, a JSON array or JSON objects as a
// stream, in whatever encoding and with whatever delimiter the file came, and holds one row in memory at a time. A bad
// row never stops the file: it comes out with the problems that fail it. Intake must not import the store, workflows,
// channels or anything that knows what becomes of a row.
package intake

import (
	"encoding/json"
	"time"
)

// The limits of a file. They keep memory flat whatever is uploaded.
const (
	// MaxRecord is the most bytes of one record that are ever read into memory; a longer one is cut there and fails.
	MaxRecord = 1 << 20
	// MaxRow is the most bytes a row may take as JSON: it leaves room for plans and results in a contact of 64 KiB.
	MaxRow = 60 << 10
	// MaxID is the most bytes of an object_id or an external_id.
	MaxID = 200
)

// The severities of a Problem.
const (
	SeverityError   = "error"
	SeverityWarning = "warning"
)

// Row is one line of a file, ready to be merged into a contact.
type Row struct {
	// Line is the physical line the record starts on. A CSV header is line 1, as is the first object of JSON Lines.
	Line int
	// Fields are the system fields present in the row: name, email, phone, object_id, external_id, timezone, language
	// and telegram_chat_id.
	Fields map[string]string
	// Parameters are the other columns. A column the campaign declares in Options.Fields or Options.Mapping has the
	// name declared there; the rest are spelled as in the file.
	Parameters map[string]json.RawMessage
	// Raw is the row as it was, in UTF-8 and without its line end, for the file of failed rows.
	Raw string
	// Problems says what is wrong. One of error severity fails the row.
	Problems []Problem
}

// Problem is one thing wrong with a row. Field is empty when the whole row is meant; Value is cut to 200 characters.
type Problem struct {
	Severity string
	Field    string
	Value    string
	Reason   string
}

// Field is a parameter the campaign gives a type: string, integer, number, boolean, date, datetime or enum. An empty
// Type is string. Format spells dates with YYYY YY MM M DD D HH MM mm SS Z, as in "DD.MM.YYYY". Values are the enum's.
type Field struct {
	Name     string
	Type     string
	Format   string
	Values   []string
	Required bool
}

// Options say how to read a file. The zero value sniffs the format, types nothing and reads local times as UTC.
type Options struct {
	// ContentType is text/csv, application/x-ndjson or application/json, with an optional charset; any other is sniffed.
	ContentType string
	// Fields are the campaign's typed parameters.
	Fields []Field
	// Mapping renames columns: file column to system field or parameter. An empty target leaves the column out.
	Mapping map[string]string
	// Timezone is where a datetime without an offset was written; nil is UTC.
	Timezone *time.Location
	// Partial reads an update of a known contact: only object_id and external_id must be there.
	Partial bool
}

// Failed reports whether the row must not be imported.
func (r Row) Failed() bool {
	for _, p := range r.Problems {
		if p.Severity == SeverityError {
			return true
		}
	}
	return false
}

func (r *Row) fail(field, value, reason string) {
	r.Problems = append(r.Problems, Problem{SeverityError, field, cut(value), reason})
}

func (r *Row) warn(field, value, reason string) {
	r.Problems = append(r.Problems, Problem{SeverityWarning, field, cut(value), reason})
}

// cut keeps the first 200 characters of a value, so that one cell does not fill the error list, and makes them fit to
// store.
func cut(s string) string {
	const most = 200
	s, _ = mend(s)
	count := 0
	for i := range s {
		if count == most {
			return s[:i]
		}
		count++
	}
	return s
}
