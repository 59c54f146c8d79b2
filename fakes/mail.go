package fakes

import (
	"context"
	"crypto/rand"
	"fmt"
	"net"
	"strconv"
	"strings"

	"carillon/campaign"
	"carillon/channels/fault"
	"carillon/channels/sendgrid/sendgridtest"
	"carillon/channels/smtp/imaptest"
	"carillon/channels/smtp/smtptest"
)

const (
	sender      = "office@carillon.example"
	replyDomain = "replies.carillon.example"
)

func address(port int) string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(port)) }

var mailStage = map[string]any{"subject": "Your invoice", "template": "Hello {{ name }}, invoice 4711 is still open. Can you pay it?"}

// sendGrid answers letters through Inbound Parse.
func sendGrid(o fault.Owner) *Fake {
	fake := sendgridtest.New(o, "SG.made-up-key")
	fake.Tell("processed", "delivered")
	return &Fake{
		Provider: "sendgrid", Channel: campaign.Email, Hooks: []string{"/events", "/inbound"}, Stage: mailStage,
		Settings: map[string]string{"from_email": sender, "from_name": "The office", "reply_domain": replyDomain, "event_public_key": fake.Signer.PublicKey, "inbound_public_key": fake.Signer.PublicKey},
		Secrets:  map[string]string{"api_key": "SG.made-up-key"},
		serve:    []func(net.Listener){fake.Serve},
		named:    func(f *Fake) { f.Settings["base_url"] = fake.URL },
		Hook: func(_ context.Context, address string) error {
			fake.Subscribe(address + "/events")
			fake.Receive(address + "/inbound")
			return nil
		},
		Sent: func() (all []Message) {
			for _, m := range fake.Accepted() {
				all = append(all, Message{m.Personalizations[0].To[0].Email, m.Text("text/plain")})
			}
			return all
		},
		Say: func(from, words string) error {
			for _, m := range backwards(fake.Accepted()) {
				if p := m.Personalizations[0]; strings.EqualFold(p.To[0].Email, from) {
					to := m.From.Email
					if m.ReplyTo != nil {
						to = m.ReplyTo.Email
					}
					fake.Deliver(letter(from, to, m.Subject, p.Headers["Message-ID"], words), from, to)
					return nil
				}
			}
			return unwritten(from)
		},
	}
}

// post is a mail server that sends, and a mailbox that is read.
func post(o fault.Owner, certificate []byte) *Fake {
	const password = "made-up-password"
	fake, box := smtptest.New(o, smtptest.Options{}), imaptest.NewCertified(o, sender, password, certificate)
	return &Fake{
		Provider: "smtp", Channel: campaign.Email, Stage: mailStage, Roots: box.Roots,
		Settings: map[string]string{"security": "none", "from_email": sender, "imap_security": "tls", "imap_username": sender},
		Secrets:  map[string]string{"imap_password": password},
		serve:    []func(net.Listener){fake.Serve, box.Serve},
		named: func(f *Fake) {
			f.Settings["host"], f.Settings["port"], f.Settings["imap_host"], f.Settings["imap_port"] = fake.Host, fake.Port, box.Host, box.Port
		},
		Sent: func() (all []Message) {
			for _, m := range fake.Accepted() {
				_, text, _ := strings.Cut(string(m.Raw), "\r\n\r\n")
				all = append(all, Message{m.To[0], text})
			}
			return all
		},
		Say: func(from, words string) error {
			for _, m := range backwards(fake.Accepted()) {
				if !strings.EqualFold(m.To[0], from) {
					continue
				}
				parsed, err := m.Parsed()
				if err != nil {
					return fmt.Errorf("read the letter that %s answers: %w", from, err)
				}
				to := parsed.Header.Get("Reply-To")
				if to == "" {
					to = parsed.Header.Get("From")
				}
				box.Put(letter(from, to, parsed.Header.Get("Subject"), parsed.Header.Get("Message-ID"), words))
				return nil
			}
			return unwritten(from)
		},
	}
}

// unwritten is why a person has no letter to answer.
func unwritten(to string) error {
	return fmt.Errorf("no letter has reached %s here, so there is none to answer", to)
}

// letter is what a person's mail program writes as an answer.
func letter(from, to, subject, messageID, words string) []byte {
	if !strings.HasPrefix(subject, "Re:") {
		subject = "Re: " + subject
	}
	return fmt.Appendf(nil, "From: %s\r\nTo: %s\r\nSubject: %s\r\nMessage-ID: <%s@people.example>\r\nIn-Reply-To: %[6]s\r\nReferences: %[6]s\r\n"+
		"MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n%[5]s\r\n", from, to, subject, rand.Text(), words, messageID)
}

func backwards[M any](all []M) []*M {
	out := make([]*M, 0, len(all))
	for i := range all {
		out = append(out, &all[len(all)-1-i])
	}
	return out
}
