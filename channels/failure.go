package channels

import (
	"errors"
	"fmt"
	"time"
)

// Class says how a send failed, and thereby what the engine does about it.
type Class string

// The classes of failures.
const (
	// Config: the integration is wrong (a bad key, a locked account). It is paused
	// and says why; its contacts are held and none is used up.
	Config Class = "config"
	// Template: the stage names a template that the provider does not have, does not
	// approve, or wants other variables for. The stage is paused likewise.
	Template Class = "template"
	// Invalid: our request is wrong for this contact (a text too long). Not retried.
	Invalid Class = "invalid"
	// Recipient: the address does not exist or cannot be reached. The address is marked bad.
	Recipient Class = "recipient"
	// OptOut: the person does not want to hear from us. The address is suppressed.
	OptOut Class = "opt_out"
	// Policy: the provider's rules forbid this message now (outside WhatsApp's window).
	Policy Class = "policy"
	// Throttled: too fast. Retried after RetryAfter.
	Throttled Class = "throttled"
	// Retryable: the provider says that it did not process the message.
	Retryable Class = "retryable"
	// NotSent: the request never left (DNS, dial, TLS).
	NotSent Class = "not_sent"
	// Unknown: the request left and no usable answer came. Never sent again by itself.
	Unknown Class = "unknown"
	// Unclassified: an error that is no Failure, a bug of ours. Treated like Unknown.
	Unclassified Class = "unclassified"
)

// Classes lists the classes.
var Classes = []Class{Config, Template, Invalid, Recipient, OptOut, Policy, Throttled, Retryable, NotSent, Unknown, Unclassified}

// Retry reports whether the same message may be sent again by itself.
func (c Class) Retry() bool { return c == Throttled || c == Retryable || c == NotSent }

// MaybeSent reports whether the message may have left all the same, so that
// only a look-up, a webhook or a person may settle it.
func (c Class) MaybeSent() bool { return c == Unknown || c == Unclassified }

// Failure is how a send ended without a receipt. Its text holds no secret.
type Failure struct {
	Class      Class
	Code       string        // the provider's own code, "" if it gave none
	RetryAfter time.Duration // how long the provider asks us to wait, 0 if it does not say
	Err        error
}

// Fail makes a Failure with a message.
func Fail(class Class, code, format string, args ...any) *Failure {
	return &Failure{Class: class, Code: code, Err: fmt.Errorf(format, args...)}
}

// Error names the class, the provider's code and the cause.
func (f *Failure) Error() string {
	s := string(f.Class)
	if f.Code != "" {
		s += " " + f.Code
	}
	if f.Err != nil {
		s += ": " + f.Err.Error()
	}
	return s
}

// Unwrap returns the cause.
func (f *Failure) Unwrap() error { return f.Err }

// Retry reports whether the same message may be sent again by itself.
func (f *Failure) Retry() bool { return f.Class.Retry() }

// MaybeSent reports whether the message may have left all the same.
func (f *Failure) MaybeSent() bool { return f.Class.MaybeSent() }

// Classify returns the Failure in err's chain; an error without one becomes
// Unclassified, and nil stays nil.
func Classify(err error) *Failure {
	if err == nil {
		return nil
	}
	if f, ok := errors.AsType[*Failure](err); ok {
		return f
	}
	return &Failure{Class: Unclassified, Err: err}
}
