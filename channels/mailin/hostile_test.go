package mailin_test

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"net/textproto"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"carillon/campaign"
	"carillon/channels"
	"carillon/channels/mailin"
)

var (
	// enough is how long a letter may take, however it is made and however busy the
	// machine is: all of these take less than a second on a quiet one.
	enough = 15 * time.Second * slower

	now    = time.Date(2026, 11, 26, 15, 0, 0, 0, time.UTC)
	tokens = channels.ReplyTokens{Secret: []byte("of the workspace")}
	box    = mailin.Mailbox{From: "anna@collect.example", Replies: tokens, Now: func() time.Time { return now }}
)

func reports(raw []byte) ([]channels.Report, error) {
	l, err := mailin.Read(raw)
	if err != nil {
		return nil, err
	}
	return box.Reports(l)
}

// outcome is what a letter came to, as X-Expect writes it.
func outcome(t testing.TB, raw []byte) string {
	t.Helper()
	began := time.Now()
	list, err := reports(raw)
	require.Less(t, time.Since(began), enough)
	if err != nil {
		require.ErrorIs(t, err, channels.ErrMalformed)
		return "malformed"
	}
	require.Len(t, list, 1)
	r := list[0]
	require.NotEmpty(t, r.Key)
	require.Equal(t, campaign.Email, r.Channel)
	require.LessOrEqual(t, len(r.Raw), 64<<10)
	require.False(t, r.At.IsZero() || r.At.After(now.Add(time.Hour)))
	if r.Kind == channels.ReportStatus {
		require.Equal(t, "ct_1-1", r.CorrelationKey)
		require.Equal(t, "<ct_1-1@collect.example>", r.ProviderMessageID)
		require.Empty(t, r.Address, "anybody may write a report: it names no address")
		require.Equal(t, r.Status == campaign.ReportBounced, r.Suppress == "bounced")
		return "status: " + r.Status + " " + r.Reason
	}
	require.LessOrEqual(t, len(r.Inbound.Content), mailin.LongestContent+100)
	require.NotContains(t, r.Inbound.Content, "\x00")
	if r.Inbound.Auto {
		require.NotEmpty(t, r.Reason)
		return "auto"
	}
	return "message: " + r.Inbound.Content
}

// Each file of testdata says what it is for and what it comes to.
func TestTheHostileCorpus(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/*.eml")
	require.NoError(t, err)
	require.Greater(t, len(files), 60)
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".eml"), func(t *testing.T) {
			t.Parallel()
			raw, err := os.ReadFile(file)
			require.NoError(t, err)
			l, err := mailin.Read(raw)
			require.NoError(t, err)
			h := textproto.MIMEHeader(l.Header)
			require.NotEmpty(t, h.Get("X-Purpose"))
			require.Equal(t, h.Get("X-Expect"), strings.ReplaceAll(outcome(t, raw), "\n", `\n`))
		})
	}
}

const head = "From: ann@example.com\r\nMessage-ID: <big@example.com>\r\nMIME-Version: 1.0\r\n"

func nested(n int) []byte {
	var b bytes.Buffer
	b.WriteString(head)
	for i := range n {
		fmt.Fprintf(&b, "Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n", i, i)
	}
	b.WriteString("\r\nYes\r\n")
	for i := n - 1; i >= 0; i-- {
		fmt.Fprintf(&b, "--b%d--\r\n", i)
	}
	return b.Bytes()
}

// Texts of a megabyte of which each line may introduce a quotation.
var (
	introductions = "Yes\n" + strings.Repeat("On 1.1.2026 a@b wrote:\n>\n", 1<<20/25)
	colons        = strings.Repeat("a:\n", 1<<20/3)
)

func TestTextsThatWouldNotEnd(t *testing.T) {
	for name, tc := range map[string]struct{ text, want string }{
		"introductions": {introductions, "Yes"},
		"colons":        {colons, strings.TrimSpace(colons)},
	} {
		t.Run(name, func(t *testing.T) {
			began := time.Now()
			said := mailin.Said(tc.text)
			require.Less(t, time.Since(began), enough/6)
			require.Len(t, said, len(tc.want))
		})
	}
}

// What is too large to keep in a file. One after the other: each is measured.
func TestLettersThatWouldNotEnd(t *testing.T) {
	const big = 10 << 20
	file := base64.StdEncoding.EncodeToString(bytes.Repeat([]byte("a picture "), big/14))
	mixed := head + "Content-Type: multipart/mixed; boundary=m\r\n\r\n--m\r\n\r\nYes\r\n--m\r\nContent-Type: image/png; name=a.png\r\nContent-Transfer-Encoding: base64\r\n\r\n"
	for name, tc := range map[string]struct {
		raw  []byte
		want string
	}{
		"no bytes":                             {nil, "malformed"},
		"one byte":                             {[]byte{0}, "malformed"},
		"no headers":                           {[]byte("hello there\r\n\r\nyes\r\n"), "malformed"},
		"ten megabytes of rubbish":             {bytes.Repeat([]byte{0xff, 0, '\n', 0x1b}, big/4), "malformed"},
		"ten megabytes on one line":            {bytes.Repeat([]byte("a"), big), "malformed"},
		"ten megabytes of colons":              {bytes.Repeat([]byte(":"), big), "malformed"},
		"ten megabytes of line feeds":          {bytes.Repeat([]byte("\n"), big), "malformed"},
		"ten megabytes of text":                {[]byte(head + "\r\n" + strings.Repeat("Yes, I pay on Friday.\r\n", big/23)), "message: Yes"},
		"a file of ten megabytes":              {[]byte(mixed + file + "\r\n--m--\r\n"), "message: Yes"},
		"a file that is cut off":               {[]byte(mixed + file), "message: Yes"},
		"ten megabytes of base64 that is none": {[]byte(head + "Content-Transfer-Encoding: base64\r\n\r\n" + strings.Repeat("!~ÿ", big/4)), "malformed"},
		"ten megabytes of equals signs":        {[]byte(head + "Content-Transfer-Encoding: quoted-printable\r\n\r\n" + strings.Repeat("=", big)), "message: "},
		"ten megabytes of HTML":                {[]byte(head + "Content-Type: text/html\r\n\r\n" + strings.Repeat("<div>", big/5)), "malformed"},
		"ten megabytes of one tag":             {[]byte(head + "Content-Type: text/html\r\n\r\n<a " + strings.Repeat("x=y ", big/4)), "malformed"},
		"ten megabytes of entities":            {[]byte(head + "Content-Type: text/html\r\n\r\n" + strings.Repeat("&amp;", big/5)), "message: &"},
		"nested a thousand times":              {nested(1000), "malformed"},
		"nested ten times":                     {nested(10), "message: Yes"},
		"nested a hundred thousand times":      {nested(100_000), "malformed"},
		"a million boundaries":                 {[]byte(head + "Content-Type: multipart/mixed; boundary=b\r\n\r\n" + strings.Repeat("--b\r\n", 1_000_000)), "malformed"},
		"a million parts of text":              {[]byte(head + "Content-Type: multipart/mixed; boundary=b\r\n\r\n" + strings.Repeat("--b\r\n\r\nYes\r\n", 1_000_000)), "message: Yes"},
		"a boundary on every line":             {[]byte(head + "Content-Type: multipart/mixed; boundary=-\r\n\r\n" + strings.Repeat("-", big)), "message: "},
		"a header field of ten megabytes":      {[]byte(head + "Subject: " + strings.Repeat("=?utf-8?Q?a?= ", big/14) + "\r\n\r\nYes"), "message: Yes"},
		"a million header fields":              {[]byte(strings.Repeat("X-A: b\r\n", 1_000_000) + head + "\r\nYes"), "malformed"},
		"a million addresses":                  {[]byte(head + "To: " + strings.Repeat("a@example.com, ", 1_000_000) + "\r\n\r\nYes"), "message: Yes"},
		"a million lines of quotation":         {[]byte(head + "\r\nYes\r\n" + strings.Repeat("> a\r\n", 1_000_000)), "message: Yes"},
		"a million introductions":              {[]byte(head + "\r\nYes\r\n" + strings.Repeat("On 1.1.2026 Anna\r\n", 500_000)), "message: Yes"},
		"introductions of quotations":          {[]byte(head + "\r\n" + introductions), "message: Yes"},
		"lines that may introduce one":         {[]byte(head + "\r\n" + colons), "message: a:"},
		"an answer below too long a quotation": {[]byte(head + "\r\n" + strings.Repeat("> a\r\n", 50_000) + "No"), "message: > a"},
		"a media type of ten megabytes":        {[]byte(head + "Content-Type: multipart/mixed; " + strings.Repeat("a=b;", big/4) + "\r\n\r\nYes"), "message: Yes"},
	} {
		t.Run(name, func(t *testing.T) {
			require.True(t, strings.HasPrefix(outcome(t, tc.raw), tc.want), "%.200s", outcome(t, tc.raw))
		})
	}
}

// FuzzLetter: whatever comes is read without a panic, in time, and is kept under something.
func FuzzLetter(f *testing.F) {
	files, err := filepath.Glob("testdata/*.eml")
	require.NoError(f, err)
	for _, file := range files {
		raw, err := os.ReadFile(file)
		require.NoError(f, err)
		f.Add(raw)
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		began := time.Now()
		list, err := reports(raw)
		require.Less(t, time.Since(began), enough)
		if err != nil {
			require.ErrorIs(t, err, channels.ErrMalformed)
			require.NotContains(t, err.Error(), "panics", "guard is for what nobody thought of: %v", err)
			return
		}
		for _, r := range list {
			require.NotEmpty(t, r.Key)
			if r.Inbound != nil {
				require.NotEmpty(t, r.Inbound.Content)
				require.True(t, r.Address != "" || r.Inbound.Session != "" || len(r.Inbound.Threads) > 0)
			}
		}
	})
}
