// Package openai is the agent that a language model is: any server that speaks
// the chat completions of OpenAI, reached through its base_url. It imports
// packages agents and campaign, and OpenAI's client.
package openai

import (
	"fmt"
	"log/slog"
	"net/url"
	"strings"
	"time"

	sdk "github.com/openai/openai-go/v3"
	"github.com/openai/openai-go/v3/option"

	"carillon/agents"
	"carillon/campaign"
)

const (
	defaultURL   = "https://api.openai.com/v1"
	keyName      = "api_key"
	defaultTurns = 50
	defaultWords = 1000
	defaultTime  = time.Minute
	// maxBody bounds the body of a response.
	maxBody = 1 << 20
)

// Kind is the agent of a language model.
type Kind struct{ texts agents.Templates }

// New makes the kind; texts writes the instructions of its agents.
func New(texts agents.Templates) Kind { return Kind{texts} }

// Describe implements [agents.Kind].
func (Kind) Describe() agents.Description {
	return agents.Description{
		Kind: campaign.AgentOpenAI, Name: "Language model",
		Hint:  "A model answers by your instructions: OpenAI's, or any server that speaks its chat completions.",
		Turns: true,
		Settings: []agents.Field{
			{Name: "model", Label: "Model", Hint: "as the server names it", Required: true},
			{Name: "base_url", Label: "Address", Hint: "of the server; " + defaultURL + " if empty", Kind: agents.KindURL},
			{Name: "temperature", Label: "Temperature", Hint: "0 to 2; the server's own if empty"},
			{Name: "max_turns", Label: "Answers in a session", Hint: fmt.Sprintf("1 to 1000, then a person takes over; %d if empty", defaultTurns)},
			{Name: "max_output_tokens", Label: "Tokens of an answer", Hint: fmt.Sprintf("50 to 32000, those it thinks with included; %d if empty", defaultWords)},
			{Name: "timeout", Label: "Time for an answer", Hint: "1s to 100s; 60s if empty"},
		},
		Secrets: []agents.Field{
			{Name: keyName, Label: "API key", Hint: "of the server; needed for OpenAI's own", Secret: true},
		},
	}
}

// settings are an agent's, read.
type settings struct {
	url         *url.URL
	model       string
	temperature *float64
	turns       int
	tokens      int
	timeout     time.Duration
}

func read(s *agents.Settings) settings {
	return settings{
		url: s.URL("base_url", defaultURL), model: s.Text("model", ""), temperature: s.Float("temperature", 0, 2),
		turns: s.Int("max_turns", 1, 1000, defaultTurns), tokens: s.Int("max_output_tokens", 50, 32_000, defaultWords),
		timeout: s.Time("timeout", defaultTime),
	}
}

// Validate implements [agents.Kind].
func (k Kind) Validate(a *campaign.Agent) error {
	s := agents.NewSettings(a, k.Describe())
	s.Declarations()
	read(s)
	if a.Settings["base_url"] == "" && len(a.SecretNames) == 0 {
		s.Add("secrets."+keyName, "OpenAI needs a key; for a server that needs none set base_url")
	}
	if strings.TrimSpace(a.Instructions) == "" && !instructed(a) {
		s.Add("instructions", "a model needs to be told what to do")
	}
	s.Found = append(s.Found, k.texts.CheckText("instructions", a.Instructions)...)
	for i := range a.States {
		s.Found = append(s.Found, k.texts.CheckText(fmt.Sprintf("states[%d].instructions", i), a.States[i].Instructions)...)
	}
	return agents.Broken(s.Found)
}

// instructed reports whether some state says what to do.
func instructed(a *campaign.Agent) bool {
	for i := range a.States {
		if strings.TrimSpace(a.States[i].Instructions) != "" {
			return true
		}
	}
	return false
}

// Open implements [agents.Kind].
func (k Kind) Open(a campaign.Agent, d agents.Deps) (agents.Speaker, error) {
	if d.HTTP == nil {
		return nil, agents.ErrNoClient
	}
	out := &speaker{texts: k.texts, agent: a, secrets: d.Secrets, log: d.Log, set: read(agents.NewSettings(&a, k.Describe()))}
	if out.log == nil {
		out.log = slog.New(slog.DiscardHandler)
	}
	if out.set.model == "" || out.set.url.Host == "" {
		return nil, broken("the agent %s has no model or no address to ask: set model and base_url", a.Name)
	}
	out.tools = tools(&a)
	// Its own retries are off: Temporal repeats a turn, and repeats multiply.
	out.chat = sdk.NewChatCompletionService(
		option.WithHTTPClient(agents.Narrow(d.HTTP, maxBody)), option.WithMaxRetries(0),
		option.WithBaseURL(out.set.url.String()), option.WithAPIKey(strings.TrimSpace(d.Secrets[keyName].Reveal())),
	)
	return out, nil
}

// broken is a failure that a person must mend.
func broken(format string, args ...any) *agents.Failure {
	return &agents.Failure{Permanent: true, Err: fmt.Errorf(format, args...)}
}

// speaker asks the model for one agent; it is never written to.
type speaker struct {
	texts   agents.Templates
	agent   campaign.Agent
	secrets map[string]campaign.Secret
	log     *slog.Logger
	set     settings
	tools   []sdk.ChatCompletionToolUnionParam
	chat    sdk.ChatCompletionService
}
