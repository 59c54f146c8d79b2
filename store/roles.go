package store

import (
	"errors"
)

// Errors every method may return; test with errors.Is.
var (
	// ErrNotFound says that no record has the id.
	ErrNotFound = errors.New("not found")
	// ErrConflict says that the record is not in the state the write needs:
	// another version, a taken name, a contact owned by its workflow.
	ErrConflict = errors.New("conflict")
	// ErrStale says that a newer run of the contact has written: the writer is a
	// left-over and must stop.
	ErrStale = errors.New("stale run")
)

// Page asks for one page of a list: at most Limit records after Cursor.
type Page struct {
	Limit  int
	Cursor string
}

// List is one page and the cursor of the next, "" at the end. Pages are keyset
// pages: stable under inserts.
type List[T any] struct {
	Items []T
	Next  string
}
