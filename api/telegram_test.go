package api_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"carillon/api"
	"carillon/channels"
	"carillon/channels/telegram"
)

func TestALinkWithoutABotIsWarnedOf(t *testing.T) {
	t.Parallel()
	s := serve(t, func(d *api.Deps) { d.Channels = channels.NewRegistry(telegram.Provider{}) })
	path := s.campaign("Links")
	stage := path + "/stages/" + s.call("POST", path+"/stages", `{"name":"Mail","delivery":{"channel":"email_notification","integration":"x","subject":"s","template":"{{ telegram_link }}"}}`).ok(201)["id"].(string)
	preview := func() map[string]any {
		a := s.call("POST", stage+"/preview", `{"contact":{"name":"Ann","email":"ann@example.com"}}`).ok(200)
		return a["alternatives"].([]any)[0].(map[string]any)
	}
	require.Contains(t, s.preflight(path, true), "telegram_bot_missing")
	require.NotEmpty(t, preview()["warnings"])
	s.call("POST", "/v1/integrations", `{"name":"Bot","provider":"telegram","settings":{"bot_username":"@collect_bot"},"secrets":{"bot_token":"1:x"}}`).ok(201)
	require.NotContains(t, s.preflight(path, true), "telegram_bot_missing")
	require.Empty(t, preview()["warnings"])
	require.Equal(t, "https://t.me/collect_bot?start=preview", preview()["message"].(map[string]any)["body"])
}
