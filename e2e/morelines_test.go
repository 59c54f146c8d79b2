package e2e_test

import (
	"crypto/rand"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"carillon/channels/fault"
	"carillon/channels/sendgrid/sendgridtest"
	"carillon/channels/smtp/imaptest"
	"carillon/channels/smtp/smtptest"
	"carillon/channels/telegram/telegramtest"
)

const botToken = "110201543:AAHdqTcvCH1vGWJxfSeofSAs0K5PALDsaw"

func sendgridLine(t *testing.T) (*line, *sendgridtest.Server) {
	t.Helper()
	fake := sendgridtest.New(t, mailKey)
	return &line{
		channel: "email", column: "email", address: mailbox("grid"), hooks: fake.Hooks, always: fake.Always, held: fake.Held,
		integration: doc{
			"provider": "sendgrid", "secrets": doc{"api_key": mailKey},
			"settings": doc{
				"from_email": "anna@collect.example", "base_url": fake.URL, "reply_domain": "parse.collect.example",
				"event_public_key": fake.Signer.PublicKey, "inbound_public_key": fake.Signer.PublicKey,
			},
		},
		delivery: doc{"channel": "email", "subject": "Your invoice", "template": "Hello {{ name }}", "start_state": "ask"},
		subscribe: func(address string) error {
			fake.Subscribe(address + "/events")
			fake.Receive(address + "/inbound")
			return nil
		},
		say: func(from, words string) {
			for _, m := range fake.Accepted() {
				if h := m.Personalizations[0].Headers; m.Personalizations[0].To[0].Email == from {
					raw := letterOf(from, m.ReplyTo.Email, "Re: "+m.Subject, "<"+rand.Text()+"@people.example>", h["Message-ID"], h["Message-ID"], words)
					fake.Deliver(raw, from, m.ReplyTo.Email)
					return
				}
			}
		},
		reports: func(id, status string) {
			for _, m := range fake.Accepted() {
				if m.ID == id {
					fake.Report(m, status)
				}
			}
		},
		times: fake.Times, refused: fake.Refused,
		opening: func(name string) string { return "Hello " + name },
		sent: func() (all []text) {
			for _, m := range fake.Accepted() {
				p := m.Personalizations[0]
				all = append(all, text{m.ID, p.To[0].Email, p.CustomArgs["correlation_key"], m.Text("text/plain")})
			}
			return all
		},
	}, fake
}

func smtpLine(t *testing.T) (*line, *smtptest.Server) {
	t.Helper()
	fake, box := smtptest.New(t, smtptest.Options{}), imaptest.New(t, "anna", "the mailbox's password")
	roots := filepath.Join(t.TempDir(), "roots.pem")
	require.NoError(t, os.WriteFile(roots, box.Roots, 0o600))
	return &line{
		env: []string{"SSL_CERT_FILE=" + roots},
		say: func(from, words string) {
			for _, m := range fake.Accepted() {
				if m.To[0] == from {
					box.Put(letterOf(from, "anna@collect.example", "Re: Your invoice", "<"+rand.Text()+"@people.example>", m.ID(), m.ID(), words))
					return
				}
			}
		},
		channel: "email", column: "email", address: mailbox("post"), held: fake.Held,
		always: func(f *fault.Fault) {
			if f == nil {
				fake.Always(nil)
				return
			}
			fake.Always(&smtptest.Fault{At: "data", Drop: f.Drop, Hold: f.Hold})
		},
		integration: doc{"provider": "smtp", "secrets": doc{"imap_password": "the mailbox's password"}, "settings": doc{
			"host": fake.Host, "port": fake.Port, "security": "none", "from_email": "anna@collect.example",
			"imap_host": box.Host, "imap_port": box.Port, "imap_security": "tls", "imap_username": "anna",
		}},
		delivery: doc{"channel": "email", "subject": "Your invoice", "template": "Hello {{ name }}", "start_state": "ask"},
		times:    fake.Times, refused: fake.Refused,
		opening: func(name string) string { return "Hello " + name },
		sent: func() (all []text) {
			for _, m := range fake.Accepted() {
				_, words, _ := strings.Cut(string(m.Raw), "\r\n\r\n")
				all = append(all, text{m.ID(), m.To[0], m.ID(), strings.TrimSpace(words)})
			}
			return all
		},
	}, fake
}

func telegramLine(t *testing.T) (*line, *telegramtest.Server) {
	t.Helper()
	var chats []int64
	for i := range 400 {
		chats = append(chats, int64(9000+i))
	}
	fake := telegramtest.New(t, botToken, chats...)
	key := func(m *telegramtest.Message) string { return fmt.Sprint(m.Chat, " ", m.Text) }
	return &line{
		channel: "telegram", column: "telegram_chat_id", address: func(i int) string { return strconv.Itoa(9000 + i) }, hooks: fake.Hooks, always: fake.Always, held: fake.Held,
		integration: doc{"provider": "telegram", "secrets": doc{"bot_token": botToken}, "settings": doc{"base_url": fake.URL}},
		delivery:    doc{"channel": "telegram", "template": "Hello {{ name }}", "start_state": "ask"},
		times: func() map[string]int { // Telegram is given no key of ours: by chat and text
			times := map[string]int{}
			for _, m := range fake.Accepted() {
				times[key(&m)]++
			}
			return times
		},
		refused: fake.Refused,
		opening: func(name string) string { return "Hello " + name },
		sent: func() (all []text) {
			for _, m := range fake.Accepted() {
				all = append(all, text{key(&m), fmt.Sprint(m.Chat), key(&m), m.Text})
			}
			return all
		},
	}, fake
}

// mailbox makes e-mail addresses of a line's own.
func mailbox(domain string) func(int) string {
	return func(i int) string { return fmt.Sprintf("n%d@%s.example", i, domain) }
}

func TestEveryLineCarriesAConversation(t *testing.T) {
	t.Parallel()
	grid, _ := sendgridLine(t)
	post, _ := smtpLine(t)
	chat, _ := botLine(t, "poll")
	c := dev(t, append(post.env, "CARILLON_MODE=live", private)...)
	for _, l := range []*line{grid, post, chat} {
		t.Run(l.name(), func(t *testing.T) {
			s := c.in(t).spoken(l, "Ann")
			s.opens("Ann")
			s.say(s.person["Ann"], "yes")
			s.gets("Ann", 2, "On which day, Ann?")
			s.say(s.person["Ann"], "on 24.12.2026")
			s.gets("Ann", 3, "Noted for 2026-12-24: 120 EUR.")
			require.Equal(t, []any{"Talk PROMISE_TO_PAY promised"}, seen(s.awaitStatus("Ann", "completed", patience)))
			require.Empty(t, s.refused())
		})
	}
}
