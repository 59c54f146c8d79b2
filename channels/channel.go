package channels

import (
	"context"
	"net"
	"net/http"
	"time"

	"carillon/campaign"
)

// Outbound is one message that is about to leave, rendered and addressed.
type Outbound struct {
	ID             string // of the message: stable over every retry
	CorrelationKey string // planted where the provider gives it back
	Channel        campaign.Channel
	To             string
	Subject        string
	Body           string
	HTML           bool              // Body is HTML
	Delivery       campaign.Delivery // as drawn; its templates are rendered already
	Variables      map[string]string // the delivery's, rendered

	CampaignID      string
	ContactID       string
	CommunicationID string
	SessionID       string
	Reply           bool      // inside an open session, not its opening
	Opening         string    // of a reply: the correlation key of the session's opening, or ""
	Thread          []Said    // of a reply: what was said in the session before, oldest first
	ReplyToken      string    // proves the session in the address that answers go to, "" if there is none
	Heard           time.Time // when the contact last wrote in the session; zero if never
	UnsubscribeURL  string    // where one click ends the messages, "" if there is none
	At              time.Time
}

// Said is an earlier message of a session, as a thread of e-mail names it.
type Said struct {
	Key string // of one of ours: its correlation key
	ID  string // of the contact's: the provider's id of it
}

// Receipt says that the provider took a message.
type Receipt struct {
	ProviderMessageID string
	At                time.Time
}

// Sender sends through one integration. It is safe for concurrent use.
type Sender interface {
	// Send hands the message to the provider, in at most one attempt that could
	// be delivered. It returns when ctx ends. An error is a [*Failure]; any other
	// error is a bug of ours and is classed [Unclassified].
	Send(ctx context.Context, m Outbound) (Receipt, error)
}

// Finder is a Sender that can look up what became of a message. The engine
// asks it before it would call an outcome unknown.
type Finder interface {
	// Find looks the message up by its correlation key. True means that it was
	// sent, false that it surely was not; whoever cannot be sure returns an error.
	// One that may be retried is asked again for a while.
	Find(ctx context.Context, m Outbound) (Receipt, bool, error)
}

// Verifier is a Sender that can ask the provider whether the integration works.
type Verifier interface {
	// Verify asks without sending anything, and says in a sentence what it found.
	// An error is a [*Failure].
	Verify(ctx context.Context) (string, error)
}

// TemplateChecker is a Sender whose provider knows the templates that may be sent.
type TemplateChecker interface {
	// CheckTemplate asks whether the delivery's template may be sent as the stage
	// fills it. An error is a [*Failure], of class [Template] if it may not.
	CheckTemplate(ctx context.Context, d campaign.Delivery) error
}

// Provider is the company, or the built-in one, behind one or more channels.
type Provider interface {
	Describe() Description
	// Open makes the sender of an integration. It uses no network. It refuses an
	// integration that lacks a required setting or secret with class [Config].
	Open(i campaign.Integration, d Deps) (Sender, error)
}

// Deps is what a provider is given to work with.
type Deps struct {
	HTTP    *http.Client // with a time-out; nil is NewHTTPClient(false)
	Dial    DialFunc     // for those that speak no HTTP; nil is that of NewDialer(false)
	Secrets map[string]campaign.Secret
	Replies ReplyTokens      // of those who receive: what proves a session
	Now     func() time.Time // nil is time.Now
	// StartSecret is asked, for a hook or a poller, for the secret of [Starter]: nil
	// if the workspace has none. A Deps without it reads no start tokens.
	StartSecret func(context.Context) ([]byte, error)
}

// DialFunc opens a connection; see [net.Dialer.DialContext].
type DialFunc func(ctx context.Context, network, address string) (net.Conn, error)

// Client returns the HTTP client, never nil.
func (d Deps) Client() *http.Client {
	if d.HTTP == nil {
		return NewHTTPClient(false)
	}
	return d.HTTP
}

// Dialer returns the function that opens connections, never nil.
func (d Deps) Dialer() DialFunc {
	if d.Dial == nil {
		return NewDialer(false).DialContext
	}
	return d.Dial
}

// Clock returns the moment as the engine sees it, in UTC.
func (d Deps) Clock() time.Time {
	if d.Now == nil {
		return time.Now().UTC()
	}
	return d.Now().UTC()
}
