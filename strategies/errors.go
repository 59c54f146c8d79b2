package strategies

import (
	"errors"
	"fmt"
)

// The kinds of Error.
const (
	KindInvalidSource = "invalid_source" // syntax, missing function, signature
	KindLoadError     = "load_error"     // the module raised while it was loaded
	KindException     = "exception"
	KindBadResult     = "bad_result"  // wrong type, invalid field, unserialisable value, too large
	KindTimeout       = "timeout"     // waited past the deadline
	KindCPUTimeout    = "cpu_timeout" // computed or blocked without an await
	KindMemory        = "memory"
	KindDenied        = "denied"         // the sandbox refused something
	KindWorkerCrashed = "worker_crashed" // this call ended its process
	KindQuarantined   = "quarantined"    // this version ended too many processes

	KindWorkerLost         = "worker_lost" // a neighbour ended the process, again and again
	KindNoWorker           = "no_worker"
	KindSandboxUnavailable = "sandbox_unavailable"
)

// ErrClosed says that the pool is closed.
var ErrClosed = errors.New("the strategy pool is closed")

// Error is a failure of a strategy, told to its author, or of the system that runs it.
type Error struct {
	Kind      string `json:"kind"`
	Type      string `json:"type"` // the exception's class
	Message   string `json:"message"`
	File      string `json:"file"`
	Line      int    `json:"line"`   // 0 is unknown
	Column    int    `json:"column"` // 0 is unknown
	Traceback string `json:"traceback"`
}

// Error says where and what.
func (e *Error) Error() string {
	if e.File == "" {
		return fmt.Sprintf("%s: %s", e.Kind, e.Message)
	}
	return fmt.Sprintf("%s:%d: %s: %s: %s", e.File, e.Line, e.Kind, e.Type, e.Message)
}

// Transient says whether the same call may do better another time: once for timeouts and crashes, always for trouble of
// the system.
func (e *Error) Transient() bool {
	switch e.Kind {
	case KindTimeout, KindCPUTimeout, KindWorkerCrashed:
		return true
	default:
		return !e.User()
	}
}

// User says whether the author can mend it; otherwise it is trouble of the system.
func (e *Error) User() bool {
	switch e.Kind {
	case KindWorkerLost, KindNoWorker, KindSandboxUnavailable:
		return false
	default:
		return true
	}
}
