package smtp

import (
	_ "embed" // the guide

	"carillon/campaign"
	"carillon/channels"
)

//go:embed guide.md
var guide string

// manual is what the documentation says beside the fields.
func manual() channels.Manual {
	return channels.Manual{
		Guide:   guide,
		Tested:  "against a fake built from the RFCs, and against real servers, Debian's exim and dovecot",
		Polls:   "the mailbox over IMAP, if `imap_host` is set: as letters come where the server can tell of them (IDLE), else every 30 s",
		Reports: []string{campaign.ReportFailed, campaign.ReportBounced},
		Limits: []channels.Limit{
			{What: "text of a message", Value: "10 MiB"},
			{What: "time of one send", Value: "10 s, the connection included"},
			{What: "a letter that comes in, with its files", Value: "30 MiB; of a larger one the beginning is read"},
			{What: "text of such a letter", Value: "50,000 bytes are kept; the rest is left out, and it says so"},
		},
		Causes: []channels.Cause{
			{Class: channels.Config, When: "the greeting, STARTTLS or the password is refused (5xx); the sender is refused; “relay” is denied"},
			{Class: channels.Invalid, When: "552, and what cannot be composed"},
			{Class: channels.Recipient, When: "5.1.x, 5.2.1, 5.4.4; 501, 521, 550, 551, 553, 556 to the address"},
			{Class: channels.Policy, When: "5.7.x, a full mailbox (5.2.2), a content that is refused (550, 553, 554)"},
			{Class: channels.Throttled, When: "421, 4.7.x, 4.5.3"},
			{Class: channels.Retryable, When: "every other 4xx, such as greylisting"},
			{Class: channels.NotSent, When: "no connection, or one that breaks before the end of the message"},
			{Class: channels.Unknown, When: "the connection breaks behind the end of the message"},
		},
	}
}
