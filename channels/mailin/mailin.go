// Package mailin reads the e-mail that people and machines send us, whoever
// brings it: a message as it travels (RFC 5322) becomes a report with what was
// said, by whom and in which conversation. It imports packages channels and
// campaign, and enmime for headers, transfer encodings and charsets; it does no I/O.
//
// Everybody may write to a mailbox, so whatever comes is read in bounded time and
// memory and without a panic; what nobody can read is [channels.ErrMalformed].
package mailin

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"time"

	"carillon/campaign"
	"carillon/channels"
)

// LongestContent bounds what is kept of what somebody writes, in bytes. The rest
// of a longer letter is left out, and it says so.
const LongestContent = 50_000

// longestRaw bounds the part of a letter that is kept as it came.
const longestRaw = 64 << 10

// Mailbox is where letters arrive.
type Mailbox struct {
	From    string // the address we send from: a letter from it is our own
	Replies channels.ReplyTokens
	Now     func() time.Time
}

// Reports is what a letter says: a message of a contact for each session it
// proves, one if it proves none, or what became of a message of ours. An error
// is [channels.ErrMalformed].
func (m Mailbox) Reports(l *Letter) (reports []channels.Report, err error) {
	defer guard(&err)
	base := channels.Report{Kind: channels.ReportMessage, At: l.at(m.Now()), Channel: campaign.Email, Raw: l.Raw[:min(len(l.Raw), longestRaw)]}
	if l.Status != nil {
		return m.returned(l, base)
	}
	base.Address, base.CorrelationKey = l.sender(), m.ours(l.threads())
	why := l.auto(m.From)
	base.Reason = why
	in := channels.Inbound{
		Threads: l.threads(), Name: l.name(), Subject: l.Header.words("Subject"), Content: l.content(), Auto: why != "", Files: l.Files,
		MessageID: l.Header.id("Message-Id"),
	}
	if in.Content == "" && in.Auto {
		in.Content = orElse(in.Subject, "[empty]")
	}
	sessions := m.proven(l.To)
	if base.Address == "" && len(sessions) == 0 && len(in.Threads) == 0 {
		return nil, fmt.Errorf("%w: the letter says neither who wrote it nor what it answers", channels.ErrMalformed)
	}
	if in.Content == "" {
		return nil, fmt.Errorf("%w: the letter is empty", channels.ErrMalformed)
	}
	if len(sessions) == 0 {
		sessions = []string{""}
	}
	for _, session := range sessions {
		r, said := base, in
		said.Session = session
		r.Inbound = &said
		r.Key = l.key(session)
		reports = append(reports, r)
	}
	return reports, nil
}

// guard turns a panic of a library that met what its authors did not think of
// into a letter that nobody can read.
func guard(err *error) {
	if p := recover(); p != nil {
		*err = fmt.Errorf("%w: reading it panics: %v", channels.ErrMalformed, p)
	}
}

// proven is the sessions that the addresses a letter was sent to prove.
func (m Mailbox) proven(to []string) []string {
	var sessions []string
	for _, address := range to {
		if s := m.Replies.Session(address); s != "" && !slices.Contains(sessions, s) {
			sessions = append(sessions, s)
		}
	}
	return sessions
}

// ours is the correlation key of the first of Message-IDs that we made: it is
// what stands before the @ (see [channels.NewEmail]).
func (m Mailbox) ours(ids []string) string {
	domain := "@" + strings.ToLower(m.From[strings.LastIndex(m.From, "@")+1:]) + ">"
	for _, id := range ids {
		if n := len(id) - len(domain); n > 1 && strings.ToLower(id[n:]) == domain {
			return id[1:n]
		}
	}
	return ""
}

// key is what a letter is taken once for: its Message-ID and where it was sent
// to, or what is unique of it.
func (l *Letter) key(session string) string {
	to := session
	if to == "" {
		to = strings.Join(l.Envelope, ",")
	}
	id := l.Header.id("Message-Id")
	if id == "" {
		sum := sha256.Sum256(l.Raw)
		return "sha256:" + hex.EncodeToString(sum[:]) + " " + to
	}
	return id + " " + to
}

// Unread is the report of a letter that nobody can read.
func Unread(raw []byte) channels.Report {
	sum := sha256.Sum256(raw)
	return channels.Report{
		Key: "sha256:" + hex.EncodeToString(sum[:]), Kind: channels.ReportUnread, Channel: campaign.Email, Raw: raw[:min(len(raw), longestRaw)],
	}
}
