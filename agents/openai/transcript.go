package openai

import (
	"strings"

	sdk "github.com/openai/openai-go/v3"

	"carillon/campaign"
)

const (
	// maxTranscript bounds the transcript that is sent, in bytes: some 10,000 tokens.
	maxTranscript = 32_000
	// maxMessage bounds one message of it.
	maxMessage = 8_000
)

// Some servers want the roles to alternate and the user to begin. These words
// stand where nobody has said anything.
const (
	weBegin  = "(The contact has not said anything. Write your first message to them.)"
	theyWait = "(The conversation begins with your message.)"
	leftOut  = "(Earlier messages are left out.)"
)

// ours begins what the engine itself tells the model. A contact who writes it is
// quoted as one.
const ours = "(This is not the contact but the system:"

// transcript is the conversation as roles: the contact is the user, the agent and
// its colleagues are the assistant. Messages of one side that follow each other
// are one. The oldest are left out when there is no room.
func transcript(list []campaign.Message, room int) []sdk.ChatCompletionMessageParamUnion {
	if len(list) == 0 {
		return []sdk.ChatCompletionMessageParamUnion{sdk.UserMessage(weBegin)}
	}
	from := len(list)
	for used := 0; from > 0; from-- {
		used += min(len(list[from-1].Content), maxMessage)
		if used > room && from < len(list) {
			break
		}
	}
	type turn struct {
		ours bool
		text []string
	}
	var turns []turn
	add := func(ours bool, text string) {
		if n := len(turns); n > 0 && turns[n-1].ours == ours {
			turns[n-1].text = append(turns[n-1].text, text)
			return
		}
		turns = append(turns, turn{ours, []string{text}})
	}
	if from > 0 {
		add(false, leftOut)
	}
	for _, m := range list[from:] {
		content := strings.TrimSpace(m.Content)
		if len(content) > maxMessage {
			content = strings.ToValidUTF8(content[:maxMessage], "") + "…"
		}
		if content != "" && len(turns) == 0 && m.Author != campaign.AuthorContact {
			add(false, theyWait)
		}
		switch {
		case content == "":
		case m.Author == campaign.AuthorOperator:
			add(true, "(A colleague wrote:) "+content)
		default:
			add(m.Author == campaign.AuthorAgent, strings.ReplaceAll(content, ours, "(The contact wrote:"))
		}
	}
	out := make([]sdk.ChatCompletionMessageParamUnion, len(turns))
	for i, t := range turns {
		if text := strings.Join(t.text, "\n"); t.ours {
			out[i] = sdk.AssistantMessage(text)
		} else {
			out[i] = sdk.UserMessage(text)
		}
	}
	return out
}

// note keeps what the model said and called, and tells it what came of that.
func (c *conversation) note(got *sdk.ChatCompletionChoice, said string, results []result, complaint string) {
	if said == "" {
		said = clean(got.Message.Content)
	}
	if len(said) > maxMessage {
		said = strings.ToValidUTF8(said[:maxMessage], "") + "…"
	}
	var own sdk.ChatCompletionAssistantMessageParam
	if said != "" {
		own.Content.OfString = sdk.String(said)
	}
	for _, r := range results {
		own.ToolCalls = append(own.ToolCalls, sdk.ChatCompletionMessageToolCallUnionParam{OfFunction: &sdk.ChatCompletionMessageFunctionToolCallParam{
			ID: r.id, Function: sdk.ChatCompletionMessageFunctionToolCallFunctionParam{Name: r.name, Arguments: r.arguments},
		}})
	}
	if said == "" && len(results) == 0 {
		own.Content.OfString = sdk.String("(nothing)") // the roles alternate
	}
	c.added = append(c.added, sdk.ChatCompletionMessageParamUnion{OfAssistant: &own})
	for _, r := range results {
		c.added = append(c.added, sdk.ToolMessage(r.text, r.id))
	}
	if complaint != "" {
		c.added = append(c.added, sdk.UserMessage(ours+" "+complaint+")"))
	}
}
