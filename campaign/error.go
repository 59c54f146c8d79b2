package campaign

import (
	"errors"
	"fmt"
)

// Code classifies an [Error]; package api turns it into an HTTP status.
type Code string

// The codes of errors that a caller can act on.
const (
	CodeInvalid     Code = "invalid"      // the input breaks a rule: 422
	CodeNotFound    Code = "not_found"    // no such record: 404
	CodeConflict    Code = "conflict"     // the record's state forbids it: 409
	CodePrecond     Code = "precondition" // If-Match does not match: 412
	CodeUnsupported Code = "unsupported"  // a format we do not read: 415
	CodeTooLarge    Code = "too_large"    // over a documented limit: 413
	CodeUnavailable Code = "unavailable"  // a part of the system is away, try again: 503
)

// FieldError names the field of the input that is wrong and says what to do.
type FieldError struct {
	Field   string `json:"field"`
	Message string `json:"message"`
	Line    int    `json:"line,omitempty"`
	Column  int    `json:"column,omitempty"`
}

// Error is an error whose message may be shown to the caller.
type Error struct {
	Code    Code
	Message string
	Fields  []FieldError
}

// Error returns the message, followed by the fields that are wrong.
func (e *Error) Error() string {
	s := e.Message
	for _, f := range e.Fields {
		s += fmt.Sprintf("; %s: %s", f.Field, f.Message)
	}
	return s
}

// Errorf makes an error of a code.
func Errorf(code Code, format string, args ...any) *Error {
	return &Error{Code: code, Message: fmt.Sprintf(format, args...)}
}

// Invalid makes an error that names one wrong field.
func Invalid(field, format string, args ...any) *Error {
	return &Error{Code: CodeInvalid, Message: "the input is not valid", Fields: []FieldError{{Field: field, Message: fmt.Sprintf(format, args...)}}}
}

// CodeOf returns the code of the first [Error] in err's chain, or "".
func CodeOf(err error) Code {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Code
	}
	return ""
}

// problems collects field errors while a record is validated.
type problems []FieldError

func (p *problems) add(field, format string, args ...any) {
	*p = append(*p, FieldError{Field: field, Message: fmt.Sprintf(format, args...)})
}

func (p problems) err(what string) error {
	if len(p) == 0 {
		return nil
	}
	return &Error{Code: CodeInvalid, Message: "the " + what + " is not valid", Fields: p}
}
