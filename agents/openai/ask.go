package openai

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"time"

	sdk "github.com/openai/openai-go/v3"
	"github.com/openai/openai-go/v3/option"

	"carillon/agents"
)

// errFiltered says that the provider would not let the conversation to the model.
var errFiltered = errors.New("filtered")

// ask asks the model once, and again with half the transcript where it was too
// long for it. Errors are [*agents.Failure], errFiltered or that of outer.
func (c *conversation) ask(ctx, outer context.Context) (*sdk.ChatCompletionChoice, error) {
	for {
		got, err := c.once(ctx, outer)
		if !errors.Is(err, errTooLong) {
			return got, err
		}
		if c.room /= 2; c.room < 1000 {
			return nil, broken("the instructions of the agent %s are too long for the model %s", c.agent.Name, c.set.model)
		}
	}
}

var errTooLong = errors.New("too long")

func (c *conversation) once(ctx, outer context.Context) (*sdk.ChatCompletionChoice, error) {
	p := sdk.ChatCompletionNewParams{
		Model:    c.set.model,
		Messages: slices.Concat([]sdk.ChatCompletionMessageParamUnion{sdk.SystemMessage(c.system)}, transcript(c.turn.Session.Messages, c.room), c.added),
		Tools:    c.tools,
	}
	if c.set.temperature != nil {
		p.Temperature = sdk.Float(*c.set.temperature)
	}
	// OpenAI's newer models refuse max_tokens, most other servers know nothing else.
	if newer(c.set.url.Hostname()) {
		p.MaxCompletionTokens = sdk.Int(int64(c.set.tokens))
	} else {
		p.MaxTokens = sdk.Int(int64(c.set.tokens))
	}
	var resp *http.Response
	opts := []option.RequestOption{option.WithResponseInto(&resp)}
	if plainID.MatchString(c.turn.ID) { // for the provider's log; it makes nothing idempotent
		opts = append(opts, option.WithHeader("X-Client-Request-Id", fmt.Sprintf("%s-%d", c.turn.ID, len(c.added))))
	}
	got, err := c.chat.New(ctx, p, opts...)
	switch {
	case resp == nil && err != nil:
		return nil, agents.Unreached(outer, c.who(), err)
	case resp != nil && resp.StatusCode != http.StatusOK:
		return nil, c.refused(resp)
	case errors.Is(err, io.ErrUnexpectedEOF), ctx.Err() != nil:
		return nil, agents.Unreached(outer, c.who(), err)
	case err != nil:
		return nil, broken("%s answers with something that is no chat completion; check its base_url, which mostly ends in /v1", c.who())
	case len(got.Choices) == 0:
		return nil, c.empty(problemIn([]byte(got.RawJSON())))
	}
	return &got.Choices[0], nil
}

func (c *conversation) who() string { return "the server of the agent " + c.agent.Name }

var plainID = regexp.MustCompile(`^[A-Za-z0-9_.:-]{1,200}$`)

func newer(host string) bool {
	return host == "api.openai.com" || strings.HasSuffix(host, ".openai.com") || strings.HasSuffix(host, ".openai.azure.com")
}

// problem is what servers write of an error, in several forms.
type problem struct{ text, code, kind string }

func (p *problem) says(words ...string) bool {
	all := strings.ToLower(p.code + " " + p.kind + " " + p.text)
	return slices.ContainsFunc(words, func(w string) bool { return strings.Contains(all, w) })
}

func problemIn(raw []byte) problem {
	var body struct {
		Error   json.RawMessage `json:"error"`
		Message string          `json:"message"`
	}
	if json.Unmarshal(raw, &body) != nil {
		return problem{}
	}
	var e struct {
		Message string `json:"message"`
		Type    string `json:"type"`
		Code    any    `json:"code"`
	}
	out := problem{text: body.Message}
	if json.Unmarshal(body.Error, &out.text) != nil && json.Unmarshal(body.Error, &e) == nil {
		out.text, out.kind = e.Message, e.Type
		if e.Code != nil {
			out.code = fmt.Sprint(e.Code)
		}
	}
	return out
}

// empty is the failure of a 200 without an answer: a proxy that passes on the
// trouble of the server behind it.
func (c *conversation) empty(p problem) error {
	var status int
	if _, err := fmt.Sscanf(p.code, "%d", &status); (err != nil || agents.Again(status)) && !p.says("insufficient_quota", "invalid") {
		return &agents.Failure{Err: fmt.Errorf("%s answers without an answer", c.who())}
	}
	return broken("%s answers with an error%s", c.who(), c.wrote(p))
}

// refused is the failure of an answer that is none. What the server wrote is
// passed on only to whoever must mend the agent.
func (c *conversation) refused(resp *http.Response) error {
	raw, _ := io.ReadAll(resp.Body) // the client has read it; a broken one says nothing
	p, status := problemIn(raw), resp.StatusCode
	name := strings.TrimSpace(fmt.Sprintf("%d %s", status, http.StatusText(status)))
	switch {
	case status == http.StatusPaymentRequired, p.says("insufficient_quota", "billing_hard_limit", "billing_not_active"):
		return broken("%s has no credit left (%s): look at the account's plan and billing", c.who(), name)
	case status == http.StatusUnauthorized:
		return broken("%s refuses the key (%s): set a valid api_key", c.who(), name)
	case status == http.StatusForbidden:
		return broken("%s does not let the key use the model %s (%s)%s", c.who(), c.set.model, name, c.wrote(p))
	case status == http.StatusNotFound:
		return broken("%s knows no model %s or nothing at its base_url (%s): check model and base_url, which mostly ends in /v1", c.who(), c.set.model, name)
	case status == http.StatusBadRequest && p.says("content_filter", "content_policy", "responsibleai"):
		return errFiltered
	case status < 500 && p.says("context_length", "context length", "context size", "context window", "exceed_context"):
		return errTooLong
	case agents.Again(status):
		return &agents.Failure{RetryAfter: agents.RetryAfter(resp.Header, time.Now()), Err: fmt.Errorf("%s answers %s", c.who(), name)}
	case status >= 300 && status < 400:
		return broken("%s answers %s, and redirects are not followed: set base_url to where it leads", c.who(), name)
	default:
		return broken("%s refuses the request (%s)%s", c.who(), name, c.wrote(p))
	}
}

func (c *conversation) wrote(p problem) string {
	if text := agents.Redact(p.text, c.secrets); text != "" {
		return ": " + text
	}
	return ""
}
