package intake

import (
	"fmt"
	"strings"
)

// HeaderError is the answer to a CSV file whose header lacks columns every contact needs.
type HeaderError struct {
	// Missing are the names of the columns, in the order of the documentation.
	Missing []string
}

// Error names the missing columns.
func (e *HeaderError) Error() string {
	if len(e.Missing) == 1 {
		return fmt.Sprintf("the file has no column %s", e.Missing[0])
	}
	return fmt.Sprintf("the file has no columns %s", strings.Join(e.Missing, ", "))
}

// FormatError is the answer to a file that cannot be read at all.
type FormatError struct {
	// Reason is a clause for the person who uploaded the file.
	Reason string
}

// Error is the reason.
func (e *FormatError) Error() string { return e.Reason }

func unreadable(format string, args ...any) error {
	return &FormatError{Reason: fmt.Sprintf(format, args...)}
}
