package sendgrid_test

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"carillon/campaign"
	"carillon/channels"
	"carillon/channels/sendgrid"
	"carillon/channels/sendgrid/sendgridtest"
)

var (
	replies = channels.ReplyTokens{Secret: []byte("of the workspace")}
	letter  = "From: Ann Lee <Ann@Example.com>\r\nTo: Anna <anna@collect.example>\r\nSubject: =?utf-8?Q?Re:_Gr=C3=BC=C3=9Fe?=\r\n" +
		"Message-ID: <1@example.com>\r\nIn-Reply-To: <ct_1-1@collect.example>\r\nReferences: <ct_1-0@collect.example> <ct_1-1@collect.example>\r\n" +
		"Date: Thu, 26 Nov 2026 14:00:00 +0100\r\n\r\nYes.\r\n\r\nOn 26.11.2026 Anna <anna@collect.example> wrote:\r\n> Hello\r\n"
)

func inboundHook(t testing.TB, signer *sendgridtest.Signer) channels.Hook {
	t.Helper()
	h, err := sendgrid.Provider{}.OpenHook(campaign.Integration{Settings: map[string]string{"from_email": "anna@collect.example", "inbound_public_key": signer.PublicKey}},
		channels.Deps{Replies: replies, Now: func() time.Time { return time.Date(2026, 11, 26, 15, 0, 0, 0, time.UTC) }})
	require.NoError(t, err)
	return h
}

func posted(signer *sendgridtest.Signer, contentType string, body []byte) *channels.HookRequest {
	q := &channels.HookRequest{Method: http.MethodPost, Path: "/inbound", Header: http.Header{"Content-Type": {contentType}}, Body: body}
	signer.Sign(q.Header, body, time.Now())
	return q
}

func TestALetterComesWholeOrInPieces(t *testing.T) {
	t.Parallel()
	signer := sendgridtest.NewSigner()
	h := inboundHook(t, signer)
	require.EqualValues(t, 30<<20, h.Limit("/inbound"))
	require.EqualValues(t, 8<<20, h.Limit("/events"))
	headers, text, _ := strings.Cut(letter, "\r\n\r\n")
	to := "Reply+" + replies.Token("ss_ct_1-1") + "@parse.collect.example"
	pieces := map[string]string{"headers": headers, "text": text, "from": "another", "html": "<p>No</p>"}
	for name, form := range map[string]func() (string, []byte){
		"whole":     func() (string, []byte) { return sendgridtest.RawForm([]byte(letter), "ann@example.com", to) },
		"in pieces": func() (string, []byte) { return sendgridtest.ParsedForm(pieces, nil, "ann@example.com", to) },
	} {
		contentType, body := form()
		reports, answer, err := h.Receive(t.Context(), posted(signer, contentType, body))
		require.NoError(t, err, name)
		require.Zero(t, answer.Status)
		require.Len(t, reports, 1, name)
		r := reports[0]
		require.Equal(t, channels.ReportMessage, r.Kind)
		require.Equal(t, "<1@example.com> ss_ct_1-1", r.Key, name)
		require.Equal(t, "ann@example.com", r.Address)
		require.Equal(t, "ct_1-1", r.CorrelationKey, "the nearest message of ours it answers")
		require.Equal(t, time.Date(2026, 11, 26, 13, 0, 0, 0, time.UTC), r.At)
		require.Contains(t, string(r.Raw), "Message-ID: <1@example.com>", "what is kept is the letter, not the form")
		require.Equal(t, &channels.Inbound{
			Session: "ss_ct_1-1", Threads: []string{"<ct_1-1@collect.example>", "<ct_1-0@collect.example>"}, MessageID: "<1@example.com>",
			Name: "Ann Lee", Subject: "Re: Grüße", Content: "Yes.",
		}, r.Inbound, name)
	}
}

func TestWhatIsNotSignedForInboundIsForged(t *testing.T) {
	t.Parallel()
	signer := sendgridtest.NewSigner()
	contentType, body := sendgridtest.RawForm([]byte(letter), "ann@example.com", "reply@parse.collect.example")
	receive := func(h channels.Hook, q *channels.HookRequest) error {
		reports, _, err := h.Receive(t.Context(), q)
		require.Empty(t, reports)
		return err
	}
	require.ErrorIs(t, receive(inboundHook(t, sendgridtest.NewSigner()), posted(signer, contentType, body)), channels.ErrForged, "another key")
	require.ErrorIs(t, receive(hookOf(t, signer.PublicKey), posted(signer, contentType, body)), channels.ErrForged, "there is a key for events only")
	events := posted(signer, contentType, []byte("[]"))
	events.Path = "/events"
	require.ErrorIs(t, receive(inboundHook(t, signer), events), channels.ErrForged, "there is a key for letters only")
	changed := posted(signer, contentType, body)
	changed.Body = append(append([]byte{}, body...), ' ')
	require.ErrorIs(t, receive(inboundHook(t, signer), changed), channels.ErrForged)
}

func TestAForgedTokenIsOnlyAnAddress(t *testing.T) {
	t.Parallel()
	signer := sendgridtest.NewSigner()
	h := inboundHook(t, signer)
	token := replies.Token("ss_ct_1-1")
	for to, session := range map[string]string{
		"reply+" + token + "@parse.collect.example":                                   "ss_ct_1-1",
		"reply+" + strings.Replace(token, "1-1", "1-2", 1) + "@parse.collect.example": "",
		"reply+ss_ct_1-1@parse.collect.example":                                       "",
	} {
		contentType, body := sendgridtest.RawForm([]byte(strings.Replace(letter, "To: ", "To: reply+"+token+"@parse.collect.example, ", 1)), "ann@example.com", to)
		reports, _, err := h.Receive(t.Context(), posted(signer, contentType, body))
		require.NoError(t, err)
		require.Equal(t, session, reports[0].Inbound.Session, "what the server delivered counts, not what the letter says")
	}
}

func TestPiecesInOtherCharsetsAndFiles(t *testing.T) {
	t.Parallel()
	signer := sendgridtest.NewSigner()
	h := inboundHook(t, signer)
	contentType, body := sendgridtest.ParsedForm(map[string]string{
		"headers": "Message-ID: <2@example.com>\n", "from": "\xc0\xed\xed\xe0 <ann@example.com>", "subject": "\xce\xf2\xe2\xe5\xf2", "text": "\xc4\xe0, \xe2 \xef\xff\xf2\xed\xe8\xf6\xf3",
		"charsets": `{"from":"windows-1251","subject":"windows-1251","text":"windows-1251"}`,
	}, []sendgridtest.Upload{{Name: "paid.pdf", Type: "application/pdf", Content: []byte("%PDF-")}}, "ann@example.com", "reply@parse.collect.example")
	reports, _, err := h.Receive(t.Context(), posted(signer, contentType, body))
	require.NoError(t, err)
	require.Equal(t, &channels.Inbound{
		Threads: []string{}, MessageID: "<2@example.com>", Name: "Анна", Subject: "Ответ", Content: "Да, в пятницу", Files: []channels.File{{Name: "paid.pdf", Type: "application/pdf", Size: 5}},
	}, reports[0].Inbound)

	contentType, body = sendgridtest.ParsedForm(map[string]string{"headers": "From: ann@example.com\n", "html": "<p>Yes<br>on Friday</p>"}, nil, "ann@example.com", "x@parse.collect.example")
	reports, _, err = h.Receive(t.Context(), posted(signer, contentType, body))
	require.NoError(t, err)
	require.Equal(t, "Yes\non Friday", reports[0].Inbound.Content)
	require.Contains(t, reports[0].Key, "sha256:")
}

func TestADeliveryReportIsAboutTheMessageItReturns(t *testing.T) {
	t.Parallel()
	signer := sendgridtest.NewSigner()
	h := inboundHook(t, signer)
	contentType, body := sendgridtest.ParsedForm(map[string]string{
		"headers": "From: mailer-daemon@mx.example.com\nMessage-ID: <3@mx.example.com>\nContent-Type: multipart/report; report-type=delivery-status; boundary=x\n", "text": "Sorry.",
	}, []sendgridtest.Upload{
		{Name: "status", Type: "message/delivery-status", Content: []byte("Reporting-MTA: dns; mx\r\n\r\nFinal-Recipient: rfc822; ann@example.com\r\nAction: failed\r\nStatus: 5.1.1\r\n")},
		{Name: "letter", Type: "message/rfc822", Content: []byte("Message-ID: <ct_1-1@collect.example>\r\n\r\nHello")},
	}, "", "anna@parse.collect.example")
	reports, _, err := h.Receive(t.Context(), posted(signer, contentType, body))
	require.NoError(t, err)
	require.Len(t, reports, 1)
	require.Equal(t, []string{"status", "bounced", "bounced", "ct_1-1", ""}, []string{string(reports[0].Kind), reports[0].Status, reports[0].Suppress, reports[0].CorrelationKey, reports[0].Address})
}

func TestAPersonWhoPassesADeliveryReportOnIsHeard(t *testing.T) {
	t.Parallel()
	signer := sendgridtest.NewSigner()
	h := inboundHook(t, signer)
	contentType, body := sendgridtest.ParsedForm(map[string]string{
		"headers": "From: ann@example.com\nMessage-ID: <4@example.com>\nContent-Type: multipart/mixed; boundary=x\n", "text": "What is this?",
	}, []sendgridtest.Upload{
		{Name: "status", Type: "message/delivery-status", Content: []byte("Reporting-MTA: dns; mx\r\n\r\nFinal-Recipient: rfc822; ann@example.com\r\nAction: failed\r\nStatus: 5.1.1\r\n")},
	}, "ann@example.com", "anna@parse.collect.example")
	reports, _, err := h.Receive(t.Context(), posted(signer, contentType, body))
	require.NoError(t, err)
	require.Len(t, reports, 1)
	require.Equal(t, channels.ReportMessage, reports[0].Kind)
	require.Equal(t, "What is this?", reports[0].Inbound.Content)
	require.Equal(t, "status", reports[0].Inbound.Files[0].Name)
}

func TestAFormThatIsNoneIsKeptAsItCame(t *testing.T) {
	t.Parallel()
	signer := sendgridtest.NewSigner()
	h := inboundHook(t, signer)
	contentType, body := sendgridtest.RawForm([]byte(letter), "ann@example.com", "x@parse.collect.example")
	for name, q := range map[string]*channels.HookRequest{
		"no form":            posted(signer, "application/json", []byte("{}")),
		"no boundary":        posted(signer, "multipart/form-data", body),
		"another boundary":   posted(signer, "multipart/form-data; boundary=x", body),
		"cut off":            posted(signer, contentType, body[:len(body)/2]),
		"nothing in it":      posted(signer, contentType, nil),
		"folded type":        posted(signer, "multipart/form-data;\r\n boundary=x", body),
		"nobody wrote":       posted(signer, contentType, []byte(strings.NewReplacer("From:", "X:", `"from":"ann@example.com"`, `"from":""`, "In-Reply-To", "X-A", "References", "X-B").Replace(string(body)))),
		"a thousand fields":  posted(signer, "multipart/form-data; boundary=x", []byte(strings.Repeat("--x\r\nContent-Disposition: form-data; name=a\r\n\r\n\r\n", 1000)+"--x--")),
		"a part of no name":  posted(signer, "multipart/form-data; boundary=x", []byte("--x\r\n\r\nhello\r\n--x--\r\n")),
		"a header too large": posted(signer, "multipart/form-data; boundary=x", []byte("--x\r\nA: "+strings.Repeat("b", 20<<20)+"\r\n\r\n\r\n--x--")),
	} {
		reports, _, err := h.Receive(t.Context(), q)
		require.ErrorIs(t, err, channels.ErrMalformed, name)
		require.Empty(t, reports, name)
	}
}

// FuzzInbound: whatever is signed as a form of Inbound Parse is read without a panic.
func FuzzInbound(f *testing.F) {
	signer := sendgridtest.NewSigner()
	h := inboundHook(f, signer)
	letters, err := filepath.Glob("../mailin/testdata/*.eml")
	require.NoError(f, err)
	for _, file := range letters {
		raw, err := os.ReadFile(file)
		require.NoError(f, err)
		contentType, body := sendgridtest.RawForm(raw, "ann@example.com", "x@parse.collect.example")
		f.Add(contentType, body)
	}
	contentType, body := sendgridtest.ParsedForm(map[string]string{"headers": "From: a@b.example", "text": "x", "html": "y"}, []sendgridtest.Upload{{Name: "n", Type: "message/delivery-status"}}, "")
	f.Add(contentType, body)
	f.Fuzz(func(t *testing.T, contentType string, body []byte) {
		reports, _, err := h.Receive(t.Context(), posted(signer, contentType, body))
		if err != nil {
			require.ErrorIs(t, err, channels.ErrMalformed)
			require.NotContains(t, err.Error(), "panics")
			require.Empty(t, reports)
		}
		for _, r := range reports {
			require.NotEmpty(t, r.Key)
		}
	})
}
