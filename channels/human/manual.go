package human

import (
	_ "embed" // the guide

	"carillon/channels"
)

//go:embed guide.md
var guide string

// manual is what the documentation says beside the fields.
func manual() channels.Manual {
	return channels.Manual{
		Guide:  guide,
		Causes: []channels.Cause{{Class: channels.Invalid, When: "an answer: the channel has no messages, and the API refuses it before"}},
	}
}
