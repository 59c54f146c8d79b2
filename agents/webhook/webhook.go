// Package webhook is the agent that another system is: each turn is a signed POST
// to its address, and the response is the answer. It imports packages agents and
// campaign.
package webhook

import (
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"carillon/agents"
	"carillon/campaign"
)

// MaxAnswer bounds the body of a response.
const MaxAnswer = 256 << 10

const (
	keyName     = "signing_key"
	defaultTime = 30 * time.Second
)

// Kind is the webhook agent. The zero value is ready.
type Kind struct{}

// Describe implements [agents.Kind].
func (Kind) Describe() agents.Description {
	return agents.Description{
		Kind: campaign.AgentWebhook, Name: "Webhook",
		Hint:  "Another system answers: each turn is a signed request to its address.",
		Turns: true,
		Settings: []agents.Field{
			{Name: "url", Label: "Address", Hint: "what turns are sent to, such as https://bot.example.com/turns", Required: true, Kind: agents.KindURL},
			{Name: "timeout", Label: "Time for an answer", Hint: "1s to 100s; 30s if empty"},
		},
		Secrets: []agents.Field{
			{Name: keyName, Label: "Signing key", Hint: "turns are signed with it: a text, or whsec_ and base64", Required: true, Secret: true},
		},
	}
}

// Validate implements [agents.Kind].
func (k Kind) Validate(a *campaign.Agent) error {
	s := agents.NewSettings(a, k.Describe())
	s.Declarations()
	s.URL("url", "")
	s.Time("timeout", defaultTime)
	return agents.Broken(s.Found)
}

// Open implements [agents.Kind].
func (k Kind) Open(a campaign.Agent, d agents.Deps) (agents.Speaker, error) {
	if d.HTTP == nil {
		return nil, agents.ErrNoClient
	}
	s := agents.NewSettings(&a, k.Describe())
	out := &speaker{agent: a, secrets: d.Secrets, url: s.URL("url", ""), timeout: s.Time("timeout", defaultTime)}
	if out.url.Host == "" {
		return nil, broken("the agent %s has no address to ask: set its url", a.Name)
	}
	key, err := signingKey(d.Secrets[keyName])
	if err != nil {
		return nil, broken("the agent %s: %w", a.Name, err)
	}
	out.key = key
	out.client = agents.Narrow(d.HTTP, MaxAnswer+1)
	return out, nil
}

// signingKey reads a key as Standard Webhooks writes it, or takes it as it is.
func signingKey(secret campaign.Secret) ([]byte, error) {
	text := strings.TrimSpace(secret.Reveal())
	if text == "" {
		return nil, errors.New("it has no signing_key to sign turns with: set one")
	}
	encoded, ok := strings.CutPrefix(text, "whsec_")
	if !ok {
		return []byte(text), nil
	}
	key, err := base64.StdEncoding.DecodeString(encoded)
	if err != nil || len(key) == 0 {
		return nil, errors.New("what follows whsec_ in its signing_key is not base64; copy it as it is shown")
	}
	return key, nil
}

// broken is a failure that a person must mend.
func broken(format string, args ...any) *agents.Failure {
	return &agents.Failure{Permanent: true, Err: fmt.Errorf(format, args...)}
}

// speaker asks for one agent; it is never written to.
type speaker struct {
	agent   campaign.Agent
	secrets map[string]campaign.Secret
	key     []byte
	url     *url.URL
	timeout time.Duration
	client  *http.Client
}
