package whatsapp_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"carillon/campaign"
	"carillon/channels"
	"carillon/channels/channeltest"
	"carillon/channels/whatsapp"
	"carillon/channels/whatsapp/metatest"
)

const token = "EAAG-a-token-that-must-not-be-seen"

var now = time.Date(2026, 12, 1, 9, 0, 0, 0, time.UTC)

var secrets = map[string]campaign.Secret{"access_token": token, "app_secret": "an-app-secret-nobody-sees", "verify_token": "a-word-of-choice"}

func integration(fake *metatest.Server) campaign.Integration {
	return campaign.Integration{Name: "WhatsApp", Provider: whatsapp.Name, Settings: map[string]string{
		"phone_number_id": metatest.Number, "waba_id": metatest.Account, "base_url": fake.URL, "language": "en_US",
	}}
}

func open(t *testing.T, i campaign.Integration) channels.Sender {
	t.Helper()
	s, err := whatsapp.Provider{}.Open(i, channels.Deps{
		HTTP: &http.Client{Transport: channeltest.LocalOnly(), Timeout: 5 * time.Second}, Secrets: secrets, Now: func() time.Time { return now },
	})
	require.NoError(t, err)
	return s
}

func TestMetaIsAProvider(t *testing.T) {
	t.Parallel()
	fake := metatest.New(t, token)
	channeltest.Run(t, channeltest.Spec{
		Provider: whatsapp.Provider{}, Integration: integration(fake), Secrets: secrets,
		HTTP: &channeltest.HTTP{Server: fake.Server, Problem: `{"error":{"message":"%s","type":"OAuthException","code":999999}}`, TooLong: 4097},
	})
	for _, why := range fake.Refused() {
		require.Contains(t, why, "access token", "the fake refused a message")
	}
}

func TestATemplateOpensAndAFreeTextAnswers(t *testing.T) {
	t.Parallel()
	fake := metatest.New(t, token, metatest.Template{Name: "hello", Language: "de", Status: "APPROVED", Body: "Hallo {{1}}, {{2}}"})
	s := open(t, integration(fake))
	m := channeltest.Outbound(campaign.WhatsAppMeta, 1)
	m.To, m.Delivery.Language = "+1 (415) 555-0100", "de"
	m.Variables = map[string]string{"1": "Ada", "2": "120 EUR", "header_image": "https://x.example/a.png", "button_0": "pay/1", "button_1_payload": "NO"}
	receipt, err := s.Send(t.Context(), m)
	require.NoError(t, err)
	got := fake.Accepted()[0]
	require.Equal(t, got.ID, receipt.ProviderMessageID)
	require.Equal(t, "key-whatsapp_meta-1", got.Correlation)
	require.JSONEq(t, `{"messaging_product":"whatsapp","recipient_type":"individual","to":"14155550100","type":"template",
		"biz_opaque_callback_data":"key-whatsapp_meta-1","template":{"name":"hello","language":{"code":"de"},"components":[
		{"type":"header","parameters":[{"type":"image","image":{"link":"https://x.example/a.png"}}]},
		{"type":"body","parameters":[{"type":"text","text":"Ada"},{"type":"text","text":"120 EUR"}]},
		{"type":"button","sub_type":"url","index":"0","parameters":[{"type":"text","text":"pay/1"}]},
		{"type":"button","sub_type":"quick_reply","index":"1","parameters":[{"type":"payload","payload":"NO"}]}]}}`, got.Raw)

	reply := channeltest.Outbound(campaign.WhatsAppMeta, 2)
	reply.Reply, reply.Body = true, "Danke"
	_, err = s.Send(t.Context(), reply)
	require.Equal(t, channels.Policy, channels.Classify(err).Class, "Meta knows of nobody who wrote")
	fake.Say(reply.To, "hi")
	_, err = s.Send(t.Context(), reply)
	require.NoError(t, err)
	require.Equal(t, "Danke", fake.Accepted()[1].Text)

	for _, heard := range []time.Time{{}, now.Add(-24 * time.Hour)} {
		reply.Heard = heard
		before := fake.Calls()
		_, err = s.Send(t.Context(), reply)
		require.Equal(t, channels.Policy, channels.Classify(err).Class, "outside the window")
		require.Equal(t, before, fake.Calls(), "it is not even asked")
	}
}

func TestVariablesThatFitNoTemplate(t *testing.T) {
	t.Parallel()
	s := open(t, integration(metatest.New(t, token)))
	for _, variables := range []map[string]string{{"1": "a", "name": "b"}, {"1": "a", "3": "b"}, {"button_x": "a"}, {"button_0_link": "a"}} {
		m := channeltest.Outbound(campaign.WhatsAppMeta, 3)
		m.Variables = variables
		_, err := s.Send(t.Context(), m)
		require.Equal(t, channels.Template, channels.Classify(err).Class, "%v", variables)
	}
}

func TestCodesHaveTheClassesOfMetasReference(t *testing.T) {
	t.Parallel()
	fake := metatest.New(t, token)
	s := open(t, integration(fake))
	for class, codes := range map[channels.Class][]int{
		channels.Throttled: {4, 80007, 130429, 131056, 133016}, channels.Retryable: {1, 2, 131000, 131016, 131053, 131057},
		channels.Config: {0, 3, 10, 33, 190, 200, 299, 368, 131005, 131031, 131037, 131042, 131045, 131048, 133010}, channels.Template: {132000, 132001, 132005, 132007, 132012, 132015, 132016},
		channels.Policy: {131047, 131049, 130472, 130497, 131030}, channels.OptOut: {131050}, channels.Recipient: {131021, 131026}, channels.Invalid: {100, 131008, 131009, 131051, 131052, 999999},
	} {
		for _, code := range codes {
			fake.Fail(channeltest.Fault{Status: 400, Body: fmt.Sprintf(`{"error":{"message":"(#%d)","code":%d,"error_data":{"details":"why"}}}`, code, code)})
			_, err := s.Send(t.Context(), channeltest.Outbound(campaign.WhatsAppMeta, code))
			f := channels.Classify(err)
			require.Equal(t, class, f.Class, code)
			require.Equal(t, fmt.Sprint(code), f.Code)
			require.ErrorContains(t, err, "why")
		}
	}
}

func TestANumberThatIsNotThereIsTheIntegrationsFault(t *testing.T) {
	t.Parallel()
	fake := metatest.New(t, token)
	s := open(t, integration(fake))
	for body, want := range map[string]channels.Class{
		`{"error":{"message":"Object with ID '1' does not exist","type":"GraphMethodException","code":100,"error_subcode":33}}`: channels.Config,
		`{"error":{"message":"(#100) Invalid parameter","code":100,"error_data":"blame"}}`:                                      channels.Invalid,
		`{"error":{"message":"an error without a code"}}`:                                                                       channels.Config,
	} {
		fake.Fail(channeltest.Fault{Status: 400, Body: body})
		_, err := s.Send(t.Context(), channeltest.Outbound(campaign.WhatsAppMeta, 1))
		require.Equal(t, want, channels.Classify(err).Class, body)
	}
	fake.Fail(channeltest.Fault{Status: 500, Body: `{"error":{"message":"an error without a code"}}`})
	_, err := s.Send(t.Context(), channeltest.Outbound(campaign.WhatsAppMeta, 2))
	require.Equal(t, channels.Retryable, channels.Classify(err).Class)
}

func TestATemplateIsCheckedAgainstTheAccounts(t *testing.T) {
	t.Parallel()
	fake := metatest.New(t, token,
		metatest.Template{Name: "debt", Language: "en_US", Status: "APPROVED", Body: "Dear {{name}}, you owe {{amount}}. {{name}}!"},
		metatest.Template{Name: "debt_old", Language: "en_US", Status: "PAUSED", Body: ""},
		metatest.Template{Name: "debt", Language: "de", Status: "REJECTED", Body: ""})
	s := open(t, integration(fake)).(channels.TemplateChecker)
	both := map[string]string{"name": "{{ name }}", "amount": "1", "header": "x"}
	for _, tc := range []struct {
		name, want string
		d          campaign.Delivery
	}{
		{"as it is", "", campaign.Delivery{TemplateName: "debt", Variables: both}},
		{"a variable too few", "lacks amount", campaign.Delivery{TemplateName: "debt", Variables: map[string]string{"name": ""}}},
		{"a variable too many", "has no variable 3", campaign.Delivery{TemplateName: "debt", Variables: map[string]string{"name": "", "amount": "", "3": ""}}},
		{"not approved", "is rejected", campaign.Delivery{TemplateName: "debt", Language: "de"}},
		{"paused", "is paused", campaign.Delivery{TemplateName: "debt_old"}},
		{"another language", "is there in en_US, de, not in fr", campaign.Delivery{TemplateName: "debt", Language: "fr"}},
		{"none", "has no template dept", campaign.Delivery{TemplateName: "dept"}},
	} {
		err := s.CheckTemplate(t.Context(), tc.d)
		if tc.want == "" {
			require.NoError(t, err, tc.name)
			continue
		}
		require.ErrorContains(t, err, tc.want, tc.name)
		require.Equal(t, channels.Template, channels.Classify(err).Class)
	}
}

func TestATemplatesHeaderAndButtonsAreChecked(t *testing.T) {
	t.Parallel()
	fake := metatest.New(t, token)
	s := open(t, integration(fake)).(channels.TemplateChecker)
	check := func(variables ...string) error {
		// Two pages: of the first, nothing has the name itself.
		fake.Fail(channeltest.Fault{Status: 200, Body: `{"data":[{"name":"debt_old","language":"en_US","status":"PAUSED"}],"paging":{"cursors":{"after":"QVFI"},"next":"https://graph.facebook.com/x"}}`})
		fake.Fail(channeltest.Fault{Status: 200, Body: `{"data":[{"name":"debt","language":"en_US","status":"APPROVED","components":[
			{"type":"HEADER","format":"IMAGE"},{"type":"BODY","text":"Dear {{1}}"},{"type":"FOOTER","text":"Bye"},
			{"type":"BUTTONS","buttons":[{"type":"QUICK_REPLY","text":"Yes"},{"type":"URL","text":"Pay","url":"https://pay.example/{{1}}"}]}]}],"paging":{"cursors":{"after":"QVFJ"}}}`})
		d := campaign.Delivery{TemplateName: "debt", Variables: map[string]string{}}
		for _, name := range variables {
			d.Variables[name] = "x"
		}
		return s.CheckTemplate(t.Context(), d)
	}
	require.NoError(t, check("1", "header_image", "button_1"))
	require.ErrorContains(t, check("1", "button_1"), "the stage lacks header_image")
	require.ErrorContains(t, check("1", "header_image"), "the stage lacks button_1")
}

func hook(t *testing.T) channels.Hook {
	t.Helper()
	h, err := whatsapp.Provider{}.OpenHook(campaign.Integration{Settings: map[string]string{"phone_number_id": metatest.Number}}, channels.Deps{Secrets: secrets})
	require.NoError(t, err)
	return h
}

func post(t *testing.T, body []byte) ([]channels.Report, error) {
	t.Helper()
	reports, _, err := hook(t).Receive(t.Context(), &channels.HookRequest{
		Method: http.MethodPost, Body: body, Header: http.Header{"X-Hub-Signature-256": {metatest.Sign(secrets["app_secret"].Reveal(), body)}},
	})
	return reports, err
}

func TestTheWebhookIsProvenAndVerified(t *testing.T) {
	t.Parallel()
	get := func(mode, word string) (channels.HookAnswer, error) {
		_, a, err := hook(t).Receive(t.Context(), &channels.HookRequest{Method: http.MethodGet, Query: url.Values{"hub.mode": {mode}, "hub.verify_token": {word}, "hub.challenge": {"1158201444"}}})
		return a, err
	}
	a, err := get("subscribe", "a-word-of-choice")
	require.NoError(t, err)
	require.Equal(t, "1158201444", string(a.Body))
	for _, wrong := range [][2]string{{"subscribe", "another"}, {"", "a-word-of-choice"}, {"subscribe", ""}} {
		_, err := get(wrong[0], wrong[1])
		require.ErrorIs(t, err, channels.ErrForged)
	}
	body := metatest.Text("wamid.1", "14155550100", "hi", now)
	good := metatest.Sign(secrets["app_secret"].Reveal(), body)
	for _, header := range []string{"", "sha256=", "sha1=" + good[7:], good[7:], metatest.Sign("another", body), good[:len(good)-2] + "00", "sha256=zz"} {
		_, _, err := hook(t).Receive(t.Context(), &channels.HookRequest{Method: http.MethodPost, Body: body, Header: http.Header{"X-Hub-Signature-256": {header}}})
		require.ErrorIs(t, err, channels.ErrForged, header)
	}
	// The vector GitHub publishes for the same scheme pins signer and verifier alike:
	// https://docs.github.com/webhooks/using-webhooks/validating-webhook-deliveries
	const vector = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"
	require.Equal(t, vector, metatest.Sign("It's a Secret to Everybody", []byte("Hello, World!")))
	pinned, err := whatsapp.Provider{}.OpenHook(campaign.Integration{}, channels.Deps{Secrets: map[string]campaign.Secret{"app_secret": "It's a Secret to Everybody", "verify_token": "w"}})
	require.NoError(t, err)
	_, _, err = pinned.Receive(t.Context(), &channels.HookRequest{Method: http.MethodPost, Body: []byte("Hello, World!"), Header: http.Header{"X-Hub-Signature-256": {vector}}})
	require.ErrorIs(t, err, channels.ErrMalformed, "verified, and no payload")

	_, err = whatsapp.Provider{}.OpenHook(campaign.Integration{}, channels.Deps{})
	require.Equal(t, channels.Config, channels.Classify(err).Class)
}

func TestStatusesAreReported(t *testing.T) {
	t.Parallel()
	m := metatest.Message{ID: "wamid.1", To: "+14155550100", Correlation: "ct_1-1"}
	failed := func(code int) map[string]any {
		return map[string]any{"errors": []any{map[string]any{"code": code, "title": "no", "error_data": map[string]any{"details": "why"}}}}
	}
	for _, tc := range []struct {
		status         string
		more           map[string]any
		want, suppress string
	}{
		{"sent", nil, campaign.ReportSent, ""},
		{"delivered", nil, campaign.ReportDelivered, ""},
		{"read", nil, campaign.ReportRead, ""},
		{"failed", failed(131026), campaign.ReportBounced, "bounced"},
		{"failed", failed(131050), campaign.ReportFailed, ""},
		{"failed", failed(131049), campaign.ReportFailed, ""},
		{"deleted", nil, channels.StatusNoted, ""},
	} {
		reports, err := post(t, metatest.Status(m, tc.status, now, tc.more))
		require.NoError(t, err)
		r := reports[0]
		require.Equal(t, tc.want, r.Status, tc)
		require.Equal(t, tc.suppress, r.Suppress, tc)
		require.Equal(t, "ct_1-1", r.CorrelationKey)
		require.Equal(t, "wamid.1", r.ProviderMessageID)
		require.Equal(t, "+14155550100", r.Address)
		require.Equal(t, now, r.At)
	}
	reports, err := post(t, metatest.Status(m, "failed", now, failed(131050)))
	require.NoError(t, err)
	require.Len(t, reports, 2, "it failed, and the person is to be left alone")
	require.Equal(t, [3]string{campaign.ReportOptOut, "opt_out", "ct_1-1"}, [3]string{reports[1].Status, reports[1].Suppress, reports[1].CorrelationKey})
	require.NotEqual(t, reports[0].Key, reports[1].Key)
	for code, breaks := range map[int]bool{131042: true, 131031: true, 131049: false, 0: false} {
		reports, err = post(t, metatest.Status(m, "failed", now, failed(code)))
		require.NoError(t, err)
		require.Equal(t, breaks, reports[0].Breaks, "%d: what is the account's fault is every message's", code)
	}
	reports, err = post(t, metatest.Status(m, "read", now, map[string]any{"timestamp": now.Unix()}))
	require.NoError(t, err)
	require.Equal(t, [2]any{campaign.ReportRead, now}, [2]any{reports[0].Status, reports[0].At}, "a time may be a number")
}

// preference is Meta's own example of the field, of our number.
const preference = `{"object":"whatsapp_business_account","entry":[{"id":"` + metatest.Account + `","changes":[{"field":"user_preferences","value":{
	"messaging_product":"whatsapp","metadata":{"display_phone_number":"14155550100","phone_number_id":"` + metatest.Number + `"},
	"contacts":[{"profile":{"name":"Ada"},"wa_id":"14155550111"}],
	"user_preferences":[{"wa_id":"14155550111","detail":"User requested to stop marketing messages","category":"marketing_messages","value":"stop","timestamp":1731705721}]}}]}]}`

func TestWhoStopsMarketingMessagesIsLeftAlone(t *testing.T) {
	t.Parallel()
	reports, err := post(t, []byte(preference))
	require.NoError(t, err)
	require.Len(t, reports, 1)
	r := reports[0]
	require.Equal(t, [3]string{campaign.ReportOptOut, "opt_out", "+14155550111"}, [3]string{r.Status, r.Suppress, r.Address})
	require.Equal(t, channels.ReportIdentity, r.Kind, "it is about a person and no message")
	require.True(t, r.Identity.Blocked)
	require.Equal(t, time.Unix(1731705721, 0).UTC(), r.At)
	resumed, err := post(t, []byte(strings.ReplaceAll(preference, `"stop"`, `"resume"`)))
	require.NoError(t, err)
	require.Equal(t, channels.Report{Kind: channels.ReportIdentity, Identity: &channels.Identity{}}, channels.Report{Kind: resumed[0].Kind, Suppress: resumed[0].Suppress, Status: resumed[0].Status, Identity: resumed[0].Identity})
	other, err := post(t, []byte(strings.ReplaceAll(preference, metatest.Number, "999")))
	require.NoError(t, err)
	require.Empty(t, other, "of another number")
}

func TestMessagesAreHeard(t *testing.T) {
	t.Parallel()
	message := func(kind string, more map[string]any) []byte {
		m := map[string]any{"from": "14155550100", "id": "wamid.7", "timestamp": "1700000000", "type": kind, "context": map[string]any{"id": "wamid.1"}}
		for k, v := range more {
			m[k] = v
		}
		return metatest.Inbound("14155550100", m)
	}
	for _, tc := range []struct {
		name, want string
		body       []byte
		files      int
	}{
		{"text", "I will pay", message("text", map[string]any{"text": map[string]any{"body": " I will pay "}}), 0},
		{"a template's button", "Yes", message("button", map[string]any{"button": map[string]any{"text": "Yes", "payload": "Y"}}), 0},
		{"a reply button", "Later", message("interactive", map[string]any{"interactive": map[string]any{"type": "button_reply", "button_reply": map[string]any{"id": "1", "title": "Later"}}}), 0},
		{"a list", "Monday", message("interactive", map[string]any{"interactive": map[string]any{"list_reply": map[string]any{"title": "Monday"}}}), 0},
		{"an image", "my receipt", message("image", map[string]any{"image": map[string]any{"id": "m1", "mime_type": "image/jpeg", "caption": "my receipt"}}), 1},
		{"a document", "[bill.pdf]", message("document", map[string]any{"document": map[string]any{"id": "m2", "filename": "bill.pdf"}}), 1},
		{"a location", "Home Main St (1.5, 2)", message("location", map[string]any{"location": map[string]any{"latitude": 1.5, "longitude": 2, "name": "Home", "address": "Main St"}}), 0},
		{"somebody's card", "[contact: Bob B. +1 415 555 0199]", message("contacts", map[string]any{"contacts": []any{map[string]any{
			"name": map[string]any{"formatted_name": "Bob B."}, "phones": []any{map[string]any{"phone": "+1 415 555 0199"}},
		}}}), 0},
		{"what WhatsApp does not pass on", "[unsupported message]", message("unsupported", map[string]any{"errors": []any{map[string]any{"code": 131051}}}), 0},
	} {
		reports, err := post(t, tc.body)
		require.NoError(t, err, tc.name)
		require.Len(t, reports, 1, tc.name)
		r := reports[0]
		require.Equal(t, channels.ReportMessage, r.Kind, tc.name)
		require.Equal(t, tc.want, r.Inbound.Content, tc.name)
		require.Equal(t, "Ada", r.Inbound.Name)
		require.Equal(t, "wamid.1", r.ProviderMessageID, "it answers a message of ours")
		require.Len(t, r.Inbound.Files, tc.files, tc.name)
		require.Equal(t, "wamid.7", r.Key)
	}
}

func TestWhatIsNotOursIsNotTaken(t *testing.T) {
	t.Parallel()
	other := []byte(strings.ReplaceAll(string(metatest.Text("w", "1", "hi", now)), metatest.Number, "999"))
	reports, err := post(t, other)
	require.NoError(t, err)
	require.Empty(t, reports, "another number of the app")
	reports, err = post(t, metatest.Inbound("1", map[string]any{"id": "w", "from": "1", "group_id": "g", "text": map[string]any{"body": "hi"}}))
	require.NoError(t, err)
	require.Empty(t, reports, "a group's")
	_, err = post(t, []byte("{"))
	require.ErrorIs(t, err, channels.ErrMalformed)
	reports, err = post(t, []byte(`{"entry":[{"changes":[{"field":"message_template_status_update","value":{"event":"PAUSED"}},{"field":"messages","value":7}]}]}`))
	require.NoError(t, err)
	require.Len(t, reports, 2)
	require.Equal(t, channels.ReportUnread, reports[0].Kind)

	h, err := whatsapp.Provider{}.OpenHook(campaign.Integration{Settings: map[string]string{"phone_number_id": metatest.Number, "waba_id": metatest.Account}}, channels.Deps{Secrets: secrets})
	require.NoError(t, err)
	for body, want := range map[string]int{
		`{"entry":[{"id":"` + metatest.Account + `","changes":[{"field":"message_template_status_update","value":{"event":"PAUSED"}}]}]}`:              1,
		`{"entry":[{"id":"999","changes":[{"field":"message_template_status_update","value":{"event":"PAUSED"}}]}]}`:                                   0,
		`{"entry":[{"changes":[{"field":"messages","value":{"metadata":{"phone_number_id":"` + metatest.Number + `"},"errors":[{"code":130429}]}}]}]}`: 1,
		`{"entry":[{"changes":[{"field":"messages","value":{"statuses":[{"id":"wamid.1","status":"read"}]}}]}]}`:                                       1,
	} {
		reports, _, err := h.Receive(t.Context(), &channels.HookRequest{
			Method: http.MethodPost, Body: []byte(body), Header: http.Header{"X-Hub-Signature-256": {metatest.Sign(secrets["app_secret"].Reveal(), []byte(body))}},
		})
		require.NoError(t, err)
		require.Len(t, reports, want, body)
		for _, r := range reports {
			require.Equal(t, channels.ReportUnread, r.Kind, "kept as it came")
		}
	}
}

func FuzzWebhook(f *testing.F) {
	f.Add(metatest.Text("wamid.1", "14155550100", "hi", now))
	f.Add(metatest.Status(metatest.Message{ID: "wamid.1"}, "failed", now))
	f.Add([]byte(`{"entry":[{"changes":[{"field":"messages","value":{"messages":[{}],"statuses":[[]]}}]}]}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		reports, err := post(t, body)
		if err != nil {
			require.ErrorIs(t, err, channels.ErrMalformed)
			require.False(t, json.Valid(body) && strings.HasPrefix(strings.TrimSpace(string(body)), `{"entry":[]`))
		}
		for _, r := range reports {
			require.NotEmpty(t, r.Key)
			require.True(t, r.Kind != channels.ReportMessage || r.Inbound != nil)
		}
	})
}

func TestWhoAContactIsIsTold(t *testing.T) {
	t.Parallel()
	const id = "US.13491208655302741918"
	one := func(body []byte) channels.Report {
		t.Helper()
		reports, err := post(t, body)
		require.NoError(t, err)
		require.Len(t, reports, 1)
		return reports[0]
	}
	r := one(metatest.Status(metatest.Message{ID: "wamid.1", To: "+14155550100"}, "sent", now, map[string]any{"recipient_user_id": id}))
	require.Equal(t, &channels.Identity{UserID: id}, r.Identity, "before anybody answers")
	r = one(metatest.Inbound("14155550100", map[string]any{"id": "w1", "from": "14155550100", "from_user_id": id, "type": "text", "text": map[string]any{"body": "hi"}}))
	require.Equal(t, "+14155550100", r.Address)
	require.Equal(t, &channels.Identity{UserID: id, Name: "Ada"}, r.Identity)
	r = one(metatest.Inbound("", map[string]any{"id": "w2", "from_user_id": id, "type": "text", "text": map[string]any{"body": "hi"}}))
	require.Equal(t, id, r.Address, "who has a name of choice hides the number")
	r = one(metatest.Inbound("14155550100", map[string]any{"id": "w3", "from": "14155550100", "type": "system", "system": map[string]any{"type": "user_changed_number", "wa_id": "14155550199", "body": "Ada changed"}}))
	require.Equal(t, channels.ReportIdentity, r.Kind)
	require.Equal(t, "+14155550199", r.Address)
	require.Equal(t, &channels.Identity{Previous: "+14155550100"}, r.Identity)
	r = one(metatest.Inbound("", map[string]any{"id": "w4", "from_user_id": id, "type": "system", "system": map[string]any{"user_id": "US.2"}}))
	require.Equal(t, &channels.Identity{UserID: "US.2", Previous: id}, r.Identity)
	r = one(metatest.Inbound("", map[string]any{"id": "w6", "from_user_id": "US.2", "type": "system", "system": map[string]any{"type": "user_changed_user_id", "user_id": "US.2", "previous_user_id": id}}))
	require.Equal(t, &channels.Identity{UserID: "US.2", Previous: id}, r.Identity)
	r = one(metatest.Inbound("1", map[string]any{"id": "w5", "from": "1", "type": "system", "system": map[string]any{"body": "a notice"}}))
	require.Equal(t, channels.ReportUnread, r.Kind)
	require.Nil(t, r.Identity)
}
