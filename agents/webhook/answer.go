package webhook

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"carillon/agents"
	"carillon/campaign"
)

// Answer is what a 200 carries. Other fields are refused: a hand-off that is
// spelled wrong would be lost.
type Answer struct {
	Content string                 `json:"content"`
	State   string                 `json:"state"`
	Results campaign.Dict          `json:"results"`
	End     campaign.SessionStatus `json:"end"`
	HandOff bool                   `json:"hand_off"`
	Reason  string                 `json:"reason"`
}

// Limits of an answer, in bytes.
const (
	maxContent = 50_000 // as through the REST API
	maxState   = 200
	maxReason  = 500
	maxResults = 16 << 10
)

// read checks the body of an answer.
func (s *speaker) read(raw []byte) (agents.Answer, error) {
	wrong := func(format string, args ...any) error {
		return broken("the answer of %s cannot be used: %s", s.who(), fmt.Sprintf(format, args...))
	}
	if len(raw) > MaxAnswer {
		return agents.Answer{}, wrong("it is longer than %d KiB", MaxAnswer>>10)
	}
	if len(bytes.TrimSpace(raw)) == 0 {
		return agents.Answer{}, wrong("it is empty; answer 204 to say nothing")
	}
	var a Answer
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&a); err != nil {
		return agents.Answer{}, wrong("%s; its fields are content, state, results, end, hand_off, reason", plainly(err, s.secrets))
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return agents.Answer{}, wrong("something follows the JSON object")
	}
	state, err := agents.StateOf(&s.agent, a.State)
	switch {
	case len(a.Content) > maxContent:
		return agents.Answer{}, wrong("content is longer than %d bytes", maxContent)
	case len(a.State) > maxState:
		return agents.Answer{}, wrong("state is longer than %d bytes", maxState)
	case len(a.Reason) > maxReason:
		return agents.Answer{}, wrong("reason is longer than %d bytes", maxReason)
	case a.State != "" && err != nil && state == nil:
		return agents.Answer{}, wrong("%v", err)
	case a.End != "" && !a.End.Ended():
		return agents.Answer{}, wrong("end is %q, which is not one of %v", a.End, campaign.SessionEnds)
	case a.End != "" && a.HandOff:
		return agents.Answer{}, wrong("a session that ends is not handed to a person: send end or hand_off")
	}
	if err := s.results(a.Results); err != nil {
		return agents.Answer{}, wrong("%v", err)
	}
	if strings.TrimSpace(a.Content) == "" {
		a.Content = ""
	}
	return agents.Answer{Content: a.Content, State: a.State, Results: a.Results, End: a.End, HandOff: a.HandOff, Reason: a.Reason}, nil
}

// results checks what the other system has found out against the agent's result
// fields. OutcomeStatus is the engine's and free for every agent.
func (s *speaker) results(found campaign.Dict) error {
	if raw, err := json.Marshal(found); err != nil || len(raw) > maxResults {
		return fmt.Errorf("results are longer than %d KiB", maxResults>>10)
	}
	if len(s.agent.ResultFields) == 0 {
		return nil
	}
	for _, name := range found.Keys() {
		f := agents.FieldOf(&s.agent, name)
		if f == nil && name == "OutcomeStatus" {
			continue
		}
		if f == nil {
			return fmt.Errorf("results.%s is not among the agent's result_fields", agents.Redact(name, nil))
		}
		if err := f.Check(found[name]); err != nil {
			return fmt.Errorf("results.%s: %w", name, err)
		}
	}
	return nil
}

// plainly says what is wrong with JSON, without our types' names.
func plainly(err error, secrets map[string]campaign.Secret) string {
	if e, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		return fmt.Sprintf("%s is not of the right type, it is a JSON %s", e.Field, e.Value)
	}
	if _, ok := errors.AsType[*json.SyntaxError](err); ok {
		return "it is not JSON"
	}
	if errors.Is(err, io.ErrUnexpectedEOF) {
		return "it is only the beginning of JSON"
	}
	return agents.Redact(strings.TrimPrefix(err.Error(), "json: "), secrets)
}
