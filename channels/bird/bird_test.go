package bird_test

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"carillon/campaign"
	"carillon/channels"
	"carillon/channels/bird"
	"carillon/channels/bird/birdtest"
	"carillon/channels/channeltest"
)

const key = "bird-key-that-must-not-be-seen"

var (
	now     = time.Date(2026, 12, 1, 9, 0, 0, 0, time.UTC)
	secrets = map[string]campaign.Secret{"access_key": key, "signing_key": "a-signing-key-nobody-sees"}
)

func clock() time.Time { return now }

func integration(fake *birdtest.Server) campaign.Integration {
	return campaign.Integration{Name: "WhatsApp", Provider: bird.Name, Settings: map[string]string{
		"workspace_id": birdtest.Workspace, "channel_id": birdtest.Channel, "locale": "en", "base_url": fake.URL,
	}}
}

func open(t *testing.T, i campaign.Integration) channels.Sender {
	t.Helper()
	s, err := bird.Provider{}.Open(i, channels.Deps{
		HTTP: &http.Client{Transport: channeltest.LocalOnly(), Timeout: 5 * time.Second}, Secrets: secrets, Now: clock,
	})
	require.NoError(t, err)
	return s
}

func TestBirdIsAProvider(t *testing.T) {
	t.Parallel()
	fake := birdtest.New(t, key, clock)
	channeltest.Run(t, channeltest.Spec{
		Provider: bird.Provider{}, Integration: integration(fake), Secrets: secrets,
		HTTP: &channeltest.HTTP{Server: fake.Server, Problem: `{"code":"Problem","message":"%s"}`, TooLong: 4097},
	})
	for _, why := range fake.Refused() {
		require.Contains(t, why, "Access key", "the fake refused a message")
	}
}

func TestATemplateProjectOpensAndAFreeTextAnswers(t *testing.T) {
	t.Parallel()
	fake := birdtest.New(t, key, clock)
	s := open(t, integration(fake))
	m := channeltest.Outbound(campaign.WhatsAppBird, 1)
	m.To, m.Variables, m.Delivery.Language = "+1 (415) 555-0100", map[string]string{"name": "Ada", "amount": "12"}, ""
	receipt, err := s.Send(t.Context(), m)
	require.NoError(t, err)
	got := fake.Accepted()[0]
	require.Equal(t, got.ID, receipt.ProviderMessageID)
	require.JSONEq(t, `{"receiver":{"contacts":[{"identifierKey":"phonenumber","identifierValue":"+14155550100"}]},"reference":"key-whatsapp_bird-1",
		"template":{"projectId":"p1","version":"v1","locale":"en","parameters":[{"type":"string","key":"amount","value":"12"},{"type":"string","key":"name","value":"Ada"}]}}`, got.Raw)

	reply := channeltest.Outbound(campaign.WhatsAppBird, 2)
	reply.Reply, reply.Body = true, "Thank you"
	_, err = s.Send(t.Context(), reply)
	require.NoError(t, err)
	require.Equal(t, "Thank you", fake.Accepted()[1].Text)
	reply.Heard = now.Add(-24 * time.Hour)
	_, err = s.Send(t.Context(), reply)
	require.Equal(t, channels.Policy, channels.Classify(err).Class)
}

func TestALookUpIsSureOrSaysThatItIsNot(t *testing.T) {
	t.Parallel()
	fake := birdtest.New(t, key, clock)
	f := open(t, integration(fake)).(channels.Finder)
	m := channeltest.Outbound(campaign.WhatsAppBird, 1)
	_, _, err := f.Find(t.Context(), m)
	require.Equal(t, channels.Retryable, channels.Classify(err).Class, "Bird may not list it yet")
	m.At = now.Add(-2 * time.Minute)
	_, found, err := f.Find(t.Context(), m)
	require.NoError(t, err)
	require.False(t, found)
	fake.Fail(channeltest.Fault{Status: 503})
	_, _, err = f.Find(t.Context(), m)
	require.Error(t, err)
	fake.Fail(channeltest.Fault{Status: 200, Body: `{}`})
	_, _, err = f.Find(t.Context(), m)
	require.Equal(t, channels.Retryable, channels.Classify(err).Class, "no list is no proof")

	m.To = "+1 (415) 555-0100" // Bird keeps the number as it was sent
	receipt, err := open(t, integration(fake)).Send(t.Context(), m)
	require.NoError(t, err)
	again, found, err := f.Find(t.Context(), m)
	require.NoError(t, err)
	require.True(t, found)
	require.Equal(t, receipt.ProviderMessageID, again.ProviderMessageID)
}

func TestAnswersHaveTheClassesOfBirdsReference(t *testing.T) {
	t.Parallel()
	fake := birdtest.New(t, key, clock)
	s := open(t, integration(fake))
	for _, tc := range []struct {
		status int
		body   string
		want   channels.Class
	}{
		{401, `{"code":"Unauthorized","message":"Access key is not valid"}`, channels.Config},
		{402, `{"code":"PaymentRequired","message":"balance"}`, channels.Config},
		{404, `{"code":"NotFound","message":"channel not found"}`, channels.Config},
		{404, `{"code":"NotFound","message":"project not found"}`, channels.Template},
		{422, `{"code":"UnprocessableEntity","message":"invalid","details":{"template.version":["unknown"]}}`, channels.Template},
		{422, `{"code":"UnprocessableEntity","message":"invalid","details":{"receiver.contacts[0].identifierValue":["no"]}}`, channels.Recipient},
		{422, `{"code":"UnprocessableEntity","message":"invalid","details":{"body.text.text":["too long"]}}`, channels.Invalid},
		{429, `{}`, channels.Throttled},
		{500, `{"code":"Internal","message":"no"}`, channels.Retryable},
		{502, `<html>`, channels.Unknown},
	} {
		fake.Fail(channeltest.Fault{Status: tc.status, Body: tc.body})
		_, err := s.Send(t.Context(), channeltest.Outbound(campaign.WhatsAppBird, tc.status))
		require.Equal(t, tc.want, channels.Classify(err).Class, "%d %s", tc.status, tc.body)
	}
}

const address = "https://carillon.example/hooks/bird/in_1"

func receive(t *testing.T, at time.Time, signature string, body []byte) ([]channels.Report, error) {
	t.Helper()
	h, err := bird.Provider{}.OpenHook(campaign.Integration{Settings: map[string]string{"channel_id": birdtest.Channel}}, channels.Deps{Secrets: secrets, Now: clock})
	require.NoError(t, err)
	stamp := fmt.Sprint(at.Unix())
	if signature == "" {
		signature = birdtest.Sign(secrets["signing_key"].Reveal(), stamp, address, body)
	}
	header := http.Header{}
	header.Set("messagebird-request-timestamp", stamp)
	header.Set("messagebird-signature", signature)
	reports, _, err := h.Receive(t.Context(), &channels.HookRequest{Method: http.MethodPost, URL: address, Header: header, Body: body})
	return reports, err
}

func TestTheWebhookIsVerified(t *testing.T) {
	t.Parallel()
	// MessageBird's own vector, of github.com/messagebird/ruby-rest-api, examples/signed_request_verification.rb: an older
	// scheme that signs the sorted query where the Channels API signs the address, and is the same otherwise. Bird's
	// documents have code of the newer one, and no vector.
	require.Equal(t, "KVBdcVdz2lYMwcBLZCRITgxUfA/WkwSi+T3Wxl2HL6w=", birdtest.Sign("PlLrKaqvZNRR5zAjm42ZT6q1SQxgbbGd", "1547198231",
		"id=eef0ab57a9e049be946f3821568c2b2e&mccmnc=20408&ported=1&recipient=31612345678&reference=FOO&status=delivered&statusDatetime=2019-01-11T09%3A17%3A11%2B00%3A00", nil))
	// A check made with openssl, not with our code.
	pinned := []byte(`{"service":"channels","event":"whatsapp.outbound","payload":{"id":"p1"}}`)
	require.Equal(t, "a8sfb/7PhxnlaQRg3ca9Ha43zSM+8gQnZox60zpGUzQ=",
		birdtest.Sign("testSigningKey", "1700000000", "https://hooks.example.org/wh/bird/ch1?x=1", pinned))
	h, err := bird.Provider{}.OpenHook(campaign.Integration{}, channels.Deps{
		Secrets: map[string]campaign.Secret{"signing_key": "testSigningKey"}, Now: func() time.Time { return time.Unix(1700000000, 0) },
	})
	require.NoError(t, err)
	header := http.Header{}
	header.Set("messagebird-request-timestamp", "1700000000")
	header.Set("messagebird-signature", "a8sfb/7PhxnlaQRg3ca9Ha43zSM+8gQnZox60zpGUzQ=")
	_, _, err = h.Receive(t.Context(), &channels.HookRequest{Method: http.MethodPost, URL: "https://hooks.example.org/wh/bird/ch1?x=1", Header: header, Body: pinned})
	require.NoError(t, err)

	body := birdtest.Text("m1", "+14155550100", "hi", now)
	_, err = receive(t, now.Add(-24*time.Hour), "", body)
	require.NoError(t, err, "Bird repeats for a day with the first timestamp")
	_, err = receive(t, now.Add(-25*time.Hour), "", body)
	require.ErrorIs(t, err, channels.ErrStale)
	_, err = receive(t, now, birdtest.Sign("another", fmt.Sprint(now.Unix()), address, body), body)
	require.ErrorIs(t, err, channels.ErrForged)
	_, err = receive(t, now, birdtest.Sign(secrets["signing_key"].Reveal(), fmt.Sprint(now.Unix()), address+"/", body), body)
	require.ErrorIs(t, err, channels.ErrForged, "another address")
	_, err = receive(t, now, "", []byte("{"))
	require.ErrorIs(t, err, channels.ErrMalformed)
	_, err = bird.Provider{}.OpenHook(campaign.Integration{}, channels.Deps{})
	require.Equal(t, channels.Config, channels.Classify(err).Class)
}

func TestEventsAreReported(t *testing.T) {
	t.Parallel()
	m := birdtest.Message{ID: "b1", To: "+14155550100", Reference: "ct_1-1", At: now}
	for _, tc := range []struct {
		status         string
		failure        map[string]any
		want, suppress string
	}{
		{"accepted", nil, channels.StatusNoted, ""},
		{"processing", nil, channels.StatusNoted, ""},
		{"sent", nil, campaign.ReportSent, ""},
		{"delivered", nil, campaign.ReportDelivered, ""},
		{"read", nil, campaign.ReportRead, ""},
		{"skipped", nil, campaign.ReportFailed, ""},
		{"delivery_failed", map[string]any{"code": 15005, "description": "unknown subscriber"}, campaign.ReportBounced, "bounced"},
		{"rejected", map[string]any{"code": 14001, "source": map[string]any{"code": "131050", "name": "meta"}}, campaign.ReportFailed, ""},
		{"sending_failed", map[string]any{"code": "15005", "source": map[string]any{"code": 1, "name": "meta"}}, campaign.ReportBounced, "bounced"},
		{"sending_failed", map[string]any{"code": 12001}, campaign.ReportFailed, ""},
	} {
		reports, err := receive(t, now, "", birdtest.Status(m, tc.status, now, tc.failure))
		require.NoError(t, err)
		r := reports[0]
		require.Equal(t, [2]string{tc.want, tc.suppress}, [2]string{r.Status, r.Suppress}, tc.status)
		require.Equal(t, [3]string{"ct_1-1", "b1", "+14155550100"}, [3]string{r.CorrelationKey, r.ProviderMessageID, r.Address})
	}
	reports, err := receive(t, now, "", birdtest.Status(m, "rejected", now, map[string]any{"code": 14001, "source": map[string]any{"code": "131050"}}))
	require.NoError(t, err)
	require.Len(t, reports, 2, "it failed, and the person is to be left alone")
	require.Equal(t, [3]string{campaign.ReportOptOut, "opt_out", "ct_1-1"}, [3]string{reports[1].Status, reports[1].Suppress, reports[1].CorrelationKey})
	require.False(t, reports[0].Breaks)
	reports, err = receive(t, now, "", birdtest.Status(m, "sending_failed", now, map[string]any{"code": 15000, "source": map[string]any{"code": "131042"}}))
	require.NoError(t, err)
	require.True(t, reports[0].Breaks, "what is the account's fault is every message's")
	reports, err = receive(t, now, "", birdtest.Event("whatsapp.outbound", map[string]any{"id": "b1", "status": "delivered", "lastStatusAt": ""}))
	require.NoError(t, err)
	require.Equal(t, campaign.ReportDelivered, reports[0].Status, "a time that cannot be read loses no status")
	hidden := map[string]any{"id": "m2", "body": map[string]any{"type": "text", "text": map[string]any{"text": "hi"}}, "sender": map[string]any{"contact": map[string]any{
		"identifierKey": "whatsappbsuid", "identifierValue": "US.1349", "identifiers": []any{map[string]any{"identifierKey": "phonenumber", "identifierValue": "+14155550100"}},
	}}}
	reports, err = receive(t, now, "", birdtest.Event("whatsapp.inbound", hidden))
	require.NoError(t, err)
	require.Equal(t, "+14155550100", reports[0].Address)
	require.Equal(t, &channels.Identity{UserID: "US.1349"}, reports[0].Identity)
	hidden["body"] = map[string]any{"type": "contacts", "contacts": []any{}}
	reports, err = receive(t, now, "", birdtest.Event("whatsapp.inbound", hidden))
	require.NoError(t, err)
	require.Equal(t, channels.ReportMessage, reports[0].Kind)
	require.Equal(t, "[contacts message]", reports[0].Inbound.Content)
	reports, err = receive(t, now, "", birdtest.Text("m1", "+14155550100", " I will pay ", now))
	require.NoError(t, err)
	require.Equal(t, channels.ReportMessage, reports[0].Kind)
	require.Equal(t, [2]string{"I will pay", "Ada"}, [2]string{reports[0].Inbound.Content, reports[0].Inbound.Name})
	reports, err = receive(t, now, "", birdtest.Event("whatsapp.interaction", map[string]any{"id": "i1", "messageId": "b1", "type": "read", "createdAt": now}))
	require.NoError(t, err)
	require.Equal(t, [2]string{campaign.ReportRead, "b1"}, [2]string{reports[0].Status, reports[0].ProviderMessageID})
	reports, err = receive(t, now, "", birdtest.Event("whatsapp.inbound", map[string]any{"id": "x", "channelId": "another"}))
	require.NoError(t, err)
	require.Empty(t, reports)
}

func TestWhoAContactIsIsTold(t *testing.T) {
	t.Parallel()
	inbound := func(contact map[string]any) channels.Report {
		reports, err := receive(t, now, "", birdtest.Event("whatsapp.inbound", map[string]any{
			"id": "m1", "createdAt": now, "body": map[string]any{"type": "text", "text": map[string]any{"text": "hi"}},
			"sender": map[string]any{"contact": contact}, "meta": map[string]any{"extraInformation": map[string]any{"whatsappbsuid": "US.1", "timestamp": "1"}},
		}))
		require.NoError(t, err)
		return reports[0]
	}
	r := inbound(map[string]any{"identifierKey": "phonenumber", "identifierValue": "+14155550100"})
	require.Equal(t, "+14155550100", r.Address)
	require.Equal(t, &channels.Identity{UserID: "US.1"}, r.Identity)
	require.Equal(t, "US.1", inbound(map[string]any{}).Address, "who hides the number is known by the id")
}

func FuzzWebhook(f *testing.F) {
	f.Add(birdtest.Text("m1", "+14155550100", "hi", now))
	f.Add(birdtest.Status(birdtest.Message{ID: "b1"}, "rejected", now, map[string]any{"code": 1}))
	f.Fuzz(func(t *testing.T, body []byte) {
		reports, err := receive(t, now, "", body)
		if err != nil {
			require.ErrorIs(t, err, channels.ErrMalformed)
		}
		for _, r := range reports {
			require.NotEmpty(t, r.Key)
			require.True(t, r.Kind != channels.ReportMessage || r.Inbound != nil)
		}
	})
}
