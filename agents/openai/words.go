package openai

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"

	sdk "github.com/openai/openai-go/v3"

	"carillon/campaign"
)

// manner is how one writes on a channel.
type manner struct {
	name    string
	longest int // characters of a message
	advice  string
}

// mannerOf returns how one writes on a channel. WhatsApp and Telegram take 4096
// characters (developers.facebook.com, core.telegram.org/bots/api); a caller does
// not listen for longer than a minute.
func mannerOf(ch campaign.Channel) manner {
	switch {
	case ch.Voice():
		return manner{"a phone call", 1000, "Your words are spoken: one to three short sentences, no lists, no symbols, no addresses of web pages."}
	case ch == campaign.Email:
		return manner{"e-mail", 20_000, "Write the text of an e-mail, without a subject line. Plain text, no Markdown."}
	case ch == campaign.WhatsAppMeta || ch == campaign.WhatsAppBird:
		return manner{"WhatsApp", 4096, "Write as in a chat: short, plain text, no headings, no tables."}
	case ch == campaign.Telegram:
		return manner{"Telegram", 4096, "Write as in a chat: short, plain text, no Markdown."}
	default:
		return manner{"chat", 4000, "Write short, plain text."}
	}
}

var (
	thinking = regexp.MustCompile(`(?s)^\s*<think(?:ing)?>.*?(?:</think(?:ing)?>|$)`)
	tokens   = regexp.MustCompile(`<\|[a-z_]{1,40}\|>`)
	asCall   = regexp.MustCompile(`(?i)<tool_call|\[tool_calls\]|<function[=_]|functions\.(?:end_conversation|hand_off|set_state|set_results)`)
)

// clean leaves out of an answer what is not for the contact: the thinking and the
// tokens that some servers leave in, and control characters.
func clean(text string) string {
	text = thinking.ReplaceAllString(strings.ToValidUTF8(text, ""), "")
	text = tokens.ReplaceAllString(text, "")
	return strings.TrimSpace(strings.Map(func(r rune) rune {
		if unicode.IsControl(r) && r != '\n' && r != '\t' {
			return -1
		}
		return r
	}, text))
}

// words returns what of the model's words can be sent, else what is wrong with them.
func (c *conversation) words(got *sdk.ChatCompletionChoice) (said, complaint string) {
	if got.FinishReason == "length" {
		return "", "Your answer was cut off because it was too long. Write it again, much shorter."
	}
	said = clean(got.Message.Content)
	if asCall.MatchString(said) || isCall(said) {
		return "", "You wrote a tool call into your text. Call tools as tools; your text is sent to the contact."
	}
	return c.short(said)
}

func (c *conversation) short(said string) (string, string) {
	n, longest := utf8.RuneCountInString(said), mannerOf(c.turn.Session.Channel).longest
	if n > longest {
		return "", fmt.Sprintf("Your answer has %d characters; at most %d can be sent. Write it again, shorter.", n, longest)
	}
	return said, ""
}

// isCall reports a text that is a call of a tool in JSON, as models write one
// whose server does not understand their calls.
func isCall(text string) bool {
	text = strings.TrimSuffix(strings.TrimPrefix(strings.TrimPrefix(text, "```json"), "```"), "```")
	var call struct {
		Name     string `json:"name"`
		Tool     string `json:"tool"`
		Function any    `json:"function"`
	}
	if json.Unmarshal([]byte(strings.TrimSpace(text)), &call) != nil {
		return false
	}
	name, _ := call.Function.(string)
	return known(call.Name) || known(call.Tool) || known(name)
}
