package api_test

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"carillon/campaign"
)

// A text that the channel cannot carry is refused when it is given, and not after.
func TestATextTheChannelCannotCarryIsNotKept(t *testing.T) {
	t.Parallel()
	admin, people := office(t, "", "bob")
	agent := admin.addAgent(campaign.AgentExternal)
	c := admin.addCampaign(campaign.Draft)
	for n, tc := range []struct {
		channel   campaign.Channel
		fits, not string
		says      string
	}{
		{campaign.WhatsAppMeta, strings.Repeat("é", 4096), strings.Repeat("é", 4097), "the text has 4097 characters; WhatsApp takes 4096"},
		{campaign.WhatsAppBird, strings.Repeat("é", 4096), strings.Repeat("é", 4097), "the text has 4097 characters; WhatsApp takes 4096"},
		{campaign.Telegram, strings.Repeat("😀", 2048), strings.Repeat("😀", 2049), "the text has 4098 characters (an emoji is two); Telegram takes 4096"},
		{campaign.Telegram, "x", " \n", "the message has no text"},
		{campaign.Email, strings.Repeat("x", 50_000), "", ""},
	} {
		t.Run(string(tc.channel), func(t *testing.T) {
			on := func(s *campaign.Session) { s.Channel, s.AgentID = tc.channel, agent }
			answers := "/v1/sessions/" + admin.addSession(admin.addContact(c, fmt.Sprint("a", n)), on) + "/answers"
			replies := "/v1/sessions/" + admin.addSession(admin.addContact(c, fmt.Sprint("r", n)), on, inHumanHands) + "/reply"
			kept := len(admin.untaken())
			post := func(who operator, path, text string) reply {
				return who.post(path, `{"content":`+strconv.Quote(text)+`}`)
			}
			for path, who := range map[string]operator{answers: admin, replies: people[0]} {
				if tc.not != "" {
					p := post(who, path, tc.not)
					p.problem(http.StatusUnprocessableEntity, "content")
					require.Contains(t, p.text("errors.0.message"), tc.says)
					require.Len(t, admin.untaken(), kept, "nothing is kept")
				}
				post(who, path, tc.fits).is(http.StatusAccepted)
				kept++
				require.Len(t, admin.untaken(), kept)
			}
		})
	}
}
