package api_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"carillon/api"
	"carillon/campaign"
	"carillon/channels/all"
	"carillon/store"
)

// chatAndMail is a service with an integration of Telegram and one of SendGrid.
func chatAndMail(t *testing.T, mode string) *service {
	t.Helper()
	s := serve(t, func(d *api.Deps) {
		d.Runner, d.Mode = newRunner(t), mode
		d.Channels = all.New(frontBox{d.Store.(*store.Store)})
	})
	s.call("POST", "/v1/integrations", `{"name":"Chat","provider":"telegram","settings":{"bot_username":"acme_bot"},"secrets":{"bot_token":"123456:abcdefghijklmnopqrstuvwxyz012345678","webhook_secret":"hook-secret"}}`).ok(http.StatusCreated)
	s.call("POST", "/v1/integrations", `{"name":"Mail","provider":"sendgrid","settings":{"from_email":"a@example.com"},"secrets":{"api_key":"SG.x"}}`).ok(http.StatusCreated)
	return s
}

func TestAStageIsRefusedWhoseIntegrationDoesNotCarryItsChannel(t *testing.T) {
	t.Parallel()
	for _, mode := range []string{api.ModeOutbox, api.ModeLive} {
		t.Run("in mode "+mode, func(t *testing.T) {
			t.Parallel()
			s := chatAndMail(t, mode)
			path := s.campaign("One") + "/stages"
			good := letter("Letter")
			good["delivery"].(map[string]any)["integration"] = "Mail"
			one := path + "/" + s.call("POST", path, good).ok(http.StatusCreated)["id"].(string)

			bad := letter("Other")
			bad["delivery"].(map[string]any)["integration"] = "Chat"
			for _, c := range []struct{ method, path string }{{"POST", path}, {"PUT", one}} {
				p := s.call(c.method, c.path, bad).fails(http.StatusUnprocessableEntity)
				require.Len(t, p.Errors, 1)
				require.Equal(t, "delivery.integration", p.Errors[0].Field)
				require.Equal(t, `the integration "Chat" is of telegram, which does not carry email_notification: it carries telegram; choose one of outbox, sendgrid, smtp`, p.Errors[0].Message)
			}
			good["alternatives"] = []any{map[string]any{"label": "b", "delivery": bad["delivery"]}}
			p := s.call("PUT", one, good).fails(http.StatusUnprocessableEntity)
			require.Equal(t, "alternatives[0].delivery.integration", p.Errors[0].Field)
			require.Equal(t, "Mail", s.call("GET", one, nil).ok(http.StatusOK)["delivery"].(map[string]any)["integration"], "what is there stays")
			s.call("POST", path, `{"name":"Task","delivery":{"channel":"human","integration":"Chat"}}`).ok(http.StatusCreated)
		})
	}
}

func TestABundleWithAWrongIntegrationIsRefusedInModeOutboxToo(t *testing.T) {
	t.Parallel()
	s := chatAndMail(t, api.ModeOutbox)
	stage := func(integration string) string {
		return `bundle: 1
campaign:
  name: Mixed up
stages:
  - name: Letter
    delivery:
      channel: email_notification
      integration: ` + integration + `
      subject: Hello
      template: Hello
`
	}
	p := s.bundle("", stage("Chat")).fails(http.StatusUnprocessableEntity)
	require.Equal(t, "stages[0].delivery.integration", p.Errors[0].Field)
	require.Contains(t, p.Errors[0].Message, "choose one of outbox, sendgrid, smtp")
	s.bundle("", stage("Later")).ok(http.StatusCreated) // it may be made before the campaign goes live
}

func TestAnIntegrationInUseKeepsAProviderOfItsChannels(t *testing.T) {
	t.Parallel()
	s := chatAndMail(t, api.ModeLive)
	toSMTP := `{"name":"Mail","provider":"smtp","settings":{"host":"mail.example.com","from_email":"a@example.com"}}`
	toBox := `{"name":"Mail","provider":"outbox"}`
	toChat := `{"name":"Mail","provider":"telegram","secrets":{"bot_token":"123456:abcdefghijklmnopqrstuvwxyz012345678","webhook_secret":"hook-secret"}}`
	campaignPath := s.campaign("One")
	stage := letter("Letter")
	stage["delivery"].(map[string]any)["integration"] = "Mail"
	s.call("POST", campaignPath+"/stages", stage).ok(http.StatusCreated)
	p := s.call("PUT", "/v1/integrations/Mail", toChat).fails(http.StatusUnprocessableEntity)
	require.Equal(t, "provider", p.Errors[0].Field)
	require.Contains(t, p.Errors[0].Message, `the stage "Letter" of campaign "One" sends through it`)
	require.Equal(t, "sendgrid", s.call("GET", "/v1/integrations/Mail", nil).ok(http.StatusOK)["provider"])
	s.call("PUT", "/v1/integrations/Mail", toSMTP).ok(http.StatusOK)
	s.call("PUT", "/v1/integrations/Mail", toBox).ok(http.StatusOK)

	s.call("POST", campaignPath+"/stop", nil)
	id := s.call("GET", "/v1/integrations/Mail", nil).ok(http.StatusOK)["id"].(string)
	require.NoError(t, s.store.CreateAgent(t.Context(), campaign.Agent{ID: "ag_x", Name: "Xenia", Kind: campaign.AgentExternal, Integrations: map[string]string{"email": id}}))
	p = s.call("PUT", "/v1/integrations/Mail", toChat).fails(http.StatusUnprocessableEntity)
	require.True(t, strings.HasPrefix(p.Errors[0].Message, `the agent "Xenia" speaks through it`), p.Errors[0].Message)
	require.NoError(t, s.store.DeleteAgent(t.Context(), "ag_x"))
	s.call("PUT", "/v1/integrations/Mail", toChat).ok(http.StatusOK)
}
