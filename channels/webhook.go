package channels

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"time"

	"carillon/campaign"
)

// Errors of [Hook.Receive]; test with errors.Is. What they wrap is for the log
// and never for the answer.
var (
	// ErrForged says that the request does not come from the provider: a wrong
	// or missing signature, another account. Answered 401, keeps nothing.
	ErrForged = errors.New("forged")
	// ErrStale says that the signature is right and too old. Answered 401, keeps
	// nothing.
	ErrStale = errors.New("stale")
	// ErrMalformed says that the provider sent it and nobody can read it. It is
	// kept as it came and answered with 200, or the provider repeats it for days.
	ErrMalformed = errors.New("malformed")
)

// Hook receives what a provider tells about one integration. It is safe for
// concurrent use, does no I/O but by its Deps, and writes nothing: its caller
// commits the reports and answers after that.
type Hook interface {
	// Limit bounds the body of a request to the path, in bytes; 0 is [HookLimit].
	// A larger one is answered 413 before Receive is called.
	Limit(path string) int64
	// Receive verifies a request, over its raw bytes and in constant time, and
	// reads it. It returns one report for each thing that happened, in the order
	// told. Reports and answer are of no use with an error, save the answer with
	// ErrMalformed. Any error but the three above is answered 500: the provider
	// is to come again.
	Receive(ctx context.Context, r *HookRequest) ([]Report, HookAnswer, error)
}

// HookLimit is how large a request may be where its provider says nothing else.
const HookLimit = 1 << 20

// HookProvider is a [Provider] with webhooks.
type HookProvider interface {
	// OpenHook makes the receiver of an integration. It uses no network. What it
	// lacks to verify anything is a [*Failure] of class Config.
	OpenHook(i campaign.Integration, d Deps) (Hook, error)
}

// HookRequest is one request of a provider.
type HookRequest struct {
	Method string
	Path   string // what follows /hooks/{provider}/{integration}, such as "/events"; "" if nothing does
	URL    string // as the provider sees it: made of --public-url, never of the request's headers
	Query  url.Values
	Header http.Header
	Body   []byte // as it came
	Remote string // host:port of the peer, for the log
}

// HookAnswer is what the provider is answered once the reports are committed.
// The zero value is 200 without a body.
type HookAnswer struct {
	Status      int
	ContentType string
	Body        []byte
	// Then, if not nil, is called after the commit and makes the answer instead:
	// a voice provider answers with what the agent says. An error is answered 500.
	Then func(ctx context.Context) (HookAnswer, error)
}

// ReportKind says which part of a [Report] is set.
type ReportKind string

// Kinds of reports.
const (
	ReportStatus   ReportKind = "status"   // what became of a message
	ReportMessage  ReportKind = "message"  // the contact wrote: Inbound
	ReportIdentity ReportKind = "identity" // who the contact is to the provider: Identity
	ReportUnread   ReportKind = "unread"   // nobody could read it (ErrMalformed)
)

// StatusNoted is the status of a report that is kept and tells nobody anything:
// deferred, opened by a machine.
const StatusNoted = "noted"

// Report is one thing a provider tells. It is taken once for each Key of an
// integration, however often and in whatever order it comes.
type Report struct {
	Key     string // the same for the same thing, never "": an event's id, or what is unique of it
	Kind    ReportKind
	At      time.Time // by the provider's clock
	Channel campaign.Channel

	// Which message it is about, or which the contact answers: the key we planted,
	// or the id the receipt had. One of them is enough; both may be missing.
	CorrelationKey    string
	ProviderMessageID string
	Address           string // of the contact
	Raw               []byte // this one thing as it came, for people

	Status string // of ReportStatus: one of the campaign.Report constants, or StatusNoted
	Reason string // in the provider's words, or ours
	// Suppress, if not "", says why the address is not written to any more
	// (bounced, opt_out, unsubscribed, spam_report). With status opt_out that
	// goes for the person.
	Suppress string
	// Breaks says of a failure that the integration is at fault (class Config), so
	// that every message would meet it. The integration is paused.
	Breaks bool

	Inbound  *Inbound
	Identity *Identity
}

// Inbound is a message of a contact.
type Inbound struct {
	Session string   // the session, proven by a token of ours in the address it was sent to; "" if there was none
	Threads []string // provider ids of messages it answers, the nearest first
	// MessageID is the provider's id of the message itself, where an answer has to
	// name it: e-mail. "" elsewhere.
	MessageID string
	Name      string // of the sender, as the provider knows it
	Subject   string
	Content   string // what the contact says, without what is quoted
	Auto      bool   // a machine wrote it: kept, and nobody answers
	Files     []File
}

// File is an attachment, kept by the provider or by what URL names.
type File struct {
	Name string
	Type string // MIME
	Size int64  // bytes, 0 if not known
	URL  string
}

// Identity ties a contact to the provider's own id of a person, or ends that.
type Identity struct {
	ContactID string // proven by a token of ours; "" finds the contact by Address or Previous
	UserID    string
	Name      string // as the provider knows the person
	Previous  string // the id it takes the place of
	Blocked   bool   // the person has blocked us
}

// OpenHook makes the receiver of an integration; false if its provider has none.
func (r *Registry) OpenHook(i campaign.Integration, d Deps) (Hook, bool, error) {
	p, _ := r.Provider(i.Provider)
	hooked, ok := p.(HookProvider)
	if !ok {
		return nil, false, nil
	}
	h, err := hooked.OpenHook(i, d)
	return h, true, err
}
