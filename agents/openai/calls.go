package openai

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	sdk "github.com/openai/openai-go/v3"

	"carillon/agents"
	"carillon/campaign"
)

// Limits of what a model may call.
const (
	maxCalls        = 16      // in one round
	maxReason       = 500     // bytes
	maxResultsBytes = 8 << 10 // of a turn, as JSON
)

// result is what a call came to.
type result struct{ id, name, arguments, text string }

// calls carries out the model's calls; bad if one of them could not be.
func (c *conversation) calls(ctx context.Context, list []sdk.ChatCompletionMessageToolCallUnion) (out []result, bad bool) {
	for i, call := range list {
		r := result{id: call.ID, name: call.Function.Name, arguments: call.Function.Arguments}
		if r.id == "" {
			r.id = fmt.Sprintf("call_%d_%d", len(c.added), i)
		}
		var arguments map[string]json.RawMessage
		if strings.TrimSpace(r.arguments) == "" {
			r.arguments = "{}"
		}
		ok := false
		switch {
		case i >= maxCalls:
			return out, true
		case !known(r.name) || r.name == toolState && len(c.agent.States) < 2:
			r.name, r.arguments, r.text = "unknown", "{}", "Error: there is no such tool."
		case json.Unmarshal([]byte(r.arguments), &arguments) != nil:
			r.arguments, r.text = "{}", "Error: the arguments are not a JSON object. Call it again."
		default:
			r.text, ok = c.call(ctx, r.name, arguments)
		}
		bad = bad || !ok
		out = append(out, r)
	}
	if c.out.HandOff { // a person decides how it ends
		c.out.End = ""
	}
	return out, bad
}

func (c *conversation) call(ctx context.Context, name string, arguments map[string]json.RawMessage) (string, bool) {
	str := func(field string) string {
		var v string
		if json.Unmarshal(arguments[field], &v) != nil {
			return ""
		}
		return v
	}
	switch name {
	case toolState:
		state, err := agents.StateOf(&c.agent, str("state"))
		if str("state") == "" || err != nil {
			return "Error: there is no such state.", false
		}
		c.out.State = state.Name
		instructions, err := c.render(ctx, c.turn, state)
		if err != nil { // it cannot be written for this contact
			c.out.HandOff, c.out.Reason = true, err.Error()
		}
		return instructions, true
	case toolResults:
		return c.found(arguments)
	case toolHandOff:
		c.out.HandOff, c.out.Reason, c.last = true, line(str("reason"), "the model hands over"), str("message")
		return "A person takes over.", true
	default:
		return c.end(str("status"), str("reason"), str("message"), arguments["results"])
	}
}

func (c *conversation) end(status, reason, message string, results json.RawMessage) (string, bool) {
	if !slices.Contains(ends, campaign.SessionStatus(status)) {
		return "Error: status must be one of " + strings.Join(endNames(), ", ") + ".", false
	}
	problem, ok := "", true
	if len(results) > 0 && string(results) != "null" {
		var fields map[string]json.RawMessage
		if json.Unmarshal(results, &fields) != nil {
			problem, ok = "Error: results is not a JSON object.", false
		} else {
			problem, ok = c.found(fields)
		}
	}
	if !ok && !c.told {
		return problem, false
	}
	c.out.End, c.out.Reason, c.last = campaign.SessionStatus(status), line(reason, ""), message
	return "The conversation is over.", true
}

// found takes results that are declared and of their types, and reports the others.
func (c *conversation) found(fields map[string]json.RawMessage) (string, bool) {
	var problems []string
	for _, name := range campaign.Dict(fields).Keys() {
		f, value := agents.FieldOf(&c.agent, name), fields[name]
		if f == nil {
			problems = append(problems, "there is no such result among those you may set")
			continue
		}
		if string(value) == "null" {
			continue
		}
		if err := f.Check(value); err != nil {
			read, ok := reread(f, value)
			if !ok {
				problems = append(problems, name+": "+err.Error())
				continue
			}
			value = read
		}
		next := campaign.Dict{name: value}
		for k, v := range c.out.Results {
			if k != name {
				next[k] = v
			}
		}
		if raw, err := json.Marshal(next); err != nil || len(raw) > maxResultsBytes {
			problems = append(problems, name+": it is too long")
			continue
		}
		c.out.Results = next
	}
	if len(problems) > 0 {
		return "Error: " + strings.Join(problems, "; ") + ".", false
	}
	return "Noted.", true
}

// reread reads a value that was written as a text, as models do: "12.50" for 12.5.
func reread(f *campaign.ResultField, value json.RawMessage) (json.RawMessage, bool) {
	var said string
	if json.Unmarshal(value, &said) != nil {
		return nil, false
	}
	return f.Read(said)
}

func line(text, unset string) string {
	text = strings.Join(strings.Fields(clean(text)), " ")
	if text == "" {
		return unset
	}
	if len(text) > maxReason {
		text = strings.ToValidUTF8(text[:maxReason], "")
	}
	return text
}
