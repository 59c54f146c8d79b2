package mailin_test

import (
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"carillon/channels"
	"carillon/channels/mailin"
)

func letter(t *testing.T, headers []string, text string) *mailin.Letter {
	t.Helper()
	l, err := mailin.Read([]byte(strings.Join(append([]string{"From: Ann Lee <Ann@Example.com>", "Message-ID: <1@example.com>"}, headers...), "\r\n") + "\r\n\r\n" + text))
	require.NoError(t, err)
	return l
}

func reported(t *testing.T, l *mailin.Letter) []channels.Report {
	t.Helper()
	list, err := box.Reports(l)
	require.NoError(t, err)
	return list
}

func address(session string) string {
	return "reply+" + tokens.Token(session) + "@parse.collect.example"
}

func TestALetterIsForEachSessionItProves(t *testing.T) {
	t.Parallel()
	l := letter(t, []string{"To: " + address("ss_3"), "In-Reply-To: <ct_9-1@collect.example>"}, "Yes")
	one := reported(t, l)
	require.Len(t, one, 1)
	require.Equal(t, "ss_3", one[0].Inbound.Session, "a mailbox knows only what the headers say")
	require.Equal(t, "ct_9-1", one[0].CorrelationKey, "the thread is told too: the session wins over it")
	require.Equal(t, "<1@example.com> ss_3", one[0].Key)

	l.Delivered("ann@example.com", []string{address("ss_1"), strings.ToUpper(address("ss_2")), address("ss_1"), "other@parse.collect.example"})
	list := reported(t, l)
	require.Len(t, list, 2)
	require.Equal(t, []string{"ss_1", "ss_2"}, []string{list[0].Inbound.Session, list[1].Inbound.Session}, "what the server was told wins over the headers")
	require.NotEqual(t, list[0].Key, list[1].Key)

	l.Delivered("ann@example.com", []string{"b@parse.collect.example", "a@parse.collect.example"})
	list = reported(t, l)
	require.Len(t, list, 1)
	require.Equal(t, "<1@example.com> a@parse.collect.example,b@parse.collect.example", list[0].Key)
	require.Empty(t, list[0].Inbound.Session)

	l.Delivered("<>", []string{address("ss_1")})
	require.True(t, reported(t, l)[0].Inbound.Auto, "a server that was told no sender tells of a machine")
}

func TestOnlyOurOwnMessageIDsAreKeys(t *testing.T) {
	t.Parallel()
	for references, key := range map[string]string{
		"<x@example.com> <ct_1-1@collect.example> <y@example.com>":                    "ct_1-1",
		"<ct_1-1@collect.example> <ans_2@Collect.Example>":                            "ans_2",
		"<ct_1-1@collect.example.evil.example>":                                       "",
		"<@collect.example>":                                                          "",
		"ct_1-1@collect.example":                                                      "",
		"<" + strings.Repeat("a", 300) + "@collect.example> <ct_1-2@collect.example>": "ct_1-2",
	} {
		require.Equal(t, key, reported(t, letter(t, []string{"References: " + references}, "Yes"))[0].CorrelationKey, references)
	}
	threads := reported(t, letter(t, []string{"In-Reply-To: <a@x>", "References: <c@x> <b@x> <a@x>"}, "Yes"))[0].Inbound.Threads
	require.Equal(t, []string{"<a@x>", "<b@x>", "<c@x>"}, threads, "the nearest first")
}

func TestALongLetterSaysThatItGoesOn(t *testing.T) {
	t.Parallel()
	said := reported(t, letter(t, []string{"Content-Type: text/plain; charset=utf-8"}, strings.Repeat("ü ", 100_000)))[0].Inbound.Content
	words, goes := strings.CutSuffix(said, "\n[the letter goes on]")
	require.True(t, goes)
	require.LessOrEqual(t, len(words), mailin.LongestContent)
	require.Greater(t, len(words), mailin.LongestContent-4)
	require.True(t, utf8.ValidString(words), "it is cut between letters")
}

func TestALetterIsAsOldAsItSaysIfThatCanBe(t *testing.T) {
	t.Parallel()
	for date, at := range map[string]time.Time{
		"Thu, 26 Nov 2026 12:00:00 +0200": time.Date(2026, 11, 26, 10, 0, 0, 0, time.UTC),
		"Thu, 26 Nov 2099 12:00:00 +0200": now,
		"Thu, 26 Nov 1869 12:00:00 +0200": now,
		"yesterday":                       now,
	} {
		require.Equal(t, at, reported(t, letter(t, []string{"Date: " + date}, "Yes"))[0].At, date)
	}
}

func TestFilesAreReferences(t *testing.T) {
	t.Parallel()
	parts := func(part string) []channels.File {
		l := letter(t, []string{"Content-Type: multipart/mixed; boundary=m"}, "--m\r\n\r\nYes\r\n--m\r\n"+part+"\r\n--m--\r\n")
		r := reported(t, l)[0]
		require.Equal(t, "Yes", r.Inbound.Content, "their names are not what somebody says")
		return r.Inbound.Files
	}
	for part, want := range map[string]channels.File{
		"Content-Type: image/png; name=\"../../etc/a b.png\"\r\n\r\n1234":                                              {Name: "a b.png", Type: "image/png", Size: 4},
		"Content-Type: application/pdf\r\nContent-Transfer-Encoding: base64\r\n\r\nJVBE\r\nRi0x":                       {Name: "application/pdf", Type: "application/pdf", Size: 6},
		"Content-Type: text/plain\r\nContent-Disposition: attachment; filename*=utf-8''Gr%C3%BC%C3%9Fe.txt\r\n\r\nhey": {Name: "Grüße.txt", Type: "text/plain", Size: 3},
		"Content-Type: message/rfc822\r\n\r\nSubject: x\r\n\r\nSTOP":                                                   {Name: "message/rfc822", Type: "message/rfc822", Size: 18},
		"Content-Type: text/calendar\r\n\r\nBEGIN:VCALENDAR":                                                           {Name: "text/calendar", Type: "text/calendar", Size: 15},
	} {
		require.Equal(t, []channels.File{want}, parts(part))
	}
}
