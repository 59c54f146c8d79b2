package sendgrid_test

import (
	"encoding/json"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"carillon/campaign"
	"carillon/channels"
	"carillon/channels/sendgrid"
	"carillon/channels/sendgrid/sendgridtest"
)

func hookOf(t testing.TB, key string) channels.Hook {
	t.Helper()
	h, err := sendgrid.Provider{}.OpenHook(campaign.Integration{Settings: map[string]string{"event_public_key": key}}, channels.Deps{})
	require.NoError(t, err)
	return h
}

// request is one as SendGrid makes it.
func request(body []byte, headers ...string) *channels.HookRequest {
	r := &channels.HookRequest{Method: http.MethodPost, Path: "/events", Header: http.Header{}, Body: body}
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	return r
}

const (
	signatureHeader = "X-Twilio-Email-Event-Webhook-Signature"
	timestampHeader = "X-Twilio-Email-Event-Webhook-Timestamp"
)

// TestTheProvidersOwnVector is the one of github.com/sendgrid/sendgrid-go v3.16.1,
// helpers/eventwebhook. Its body ends with CR LF, which is signed too.
func TestTheProvidersOwnVector(t *testing.T) {
	t.Parallel()
	const (
		key       = "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE83T4O/n84iotIvIW4mdBgQ/7dAfSmpqIM8kF9mN1flpVKS3GRqe62gw+2fNNRaINXvVpiglSI8eNEc6wEA3F+g=="
		signature = "MEUCIGHQVtGj+Y3LkG9fLcxf3qfI10QysgDWmMOVmxG0u6ZUAiEAyBiXDWzM+uOe5W0JuG+luQAbPIqHh89M15TluLtEZtM="
		timestamp = "1600112502"
		body      = `[{"email":"hello@world.com","event":"dropped","reason":"Bounced Address","sg_event_id":"ZHJvcC0xMDk5NDkxOS1MUnpYbF9OSFN0T0doUTRrb2ZTbV9BLTA",` +
			`"sg_message_id":"LRzXl_NHStOGhQ4kofSm_A.filterdrecv-p3mdw1-756b745b58-kmzbl-18-5F5FC76C-9.0",` +
			`"smtp-id":"<LRzXl_NHStOGhQ4kofSm_A@ismtpd0039p1iad1.sendgrid.net>","timestamp":1600112492}]` + "\r\n"
	)
	h := hookOf(t, key)
	reports, answer, err := h.Receive(t.Context(), request([]byte(body), signatureHeader, signature, timestampHeader, timestamp))
	require.NoError(t, err)
	require.Zero(t, answer.Status)
	require.Len(t, reports, 1)
	r := reports[0]
	require.Equal(t, "ZHJvcC0xMDk5NDkxOS1MUnpYbF9OSFN0T0doUTRrb2ZTbV9BLTA", r.Key)
	require.Equal(t, "LRzXl_NHStOGhQ4kofSm_A", r.ProviderMessageID, "the X-Message-Id without the filters it passed")
	require.Equal(t, campaign.ReportFailed, r.Status)
	require.Equal(t, "bounced", r.Suppress)
	require.Equal(t, time.Unix(1600112492, 0).UTC(), r.At)

	for name, forged := range map[string]*channels.HookRequest{
		"another body":      request([]byte(body[:len(body)-2]), signatureHeader, signature, timestampHeader, timestamp),
		"another timestamp": request([]byte(body), signatureHeader, signature, timestampHeader, "1600112503"),
		"another signature": request([]byte(body), signatureHeader, signature[:40]+"A"+signature[41:], timestampHeader, timestamp),
		"no base64":         request([]byte(body), signatureHeader, signature+"causing failure", timestampHeader, timestamp),
		"no timestamp":      request([]byte(body), signatureHeader, signature),
		"no signature":      request([]byte(body), timestampHeader, timestamp),
		"no headers":        request([]byte(body)),
		"an empty body":     request(nil, signatureHeader, signature, timestampHeader, timestamp),
	} {
		reports, _, err := h.Receive(t.Context(), forged)
		require.ErrorIs(t, err, channels.ErrForged, name)
		require.Empty(t, reports, name)
	}
	elsewhere := request([]byte(body), signatureHeader, signature, timestampHeader, timestamp)
	elsewhere.Path = ""
	_, _, err = h.Receive(t.Context(), elsewhere)
	require.ErrorIs(t, err, channels.ErrForged)
}

func TestEveryEventHasItsMeaning(t *testing.T) {
	t.Parallel()
	signer := sendgridtest.NewSigner()
	h := hookOf(t, signer.PublicKey)
	for name, tc := range map[string]struct {
		fields                   string
		status, reason, suppress string
	}{
		"processed":               {`"event":"processed"`, "sent", "", ""},
		"deferred":                {`"event":"deferred","response":"busy","attempt":"3"`, "noted", "busy", ""},
		"delivered":               {`"event":"delivered","response":"250 OK"`, "delivered", "", ""},
		"opened":                  {`"event":"open","useragent":"Mail"`, "read", "", ""},
		"opened by a machine":     {`"event":"open","sg_machine_open":true`, "noted", "", ""},
		"clicked":                 {`"event":"click","url":"https://example.com"`, "read", "", ""},
		"dropped":                 {`"event":"dropped","reason":"Invalid SMTPAPI header"`, "failed", "dropped: Invalid SMTPAPI header", ""},
		"dropped as bounced":      {`"event":"dropped","reason":"Bounced Address"`, "failed", "dropped: Bounced Address", "bounced"},
		"dropped as unsubscribed": {`"event":"dropped","reason":"Unsubscribed Address"`, "failed", "dropped: Unsubscribed Address", "unsubscribed"},
		"dropped as spam":         {`"event":"dropped","reason":"Spam Reporting Address"`, "failed", "dropped: Spam Reporting Address", "spam_report"},
		"bounced":                 {`"event":"bounce","type":"bounce","status":"5.1.1","reason":"550 no such user"`, "bounced", "5.1.1 550 no such user", "bounced"},
		"bounced of old":          {`"event":"bounce","reason":"no such user"`, "bounced", "no such user", "bounced"},
		"blocked":                 {`"event":"bounce","type":"blocked","status":"4.7.1","reason":"greylisted"`, "failed", "4.7.1 greylisted", ""},
		"reported as spam":        {`"event":"spamreport"`, "opt_out", "", "spam_report"},
		"unsubscribed":            {`"event":"unsubscribe"`, "opt_out", "", "unsubscribed"},
		"unsubscribed of a group": {`"event":"group_unsubscribe","asm_group_id":1`, "opt_out", "", "unsubscribed"},
		"subscribed again":        {`"event":"group_resubscribe"`, "noted", "", ""},
		"something new":           {`"event":"teleported"`, "noted", "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			body := []byte(`[{"email":"ann@example.com","timestamp":1700000000,"sg_event_id":"ev","sg_message_id":"pm.f.0","category":["a"],"correlation_key":"ct_1-1",` + tc.fields + `}]`)
			q := request(body)
			signer.Sign(q.Header, body, time.Unix(1, 0)) // SendGrid promises no time within which it repeats
			reports, _, err := h.Receive(t.Context(), q)
			require.NoError(t, err)
			require.Len(t, reports, 1)
			r := reports[0]
			require.Equal(t, []string{tc.status, tc.reason, tc.suppress}, []string{r.Status, r.Reason, r.Suppress})
			require.Equal(t, []string{"ev", "ct_1-1", "pm", "ann@example.com"}, []string{r.Key, r.CorrelationKey, r.ProviderMessageID, r.Address})
			require.Equal(t, campaign.Email, r.Channel)
			require.Equal(t, time.Unix(1700000000, 0).UTC(), r.At)
		})
	}
}

func TestABatchIsReadAsFarAsItCanBe(t *testing.T) {
	t.Parallel()
	signer := sendgridtest.NewSigner()
	h := hookOf(t, signer.PublicKey)
	receive := func(body string) ([]channels.Report, error) {
		q := request([]byte(body))
		signer.Sign(q.Header, q.Body, time.Now())
		reports, _, err := h.Receive(t.Context(), q)
		return reports, err
	}
	reports, err := receive(`[{"event":"delivered","sg_event_id":"1","timestamp":"1700000000","email":7,"correlation_key":{}}, 3, {"event":7}, {"event":"open","timestamp":-5}]`)
	require.NoError(t, err)
	require.Len(t, reports, 4)
	require.Equal(t, "delivered", reports[0].Status)
	require.Empty(t, reports[0].Address, "a field of another type is not there")
	require.False(t, reports[0].At.IsZero())
	require.Equal(t, channels.ReportUnread, reports[1].Kind)
	require.Equal(t, channels.ReportUnread, reports[2].Kind)
	require.Contains(t, reports[3].Key, "sha256:", "without an id, what it says is its key")
	require.True(t, reports[3].At.IsZero())
	for _, body := range []string{"", "{}", "null x", `[{"event":`, "event=delivered"} {
		_, err := receive(body)
		require.ErrorIs(t, err, channels.ErrMalformed, body)
	}
	reports, err = receive("[]")
	require.NoError(t, err)
	require.Empty(t, reports)
}

func TestAHookNeedsItsKey(t *testing.T) {
	t.Parallel()
	for _, key := range []string{"", "no key", "MFkw", // RSA:
		"MFwwDQYJKoZIhvcNAQEBBQADSwAwSAJBAKj34GkxFhD90vcNLYLInFEX6Ppy1tPf9Cnzj4p4WGeKLs1Pt8QuKUpRKfFLfRYC9AIKjbJTWit+CqvjWYzvQwECAwEAAQ=="} {
		_, err := sendgrid.Provider{}.OpenHook(campaign.Integration{Settings: map[string]string{"event_public_key": key}}, channels.Deps{})
		require.Equal(t, channels.Config, channels.Classify(err).Class, key)
	}
}

// FuzzEvents: whatever is signed is read without a panic, and every report has
// what it is kept under.
func FuzzEvents(f *testing.F) {
	for _, seed := range []string{"", "[]", `[{"event":"bounce","type":"blocked","timestamp":1.5e9,"sg_event_id":"x","sg_message_id":".","category":"c"}]`, `[[1],{"event":null},"x"]`} {
		f.Add([]byte(seed))
	}
	signer := sendgridtest.NewSigner()
	h := hookOf(f, signer.PublicKey)
	f.Fuzz(func(t *testing.T, body []byte) {
		q := request(body)
		signer.Sign(q.Header, body, time.Now())
		reports, _, err := h.Receive(t.Context(), q)
		if err != nil {
			require.ErrorIs(t, err, channels.ErrMalformed)
			require.Empty(t, reports)
		}
		for _, r := range reports {
			require.NotEmpty(t, r.Key)
			require.True(t, json.Valid(r.Raw))
			require.False(t, r.At.Before(time.Time{}))
		}
	})
}
