package mailin

import (
	"bytes"
	"net/mail"
	"slices"
	"strings"
	"time"

	"carillon/channels"
)

// Letter is an e-mail that came in, read.
type Letter struct {
	Header Header
	Text   string // what it says, with what it quotes
	Files  []channels.File
	Raw    []byte // as it came

	// Envelope is where it was delivered to, as the server that took it tells;
	// To is that, or else every address its headers name. NullSender says that
	// the server was told no sender: a machine wrote, and wants no answer.
	Envelope   []string
	To         []string
	NullSender bool
	// EnvelopeFrom is the sender the server was told.
	EnvelopeFrom string

	Status   []byte // of a delivery report: its message/delivery-status
	Returned Header // of a delivery report: the header of the message it is about
}

// Delivered notes what the server that took the letter was told. It wins over
// the letter's own headers, which its writer chooses.
func (l *Letter) Delivered(from string, to []string) {
	l.EnvelopeFrom, l.NullSender = strings.Trim(from, "<> "), strings.Trim(from, "<> ") == ""
	l.Envelope = nil
	for _, a := range to {
		if a = strings.ToLower(strings.Trim(a, "<> ")); a != "" && len(l.Envelope) < manyAddresses {
			l.Envelope = append(l.Envelope, a)
		}
	}
	slices.Sort(l.Envelope)
	l.Envelope = slices.Compact(l.Envelope)
	l.To = l.Envelope
}

const manyAddresses = 50

// Addressed fills To with who the headers say the letter is for: where servers
// note that they delivered it, then where its writer sent it.
func (l *Letter) Addressed() {
	l.To = nil
	for _, name := range []string{"Delivered-To", "X-Original-To", "Envelope-To", "To", "Cc"} {
		for _, line := range l.Header[name] {
			for _, a := range addresses(line) {
				if a = strings.ToLower(a); !slices.Contains(l.To, a) && len(l.To) < manyAddresses {
					l.To = append(l.To, a)
				}
			}
		}
	}
}

// Attach notes a file.
func (l *Letter) Attach(f channels.File) {
	if len(l.Files) < mostFiles {
		l.Files = append(l.Files, f)
	}
}

// Reported reads a part of a delivery report that is for machines; false if it
// is another part, or the letter no report: who passes a report on attaches its
// parts to a letter of their own.
func (l *Letter) Reported(kind string, content []byte) bool {
	if letter, _ := typeOf(l.Header.first("Content-Type")); letter != "multipart/report" {
		return false
	}
	kind, _ = typeOf(kind)
	switch kind {
	case "message/delivery-status", "message/global-delivery-status":
		if l.Status == nil {
			l.Status = content[:min(len(content), longestRaw)]
		}
	case "message/rfc822", "text/rfc822-headers", "message/global", "message/global-headers":
		if l.Returned == nil {
			head, _ := cutHeader(bytes.TrimLeft(content[:min(len(content), longestHeader)], "\r\n"))
			l.Returned = ReadHeader(head)
		}
	default:
		return false
	}
	return true
}

// sender is the address the letter is from, in lower case, or "".
func (l *Letter) sender() string {
	for _, line := range l.Header["From"] {
		if found := addresses(line); len(found) > 0 {
			return strings.ToLower(found[0])
		}
	}
	if a := strings.ToLower(l.EnvelopeFrom); len(a) <= longestAddress && strings.Count(a, "@") == 1 && !strings.ContainsAny(a, " \r\n\x00<>") {
		return a
	}
	return ""
}

// name is what the sender calls themselves, or "".
func (l *Letter) name() string {
	line := l.Header.first("From")
	if len(line) > longestLine {
		return ""
	}
	if a, err := (&mail.AddressParser{WordDecoder: words}).Parse(line); err == nil {
		return clip(tidy(a.Name), 200)
	}
	before, _, found := strings.Cut(line, "<")
	if !found {
		return ""
	}
	return clip(tidy(strings.Trim(decodeWords(before), `" `)), 200)
}

// threads is the Message-IDs a letter answers, the nearest first.
func (l *Letter) threads() []string {
	ids := l.Header.ids("In-Reply-To")
	refs := l.Header.ids("References")
	slices.Reverse(refs)
	out := []string{}
	for _, id := range append(ids, refs...) {
		if !slices.Contains(out, id) && len(out) < 40 {
			out = append(out, id)
		}
	}
	return out
}

// at is when the letter was written, or now if it says nothing that can be.
func (l *Letter) at(now time.Time) time.Time {
	if t, err := mail.ParseDate(strings.TrimSpace(l.Header.first("Date"))); err == nil && t.After(time.Unix(0, 0)) && t.Before(now.Add(time.Hour)) {
		return t.UTC()
	}
	return now.UTC()
}

// longestSaid bounds in bytes what is looked through for what the contact says: the
// quotation of a long conversation above an answer has room in it.
const longestSaid = 128 << 10

// content is what the contact says: without what is quoted; the subject of a
// letter that says nothing else, such as "Stop"; the names of its files.
func (l *Letter) content() string {
	text := Said(clip(l.Text, longestSaid))
	if text == "" {
		if s := tidy(l.Header.words("Subject")); s != "" && !answers(s) {
			text = s
		}
	}
	if text == "" {
		var names []string
		for _, f := range l.Files {
			names = append(names, "["+f.Name+"]")
		}
		text = strings.Join(names, "\n")
	}
	if len(text) > LongestContent {
		text = clip(text, LongestContent) + "\n[the letter goes on]"
	}
	return text
}

// answers reports whether a subject is only that of what it answers.
func answers(subject string) bool {
	prefix, _, ok := strings.Cut(strings.ToLower(subject), ":")
	return ok && slices.Contains([]string{"re", "aw", "antw", "sv", "vs", "rv", "res", "odp", "ynt", "fwd", "fw", "wg", "tr", "отв", "на"}, strings.TrimSpace(prefix))
}
