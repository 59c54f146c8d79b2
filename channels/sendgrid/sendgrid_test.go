package sendgrid_test

import (
	"fmt"
	"net/http"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"carillon/campaign"
	"carillon/channels"
	"carillon/channels/channeltest"
	"carillon/channels/sendgrid"
	"carillon/channels/sendgrid/sendgridtest"
)

const key = "SG.a-key-that-must-not-be-seen"

// problem is an error as SendGrid writes it.
const problem = `{"errors":[{"message":%q,"field":%s,"help":null}]}`

func integration(fake *sendgridtest.Server) campaign.Integration {
	return campaign.Integration{Name: "Mail", Provider: sendgrid.Name, Settings: map[string]string{
		"from_email": "anna@collect.example", "from_name": "Anna", "reply_domain": "parse.collect.example", "base_url": fake.URL,
	}}
}

var secrets = map[string]campaign.Secret{"api_key": key}

func open(t *testing.T, i campaign.Integration) channels.Sender {
	t.Helper()
	s, err := sendgrid.Provider{}.Open(i, channels.Deps{
		HTTP: &http.Client{Transport: channeltest.LocalOnly(), Timeout: 5 * time.Second}, Secrets: secrets,
		Now: func() time.Time { return time.Date(2026, 12, 1, 9, 0, 0, 0, time.UTC) },
	})
	require.NoError(t, err)
	return s
}

func TestSendGridIsAProvider(t *testing.T) {
	t.Parallel()
	fake := sendgridtest.New(t, key)
	channeltest.Run(t, channeltest.Spec{
		Provider: sendgrid.Provider{}, Integration: integration(fake), Secrets: secrets,
		HTTP: &channeltest.HTTP{Server: fake.Server, Problem: `{"errors":[{"message":"%s","field":null,"help":null}]}`, TooLong: 10<<20 + 1},
	})
	for _, why := range fake.Refused() {
		require.Contains(t, why, "authorization grant", "the fake refused a message")
	}
}

func TestAMessageIsWholeAndCorrelated(t *testing.T) {
	t.Parallel()
	fake := sendgridtest.New(t, key)
	s := open(t, integration(fake))
	m := channeltest.Outbound(campaign.Email, 1)
	m.HTML, m.Body, m.UnsubscribeURL, m.ReplyToken = true, `<p>Hello &amp; welcome</p><a href="https://x.example/pay">pay</a>`, "https://carillon.example/u/tok", "tok"
	receipt, err := s.Send(t.Context(), m)
	require.NoError(t, err)
	sent := fake.Accepted()
	require.Len(t, sent, 1)
	got := sent[0]
	require.Equal(t, got.ID, receipt.ProviderMessageID)
	require.Equal(t, sendgridtest.Address{Email: "anna@collect.example", Name: "Anna"}, got.From)
	require.Equal(t, "reply+tok@parse.collect.example", got.ReplyTo.Email)
	require.Equal(t, "Hello", got.Subject)
	require.Equal(t, []sendgridtest.Content{
		{Type: "text/plain", Value: "Hello & welcome\n\npay (https://x.example/pay)"}, {Type: "text/html", Value: m.Body},
	}, got.Content)
	p := got.Personalizations[0]
	require.Equal(t, "ada@example.com", p.To[0].Email)
	require.Equal(t, map[string]string{
		"correlation_key": "key-email-1", "campaign_id": "c1", "contact_id": "ct_1", "communication_id": "ct_1-1", "session_id": "ss_ct_1-1",
	}, p.CustomArgs)
	require.Equal(t, map[string]string{
		"Message-ID": "<key-email-1@collect.example>", "Auto-Submitted": "auto-generated",
		"List-Unsubscribe": "<https://carillon.example/u/tok>", "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
	}, p.Headers)
	require.NotContains(t, got.Raw, key)

	reply := channeltest.Outbound(campaign.Email, 2)
	reply.Reply, reply.Opening = true, "key-email-1"
	_, err = s.Send(t.Context(), reply)
	require.NoError(t, err)
	headers := fake.Accepted()[1].Personalizations[0].Headers
	require.Equal(t, "<key-email-1@collect.example>", headers["In-Reply-To"])
	require.Equal(t, "<key-email-1@collect.example>", headers["References"])
	require.NotContains(t, headers, "Auto-Submitted", "a person may answer it automatically")
}

func TestANotificationHasNoSessionToReplyTo(t *testing.T) {
	t.Parallel()
	fake := sendgridtest.New(t, key)
	m := channeltest.Outbound(campaign.EmailNotification, 1)
	m.SessionID, m.CorrelationKey = "", "ct-1/ü\r\nX-Evil:1"
	_, err := open(t, integration(fake)).Send(t.Context(), m)
	require.NoError(t, err)
	got := fake.Accepted()[0]
	require.Nil(t, got.ReplyTo)
	require.Regexp(t, `^<[0-9a-f]{32}@collect\.example>$`, got.Personalizations[0].Headers["Message-ID"], "what cannot stand in a header is hashed")
}

func TestAnswersHaveTheClassesOfSendGridsReference(t *testing.T) {
	t.Parallel()
	fake := sendgridtest.New(t, key)
	s := open(t, integration(fake))
	for _, tc := range []struct {
		status         int
		message, field string
		want           channels.Class
	}{
		{400, "The from email does not contain a valid address.", "from.email", channels.Config},
		{400, "The from address does not match a verified Sender Identity.", "from", channels.Config},
		{400, "Does not contain a valid address.", "personalizations.0.to.0.email", channels.Recipient},
		{400, "The subject is required.", "subject", channels.Invalid},
		{400, "Bad Request", "", channels.Invalid},
		{401, "The provided authorization grant is invalid, expired, or revoked", "", channels.Config},
		{401, "Maximum credits exceeded", "", channels.Config},
		{403, "The from address does not match a verified Sender Identity.", "from", channels.Config},
		{403, "access forbidden", "", channels.Config},
		{403, "Too many bad requests. Temporary block.", "", channels.Throttled},
		{404, "not found", "", channels.Config},
		{405, "method not allowed", "", channels.Config},
		{406, "Missing Accept header", "", channels.Config},
		{408, "timeout", "", channels.Retryable},
		{413, "The payload is larger than 30MB", "", channels.Invalid},
		{429, "too many requests", "", channels.Throttled},
		{451, "Data residency", "", channels.Config},
		{500, "An unexpected error occurred", "", channels.Retryable},
		{502, "Bad gateway", "", channels.Retryable},
		{503, "Service unavailable", "", channels.Retryable},
		{504, "Timeout", "", channels.Retryable},
		{500, "", "", channels.Unknown},
		{502, "", "", channels.Unknown},
		{503, "", "", channels.Retryable},
		{504, "", "", channels.Unknown},
		{200, "", "", channels.Unknown},
		{307, "", "", channels.Config},
	} {
		body := "<html>a proxy</html>"
		if tc.message != "" {
			field := "null"
			if tc.field != "" {
				field = strconv.Quote(tc.field)
			}
			body = fmt.Sprintf(problem, tc.message, field)
		}
		fake.Fail(channeltest.Fault{Status: tc.status, Body: body})
		_, err := s.Send(t.Context(), channeltest.Outbound(campaign.Email, 1))
		f := channels.Classify(err)
		require.Equal(t, tc.want, f.Class, "%d %s", tc.status, body)
		require.Equal(t, strconv.Itoa(tc.status), f.Code)
		require.Contains(t, f.Error(), tc.message)
	}
	require.Empty(t, fake.Accepted())
}

func TestTheRateLimitSaysWhenItIsOver(t *testing.T) {
	t.Parallel()
	fake := sendgridtest.New(t, key)
	over := time.Date(2026, 12, 1, 9, 0, 42, 0, time.UTC)
	fake.Fail(channeltest.Fault{Status: 429, Header: map[string]string{"X-RateLimit-Reset": strconv.FormatInt(over.Unix(), 10)}})
	_, err := open(t, integration(fake)).Send(t.Context(), channeltest.Outbound(campaign.Email, 1))
	require.Equal(t, 42*time.Second, channels.Classify(err).RetryAfter)
}

func TestSettingsAreCheckedWhenTheyAreSaved(t *testing.T) {
	t.Parallel()
	good := integration(sendgridtest.New(t, key))
	delete(good.Settings, "base_url")
	r := channels.NewRegistry(sendgrid.Provider{})
	require.NoError(t, r.Validate(good, secrets))
	for _, tc := range []struct{ field, value, says string }{
		{"from_email", "Anna <anna@x.example>", "not an e-mail address"},
		{"from_name", "Anna\r\nBcc: all@x.example", "more than one line"},
		{"reply_domain", "not a domain", "not a domain"},
		{"event_public_key", "MFkw", "public key"},
		{"region", "mars", "is not one of global, eu"},
		{"base_url", "ftp://x.example", "is not an address"},
		{"base_url", "https://me:secret@x.example", "without a user"},
		{"base_url", "http://api.example.com", "only https"},
		{"base_url", "https://localhost:8080", "CARILLON_ALLOW_PRIVATE_URLS"},
		{"base_url", "https://10.1.2.3", "CARILLON_ALLOW_PRIVATE_URLS"},
		{"base_url", "https://[::1]", "CARILLON_ALLOW_PRIVATE_URLS"},
		{"base_url", "https://[::ffff:169.254.169.254]/latest", "CARILLON_ALLOW_PRIVATE_URLS"},
		{"base_url", "https://2130706433", "is not the name of a server"},
		{"base_url", "https://127.1", "is not the name of a server"},
	} {
		i := good
		i.Settings = map[string]string{"from_email": "anna@collect.example"}
		i.Settings[tc.field] = tc.value
		err := r.Validate(i, secrets)
		require.ErrorContains(t, err, "settings."+tc.field, tc.value)
		require.ErrorContains(t, err, tc.says, tc.value)
	}
	good.Settings["base_url"] = "http://127.0.0.1:1"
	r.AllowPrivate = true
	require.NoError(t, r.Validate(good, secrets))
}

func TestTheRegionChoosesTheServer(t *testing.T) {
	t.Parallel()
	for region, host := range map[string]string{"": "api.sendgrid.com", "global": "api.sendgrid.com", "eu": "api.eu.sendgrid.com"} {
		i := integration(sendgridtest.New(t, key))
		delete(i.Settings, "base_url")
		i.Settings["region"] = region
		_, err := open(t, i).Send(t.Context(), channeltest.Outbound(campaign.Email, 1))
		require.Equal(t, channels.NotSent, channels.Classify(err).Class, "tests reach nobody outside")
		require.ErrorContains(t, err, "dial "+host+":443")
	}
}

func TestVerifyMissesThePermission(t *testing.T) {
	t.Parallel()
	fake := sendgridtest.New(t, key)
	fake.Fail(channeltest.Fault{Status: 200, Body: `{"scopes":["stats.read"]}`}, channeltest.Fault{Status: 200, Body: "hello"}, channeltest.Fault{Status: 403, Body: fmt.Sprintf(problem, "access forbidden", "null")})
	v := open(t, integration(fake)).(channels.Verifier)
	for _, says := range []string{"lacks the permission Mail Send", "does not answer as SendGrid", "access forbidden"} {
		_, err := v.Verify(t.Context())
		require.Equal(t, channels.Config, channels.Classify(err).Class)
		require.ErrorContains(t, err, says)
	}
}
