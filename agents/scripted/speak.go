package scripted

import (
	"context"
	"encoding/json"
	"fmt"
	"regexp"

	"carillon/agents"
	"carillon/campaign"
)

// maxAnswer bounds what an agent says at once, in bytes, as the REST API does.
const maxAnswer = 50_000

// speaker speaks for one agent; it is never written to.
type speaker struct {
	texts agents.Templates
	agent campaign.Agent
}

// Speak implements [agents.Speaker]: it opens a session in which nobody has said
// anything, and answers what the contact has said since. To anything else it is
// silent: its own or an operator's words, a message without a word or a sign.
//
// A burst is answered once. The newest message counts first: an older one is
// looked at only if no reply matches the newer ones. For each message, the
// replies of the state come before those of [Everywhere]; the replies without a
// match come last, those of the state first. If there is none either, the agent
// says nothing and stays where it is.
func (s *speaker) Speak(ctx context.Context, t agents.Turn) (agents.Answer, error) {
	if err := ctx.Err(); err != nil {
		return agents.Answer{}, err
	}
	at, err := s.find(t.Session.State)
	if err != nil {
		return agents.Answer{}, err
	}
	state := &s.agent.States[at]
	if len(t.Session.Messages) == 0 {
		return s.say(ctx, &t, fmt.Sprintf("say of state %s", state.Name), state.Say, nil, agents.Answer{State: state.Name})
	}
	var said []heard
	for _, m := range t.Said() {
		if h := hear(m.Content); h.text != "" {
			said = append(said, h)
		}
	}
	if len(said) == 0 {
		return agents.Answer{}, nil
	}
	c, err := s.choose(ctx, at, said)
	if err != nil || c == nil {
		return agents.Answer{State: state.Name}, err
	}
	out := agents.Answer{State: state.Name, Results: c.results, End: c.reply.End, HandOff: c.reply.HandOff, Reason: c.reply.Reason}
	if c.reply.State != "" {
		out.State = c.reply.State
	}
	return s.say(ctx, &t, c.name, c.reply.Say, c, out)
}

// chosen is a reply that matched.
type chosen struct {
	reply   *campaign.AgentReply
	name    string
	heard   heard
	groups  []*string
	results campaign.Dict
}

// choose finds the reply to what was said; nil if there is none.
func (s *speaker) choose(ctx context.Context, at int, said []heard) (*chosen, error) {
	states := []int{at}
	for i := range s.agent.States {
		if s.agent.States[i].Name == Everywhere {
			states = append(states, i)
		}
	}
	for i := len(said) - 1; i >= 0; i-- {
		for _, n := range states {
			if c, err := s.matching(ctx, &s.agent.States[n], said[i]); c != nil || err != nil {
				return c, err
			}
		}
	}
	newest := said[len(said)-1]
	for _, n := range states {
		state := &s.agent.States[n]
		for i := range state.Replies {
			r := &state.Replies[i]
			if len(r.Match) > 0 {
				continue
			}
			p := pattern{}
			groups := []*string{&newest.text}
			if results, ok := s.results(r, &p, groups); ok {
				return &chosen{r, replyName(state, i), newest, groups, results}, nil
			}
		}
	}
	return nil, nil
}

// matching finds the first reply of a state that matches a message, and whose
// results are of their types.
func (s *speaker) matching(ctx context.Context, state *campaign.AgentState, h heard) (*chosen, error) {
	for i := range state.Replies {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		r := &state.Replies[i]
		for _, entry := range r.Match {
			p, err := compile(entry)
			if err != nil {
				return nil, broken("%s of the agent %s: %w", replyName(state, i), s.agent.Name, err)
			}
			groups, ok := p.groups(h)
			if !ok {
				continue
			}
			if results, ok := s.results(r, &p, groups); ok {
				return &chosen{r, replyName(state, i), h, groups, results}, nil
			}
		}
	}
	return nil, nil
}

func replyName(state *campaign.AgentState, i int) string {
	return fmt.Sprintf("reply %d of state %s", i+1, state.Name)
}

// captured is a result that stands for a group of the expression.
var captured = regexp.MustCompile(`^\$(\d{1,3}|[A-Za-z_][A-Za-z0-9_]*)$`)

// results makes the results of a reply; false if something said does not fit the
// type of its field. A group that took no part leaves its field out.
func (s *speaker) results(r *campaign.AgentReply, p *pattern, groups []*string) (campaign.Dict, bool) {
	if len(r.Results) == 0 {
		return nil, true
	}
	out := campaign.Dict{}
	for _, name := range r.Results.Keys() {
		value := r.Results[name]
		ref := captured.FindStringSubmatch(r.Results.Text(name))
		if ref == nil {
			out[name] = value
			continue
		}
		n := p.group(ref[1])
		if n < 0 || n >= len(groups) || groups[n] == nil {
			continue
		}
		read, ok := s.field(name).Read(*groups[n])
		if !ok {
			return nil, false
		}
		out[name] = read
	}
	return out, true
}

// field is the declaration of a result; one that is not declared takes any text.
func (s *speaker) field(name string) *campaign.ResultField {
	for i := range s.agent.ResultFields {
		if s.agent.ResultFields[i].Name == name {
			return &s.agent.ResultFields[i]
		}
	}
	return &campaign.ResultField{Name: name}
}

// say writes the answer's text. One that cannot be written for this contact is a
// failure that says what is missing.
func (s *speaker) say(ctx context.Context, t *agents.Turn, name, source string, c *chosen, out agents.Answer) (agents.Answer, error) {
	if source == "" {
		return out, nil
	}
	in := campaign.TextInput{Campaign: t.Campaign, Contact: t.Contact, Communication: t.Communication, Now: t.Now, Also: campaign.Dict{}}
	in.Also["state"] = quoted(out.State)
	in.Contact.Results = merged(t.Contact.Results, t.Session.Results, out.Results)
	if c != nil {
		in.Also["message"] = quoted(c.heard.text)
		match, err := json.Marshal(c.groups)
		if err != nil {
			return agents.Answer{}, broken("%s: %w", name, err)
		}
		in.Also["match"] = match
	}
	text, err := s.texts.RenderText(ctx, name, source, in)
	if ctx.Err() != nil {
		return agents.Answer{}, ctx.Err()
	}
	if err != nil {
		return agents.Answer{}, broken("%w", err)
	}
	if len(text) > maxAnswer {
		return agents.Answer{}, broken("%s is longer than %d bytes for this contact", name, maxAnswer)
	}
	out.Content = text
	return out, nil
}

func quoted(text string) json.RawMessage {
	raw, err := json.Marshal(text)
	if err != nil {
		return json.RawMessage(`""`)
	}
	return raw
}

// merged is the later dictionaries over the earlier ones.
func merged(dicts ...campaign.Dict) campaign.Dict {
	out := campaign.Dict{}
	for _, d := range dicts {
		for _, name := range d.Keys() {
			out[name] = d[name]
		}
	}
	return out
}
