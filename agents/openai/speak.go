package openai

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	sdk "github.com/openai/openai-go/v3"

	"carillon/agents"
	"carillon/campaign"
)

const (
	// maxRounds bounds how often the model is asked in one turn.
	maxRounds = 4
	// openingTime bounds an opening, which is made while a message is being sent.
	openingTime = 8 * time.Second
)

// Speak implements [agents.Speaker]. The model may be asked more than once: after
// it called tools without saying anything, and once to mend what it did wrong.
// What cannot be mended goes to a person; half an answer is never sent.
func (s *speaker) Speak(ctx context.Context, t agents.Turn) (agents.Answer, error) {
	if err := ctx.Err(); err != nil {
		return agents.Answer{}, err
	}
	state, err := agents.StateOf(&s.agent, t.Session.State)
	if err != nil {
		return agents.Answer{}, err
	}
	c := &conversation{speaker: s, turn: &t, state: state, opening: len(t.Session.Messages) == 0, room: maxTranscript}
	if state != nil {
		c.out.State = state.Name
	}
	limit := s.set.timeout
	switch {
	case c.opening:
		limit = min(limit, openingTime)
	case !anyWord(t.Said()):
		return agents.Answer{}, nil
	case answered(&t) >= s.set.turns:
		return c.giveUp(fmt.Sprintf("the agent has answered %d times, as often as its max_turns allows", s.set.turns))
	}
	limited, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	c.system, err = s.prompt(limited, &t, state)
	switch {
	case ctx.Err() != nil:
		return agents.Answer{}, ctx.Err()
	case err != nil:
		return c.giveUp(err.Error())
	}
	return c.run(limited, ctx)
}

func anyWord(said []campaign.Message) bool {
	for i := range said {
		if strings.TrimSpace(said[i].Content) != "" {
			return true
		}
	}
	return false
}

// answered counts the agent's answers; what it said first is an opening.
func answered(t *agents.Turn) int {
	n, begun := 0, false
	for i := range t.Session.Messages {
		switch t.Session.Messages[i].Author {
		case campaign.AuthorContact:
			begun = true
		case campaign.AuthorAgent:
			if begun {
				n++
			}
		case campaign.AuthorOperator:
		}
	}
	return n
}

// conversation is one turn in the making.
type conversation struct {
	*speaker
	turn    *agents.Turn
	state   *campaign.AgentState
	opening bool
	system  string
	room    int                                   // bytes for the transcript
	added   []sdk.ChatCompletionMessageParamUnion // what came after the transcript
	told    bool                                  // the model was told of a mistake
	kept    string                                // what it said beside a bad call
	last    string                                // its last words, of a tool that ends the turn
	out     agents.Answer
}

// run asks until there is an answer.
func (c *conversation) run(ctx, outer context.Context) (agents.Answer, error) {
	for range maxRounds {
		got, err := c.ask(ctx, outer)
		switch {
		case errors.Is(err, errFiltered):
			return c.giveUp("the provider's content filter refused the conversation")
		case err != nil:
			return agents.Answer{}, err
		case got.Message.Refusal != "":
			return c.giveUp("the model refused to answer")
		case got.FinishReason == "content_filter":
			return c.giveUp("the provider's content filter withheld the answer")
		}
		if done := c.take(ctx, got); done {
			return c.out, nil
		}
	}
	return c.giveUp(fmt.Sprintf("the model had no answer after it was asked %d times", maxRounds))
}

// take makes what it can of the model's words and calls; true if the turn is over.
func (c *conversation) take(ctx context.Context, got *sdk.ChatCompletionChoice) bool {
	said, complaint := c.words(got)
	results, bad := c.calls(ctx, got.Message.ToolCalls)
	over := c.out.HandOff || c.out.End != ""
	if over && said == "" && complaint == "" {
		said, complaint = c.short(clean(c.last))
	}
	if said == "" && complaint == "" && !over {
		said = c.kept
	}
	silent := said == "" && complaint == "" && !over
	if silent && len(results) == 0 {
		complaint = "You wrote nothing. Write your answer to the contact."
	}
	if complaint == "" && !bad && !silent {
		c.out.Content = said
		return true
	}
	if c.told && (complaint != "" || bad) {
		return c.settle(said, complaint, silent)
	}
	c.kept = said
	c.told = c.told || complaint != "" || bad
	c.out.End, c.out.HandOff, c.out.Reason, c.last = "", false, "", ""
	c.note(got, said, results, complaint)
	return false
}

// settle ends a turn in which the model repeated a mistake: what it said is sent
// if it can be, and a bad call is left out.
func (c *conversation) settle(said, complaint string, silent bool) bool {
	c.log.Warn("a model repeated a mistake", "agent_id", c.agent.ID, "session_id", c.turn.Session.ID, "state", c.out.State)
	if complaint == "" && !silent {
		c.out.Content = said
		return true
	}
	return c.toPerson("the model gave no answer that can be sent, also when it was asked again")
}

func (c *conversation) toPerson(reason string) bool {
	c.out.Content, c.out.End, c.out.HandOff, c.out.Reason = "", "", true, reason
	return true
}

// giveUp hands the session to a person.
func (c *conversation) giveUp(reason string) (agents.Answer, error) {
	c.toPerson(reason)
	return c.out, nil
}
