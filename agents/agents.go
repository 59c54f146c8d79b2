// Package agents is the contract with whoever talks in a session: which kinds
// of agents this build can run, what each of them needs, and how one is given a
// turn. It imports package campaign and nothing of the engine.
package agents

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"time"

	"carillon/campaign"
)

// Field describes one thing a user fills in.
type Field struct {
	Name     string `json:"name"`
	Label    string `json:"label"`
	Hint     string `json:"hint,omitempty"`
	Required bool   `json:"required"`
	Secret   bool   `json:"secret,omitempty"`
	Kind     string `json:"kind,omitempty"` // what is checked of it when the agent is saved; "" is nothing
}

// KindURL is the kind of a field that is the address of a server; see
// [Registry.CheckURL].
const KindURL = "url"

// Description is a kind of agent about itself.
type Description struct {
	Kind campaign.AgentKind `json:"kind"`
	Name string             `json:"name"`
	Hint string             `json:"hint"`
	// Turns says that the engine asks the agent for an answer to every message. One
	// that has no turns answers by itself, through the REST API.
	Turns bool `json:"turns"`
	// Instant says that a turn takes a few milliseconds and leaves the process for
	// nothing, so that the engine runs it in place.
	Instant  bool    `json:"instant"`
	Settings []Field `json:"settings"`
	Secrets  []Field `json:"secrets"`
}

// ErrNoTurns is what [Kind.Open] returns for an agent that is given no turns.
var ErrNoTurns = errors.New("the agent is given no turns")

// Kind is one kind of agent.
type Kind interface {
	Describe() Description
	// Validate reports every field of the agent that breaks a rule of the kind,
	// as a [*campaign.Error].
	Validate(a *campaign.Agent) error
	// Open makes the speaker of an agent. It uses no network. It returns
	// [ErrNoTurns] for a kind without turns, and a [*Failure] for an agent that
	// cannot speak as it is.
	Open(a campaign.Agent, d Deps) (Speaker, error)
}

// Deps is what a kind is given to work with.
type Deps struct {
	// HTTP reaches what an operator may name. A kind bounds the time of its calls
	// itself. nil for kinds that need none.
	HTTP    *http.Client
	Secrets map[string]campaign.Secret
	Log     *slog.Logger // nil logs nothing
}

// Templates writes the texts of agents that are Liquid; [*channels.Renderer]
// does. It is safe for concurrent use.
type Templates interface {
	// CheckText reports what is wrong with a text; field names it in the report.
	CheckText(field, source string) []campaign.FieldError
	// RenderText writes a text, unescaped. An error says what the contact lacks or
	// what is wrong with the text, with the field; when ctx ends it is the context's.
	RenderText(ctx context.Context, field, source string, in campaign.TextInput) (string, error)
}

// Speaker answers in sessions for one agent. It is safe for concurrent use.
type Speaker interface {
	// Speak takes one turn: the answer to what the contact said last or, in a
	// session in which nobody has said anything, its opening. An error is a
	// [*Failure] or the context's; a repeated turn has the same [Turn.ID].
	Speak(ctx context.Context, t Turn) (Answer, error)
}

// Turn is what an agent knows when it is its turn.
type Turn struct {
	ID            string // stable over every retry: an idempotency key
	Session       campaign.Session
	Contact       campaign.Contact
	Communication campaign.Communication
	Campaign      campaign.Campaign
	Now           time.Time
}

// Said returns what the contact has said since anybody answered, oldest first.
// A burst of messages is answered in one turn.
func (t *Turn) Said() []campaign.Message {
	from := len(t.Session.Messages)
	for from > 0 && t.Session.Messages[from-1].Author == campaign.AuthorContact {
		from--
	}
	return t.Session.Messages[from:]
}

// Answer is what an agent makes of its turn. The zero value says nothing and
// changes nothing.
type Answer struct {
	Content string                 // is sent to the contact; "" says nothing
	State   string                 // where the agent is now; "" stays
	Results campaign.Dict          // what it has found out, merged into the session's results
	End     campaign.SessionStatus // ends the session after the answer; "" goes on
	Reason  string                 // of the end or the hand-off
	HandOff bool                   // a person is to take over
}

// Failure is why an agent could not take its turn. Its text holds no secret.
type Failure struct {
	// Permanent says that the same turn would fail again: a person must mend the
	// agent. Otherwise the turn is repeated.
	Permanent  bool
	RetryAfter time.Duration // how long to wait before, 0 if nobody said
	Err        error
}

// Error returns the cause.
func (f *Failure) Error() string { return f.Err.Error() }

// Unwrap returns the cause.
func (f *Failure) Unwrap() error { return f.Err }

// Registry is the kinds of this build. It is made once, by package agents/all,
// and safe for concurrent use.
type Registry struct {
	kinds []Kind
	// CheckURL says what is wrong with an address that an operator enters, "" if
	// nothing is; nil checks no more than the kind does. It is set by the wiring,
	// before the registry is used.
	CheckURL func(address string) string
}

// NewRegistry makes a registry.
func NewRegistry(kinds ...Kind) *Registry { return &Registry{kinds: kinds} }

// Kinds describes the kinds of this build.
func (r *Registry) Kinds() []Description {
	out := make([]Description, 0, len(r.kinds))
	for _, k := range r.kinds {
		out = append(out, k.Describe())
	}
	return out
}

// Of returns the kind, and whether this build can run it.
func (r *Registry) Of(kind campaign.AgentKind) (Kind, bool) {
	for _, k := range r.kinds {
		if k.Describe().Kind == kind {
			return k, true
		}
	}
	return nil, false
}

// Turns says how the engine gives turns to an agent of the kind: not at all,
// in place or by an activity of their own.
func (r *Registry) Turns(kind campaign.AgentKind) campaign.Turns {
	k, ok := r.Of(kind)
	if !ok {
		return campaign.TurnsNone
	}
	switch d := k.Describe(); {
	case !d.Turns:
		return campaign.TurnsNone
	case d.Instant:
		return campaign.TurnsHere
	default:
		return campaign.TurnsAway
	}
}

// Open makes the speaker of an agent; see [Kind.Open].
func (r *Registry) Open(a campaign.Agent, d Deps) (Speaker, error) {
	k, ok := r.Of(a.Kind)
	if !ok {
		return nil, &Failure{Permanent: true, Err: r.unknown(a.Kind)}
	}
	return k.Open(a, d)
}

// Validate reports every field of the agent that breaks a rule, those of its
// kind among them. A kind this build cannot run is refused, and the message
// lists the ones it can.
func (r *Registry) Validate(a *campaign.Agent) error {
	own := a.Validate()
	k, ok := r.Of(a.Kind)
	switch {
	case !ok && own != nil:
		return own
	case !ok:
		return r.unknown(a.Kind)
	}
	return both(own, both(k.Validate(a), r.addresses(k, a)))
}

// addresses reports settings that name a server nobody may be asked to reach.
func (r *Registry) addresses(k Kind, a *campaign.Agent) error {
	var found []campaign.FieldError
	for _, f := range k.Describe().Settings {
		if v := a.Settings[f.Name]; f.Kind == KindURL && v != "" && r.CheckURL != nil {
			if problem := r.CheckURL(v); problem != "" {
				found = append(found, campaign.FieldError{Field: "settings." + f.Name, Message: problem})
			}
		}
	}
	return Broken(found)
}

// Broken is the error of an agent that breaks rules; nil if it breaks none.
func Broken(found []campaign.FieldError) error {
	if len(found) == 0 {
		return nil
	}
	return &campaign.Error{Code: campaign.CodeInvalid, Message: "the agent is not valid", Fields: found}
}

// both is one error of the fields that two checks found.
func both(a, b error) error {
	var first, second *campaign.Error
	if !errors.As(a, &first) || !errors.As(b, &second) {
		return errors.Join(a, b)
	}
	return &campaign.Error{Code: first.Code, Message: first.Message, Fields: slices.Concat(first.Fields, second.Fields)}
}

func (r *Registry) unknown(kind campaign.AgentKind) error {
	var names []string
	for _, k := range r.kinds {
		names = append(names, string(k.Describe().Kind))
	}
	return campaign.Invalid("kind", "this build cannot run an agent of kind %s; it can run: %s", kind, strings.Join(names, ", "))
}
