package openai

import (
	"slices"
	"strings"

	sdk "github.com/openai/openai-go/v3"
	"github.com/openai/openai-go/v3/shared"

	"carillon/campaign"
)

// The tools a model has. There are no others, whatever it is told.
const (
	toolEnd     = "end_conversation"
	toolHandOff = "hand_off"
	toolState   = "set_state"
	toolResults = "set_results"
)

func known(name string) bool {
	return slices.Contains([]string{toolEnd, toolHandOff, toolState, toolResults}, name)
}

// ends are the ways a model may end a session; the others are for people, for
// channels and for time.
var ends = []campaign.SessionStatus{
	campaign.SessionCompleted, campaign.SessionDeclined, campaign.SessionNotFound, campaign.SessionTransferred, campaign.SessionFailed,
}

func endNames() []string {
	out := make([]string, len(ends))
	for i, s := range ends {
		out[i] = string(s)
	}
	return out
}

func text(description string) map[string]any {
	return map[string]any{"type": "string", "description": description}
}

func object(required []string, properties map[string]any) shared.FunctionParameters {
	return shared.FunctionParameters{"type": "object", "properties": properties, "required": required, "additionalProperties": false}
}

func tool(name, description string, parameters shared.FunctionParameters) sdk.ChatCompletionToolUnionParam {
	return sdk.ChatCompletionFunctionTool(shared.FunctionDefinitionParam{Name: name, Description: sdk.String(description), Parameters: parameters})
}

// tools are those of an agent: it may set only its own states and result fields.
func tools(a *campaign.Agent) []sdk.ChatCompletionToolUnionParam {
	end := map[string]any{
		"status": map[string]any{
			"type": "string", "enum": endNames(),
			"description": "completed: the aim is reached. declined: the contact does not want to. not_found: it is the wrong person. transferred: somebody else goes on. failed: it cannot go on.",
		},
		"reason":  text("Why, in one sentence; for colleagues."),
		"message": text("Your last words to the contact; leave it out if you write them beside this call."),
	}
	results := map[string]any{}
	for i := range a.ResultFields {
		results[a.ResultFields[i].Name] = schema(&a.ResultFields[i])
	}
	if len(results) > 0 {
		end["results"] = map[string]any{"type": "object", "properties": results, "additionalProperties": false, "description": "What you found out and have not set yet."}
	}
	out := []sdk.ChatCompletionToolUnionParam{
		tool(toolEnd, "Ends the conversation for good.", object([]string{"status"}, end)),
		tool(toolHandOff, "A person takes the conversation over: the contact asks for one, or you cannot help.", object([]string{"reason"}, map[string]any{
			"reason":  text("Why, in one sentence; for the person who takes over."),
			"message": text("What you tell the contact; leave it out if you write it beside this call."),
		})),
	}
	if len(a.States) > 1 {
		var names []string
		for i := range a.States {
			names = append(names, a.States[i].Name)
		}
		out = append(out, tool(toolState, "Moves the conversation to another state; its instructions come back.", object([]string{"state"}, map[string]any{
			"state": map[string]any{"type": "string", "enum": names},
		})))
	}
	if len(results) > 0 {
		out = append(out, tool(toolResults, "Notes what you found out, as soon as the contact has said it. Set only what they said.", object([]string{}, results)))
	}
	return out
}

// schema describes a result field in JSON Schema.
func schema(f *campaign.ResultField) map[string]any {
	out := map[string]any{"type": "string"}
	about := []string{f.Description}
	switch f.Type {
	case "integer", "number", "boolean":
		out["type"] = f.Type
	case "date":
		about = append(about, "A date such as 2026-12-24.")
	case "datetime":
		about = append(about, "A time such as 2026-12-24T10:00:00Z.")
	}
	if len(f.Values) > 0 && out["type"] == "string" {
		out["enum"] = f.Values
	} else if len(f.Values) > 0 {
		about = append(about, "One of "+strings.Join(f.Values, ", ")+".")
	}
	if d := strings.TrimSpace(strings.Join(about, " ")); d != "" {
		out["description"] = d
	}
	return out
}
