package e2e_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"carillon/channels/fault"
	"carillon/channels/sendgrid/sendgridtest"
	"carillon/channels/smtp/dovecottest"
	"carillon/channels/smtp/smtptest"
)

// letters is a running campaign whose contacts an agent by rules writes to by
// e-mail; they are named by their object ids.
func (c *carillon) letters(provider doc, contacts ...string) *scene {
	c.t.Helper()
	s := c.campaign(doc{"name": "Letters"})
	s.integrationID = c.post("/v1/integrations", provider)["id"].(string)
	agent := rules("Rules of letters")
	agent["integrations"] = doc{"email": s.integrationID}
	s.agentID = c.post("/v1/agents", agent)["id"].(string)
	s.post("/v1/agents/"+s.agentID+"/start", nil)
	s.stage("Talk", doc{"channel": "email", "agent": s.agentID, "subject": "Your invoice", "template": "Hello {{ name }}, can you pay?", "start_state": "ask"})
	s.stage("Again", doc{"channel": "email_notification", "integration": provider["name"], "subject": "Again", "template": "Hello again"})
	s.stage("Done", doc{"channel": "none", "start_state": "done"}, doc{"outcome": "success"})
	s.strategy("data_load", `
async def run(contact, existing_contact, logger, **kwargs):
    contact.communications.append(Communication(name="Talk", stage_name="Talk"))
    contact.communications.append(Communication(name="Again", stage_name="Again", start_date=datetime.now() + timedelta(days=1)))
    return contact
`)
	s.strategy("aggregation", remember)
	file := columns + ",amount\n"
	for _, name := range contacts {
		file += fmt.Sprintf("%s,%s of %s,%s,%s@People.example,,120 EUR\n", name, name, s.id, name, name)
	}
	require.EqualValues(c.t, len(contacts), s.upload("text/csv", []byte(file))["created"])
	s.start()
	return s
}

// letterOf is a letter that answers another, as a person's mail program writes it.
func letterOf(from, to, subject, id, inReplyTo, references, text string, headers ...string) []byte {
	lines := append([]string{
		"From: " + from, "To: " + to, "Subject: " + subject, "Message-ID: " + id, "In-Reply-To: " + inReplyTo, "References: " + references,
		"Content-Type: text/plain; charset=utf-8",
	}, headers...)
	return []byte(strings.Join(lines, "\r\n") + "\r\n\r\n" + text + "\r\n\r\nOn 26.11.2026 at 10:00, Anna <anna@collect.example> wrote:\r\n> Hello, can you pay?\r\n")
}

// returned is the report of a mail server that could not deliver a message.
func returned(messageID, status, text string) []byte {
	return []byte("From: Mail Delivery System <mailer-daemon@mx.example>\r\nTo: anna@collect.example\r\nSubject: Undelivered Mail\r\nMessage-ID: <dsn" + status + messageID[1:] + "\r\n" +
		"Content-Type: multipart/report; report-type=delivery-status; boundary=r\r\n\r\n--r\r\n\r\nSorry.\r\n--r\r\nContent-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; mx.example\r\n\r\n" +
		"Final-Recipient: rfc822; x@people.example\r\nAction: failed\r\nStatus: " + status + "\r\nDiagnostic-Code: smtp; " + text + "\r\n--r\r\nContent-Type: text/rfc822-headers\r\n\r\nMessage-ID: " + messageID + "\r\n\r\n--r--\r\n")
}

// gridTalk is a campaign that talks by e-mail through SendGrid's fake.
type gridTalk struct {
	*scene
	grid *sendgridtest.Server
}

// to returns the n-th message to a contact, waiting for it.
func (g *gridTalk) to(name string, n int) *sendgridtest.Message {
	g.t.Helper()
	var found []sendgridtest.Message
	eventually(g.t, patience, fmt.Sprintf("message %d to %s", n, name), func() bool {
		found = nil
		for _, m := range g.grid.Accepted() {
			if strings.EqualFold(m.Personalizations[0].To[0].Email, name+"@people.example") {
				found = append(found, m)
			}
		}
		return len(found) >= n
	})
	require.Len(g.t, found, n)
	return &found[n-1]
}

// answers has a contact answer a message, through Inbound Parse.
func (g *gridTalk) answers(m *sendgridtest.Message, id, text string, headers ...string) {
	h := m.Personalizations[0].Headers
	from := m.Personalizations[0].To[0].Email
	g.grid.Deliver(letterOf(from, m.ReplyTo.Email, "Re: "+m.Subject, id, h["Message-ID"], h["References"]+" "+h["Message-ID"], text, headers...), from, m.ReplyTo.Email)
}

// talk is the one session of a contact, whole.
func (s *scene) talk(name string) doc {
	s.t.Helper()
	found := s.list("/v1/sessions?contact_id=" + s.contact(name)["id"].(string))
	require.Len(s.t, found, 1)
	return s.get("/v1/sessions/" + found[0]["id"].(string))
}

func TestAConversationByEmailThroughSendGrid(t *testing.T) {
	t.Parallel()
	c := live(t, "live")
	grid := sendgridtest.New(t, mailKey)
	g := &gridTalk{grid: grid, scene: c.letters(doc{
		"name": "Grid", "provider": "sendgrid", "secrets": doc{"api_key": mailKey}, "settings": doc{
			"from_email": "anna@collect.example", "base_url": grid.URL, "reply_domain": "parse.collect.example",
			"event_public_key": grid.Signer.PublicKey, "inbound_public_key": grid.Signer.PublicKey,
		},
	}, "Ann", "Bob", "Cid", "Dee", "Eve", "Fay")}
	hooks := c.api + "/hooks/sendgrid/" + g.integrationID
	grid.Subscribe(hooks + "/events")
	grid.Receive(hooks + "/inbound")
	in := func(t *testing.T) *gridTalk { return &gridTalk{g.scene.in(t), grid} }

	t.Run("turn by turn in one thread, and aggregation sees the results", func(t *testing.T) {
		g := in(t)
		opening := g.to("Ann", 1)
		require.Regexp(t, `^reply\+ss_ct_[0-9a-f]{20}-1\.[a-z2-7]{13}@parse\.collect\.example$`, opening.ReplyTo.Email)
		first := opening.Personalizations[0].Headers["Message-ID"]
		grid.Hooks.Twist(fault.Twist{Again: 2})
		g.answers(opening, "<a1@people.example>", "Yes, gladly.")
		second := g.to("Ann", 2)
		h := second.Personalizations[0].Headers
		require.Equal(t, "Re: Your invoice", second.Subject)
		require.Equal(t, "<a1@people.example>", h["In-Reply-To"])
		require.Equal(t, first+" <a1@people.example>", h["References"])
		require.Equal(t, opening.ReplyTo.Email, second.ReplyTo.Email)
		require.Equal(t, "On which day, Ann?", second.Text("text/plain"))
		g.answers(second, "<a2@people.example>", "On 24.12.2026.")
		third := g.to("Ann", 3)
		require.Equal(t, "Re: Your invoice", third.Subject)
		require.Equal(t, "<a2@people.example>", third.Personalizations[0].Headers["In-Reply-To"])
		require.Equal(t, "Noted for 2026-12-24: 120 EUR.", third.Text("text/plain"))
		ann := g.untilStand("Ann", "COMPLETED PLANNED")
		require.Equal(t, "Talk PROMISE_TO_PAY promised", seen(ann)[0])
		require.Equal(t, "2026-12-24", ann["results"].(doc)["promised"])
		require.Equal(t, "agent contact agent contact agent", authors(g.talk("Ann")), "what came three times was said once")
		require.Contains(t, g.kinds("Ann"), "session_ended")
	})

	t.Run("an autoresponder starts no conversation", func(t *testing.T) {
		g := in(t)
		opening := g.to("Bob", 1)
		g.answers(opening, "<b1@people.example>", "Yes, I am away until Monday.", "Auto-Submitted: auto-replied")
		grid.Hooks.Flush()
		g.answers(opening, "<b2@people.example>", "Yes")
		g.to("Bob", 2)
		session := g.talk("Bob")
		require.Equal(t, "agent contact agent", authors(session))
		require.Contains(t, session["notes"].([]any)[0].(doc)["content"], "Yes, I am away until Monday.", "people see it")
	})

	t.Run("a message that comes back suppresses its address", func(t *testing.T) {
		g := in(t)
		grid.Deliver(returned(g.to("Cid", 1).Personalizations[0].Headers["Message-ID"], "5.1.1", "550 5.1.1 no such user"), "", "anna@parse.collect.example")
		cid := g.untilStand("Cid", "FAILED PLANNED")
		require.Equal(t, []any{"Talk FAILED bounced"}, seen(cid))
		g.bringForward("Cid", "Again")
		g.untilStand("Cid", "FAILED SKIPPED")
		require.Contains(t, g.reasons("skipped"), "bounced")
	})

	t.Run("Stop, and nothing else, is obeyed", func(t *testing.T) {
		g := in(t)
		g.answers(g.to("Dee", 1), "<d1@people.example>", "STOP\r\n\r\n-- \r\nDee", "X-Mailer: any")
		g.until("Dee", "opted out", func(c doc) bool { return strings.Contains(fmt.Sprint(seen(c)), "opt_out") })
		g.bringForward("Dee", "Again")
		g.until("Dee", "left alone", func(c doc) bool { return strings.HasSuffix(statuses(c), "SKIPPED") })
		require.Len(t, g.talk("Dee")["messages"], 2)
		g.to("Dee", 1)
	})

	t.Run("the token in the address tells whose answer it is, and only a true one", func(t *testing.T) {
		g := in(t)
		true1 := g.to("Eve", 1).ReplyTo.Email
		forged := strings.Replace(true1, "-1.", "-2.", 1)
		grid.Deliver([]byte("From: work@elsewhere.example\r\nMessage-ID: <f1@elsewhere.example>\r\n\r\nYes, forged\r\n"), "work@elsewhere.example", forged)
		grid.Deliver([]byte("From: work@elsewhere.example\r\nMessage-ID: <e1@elsewhere.example>\r\n\r\nYes, true\r\n"), "work@elsewhere.example", true1)
		require.Equal(t, "On which day, Eve?", g.to("Eve", 2).Text("text/plain"))
		require.Equal(t, "agent contact agent", authors(g.talk("Eve")))
		require.Equal(t, "Yes, true", g.talk("Eve")["messages"].([]any)[1].(doc)["content"])
		unmatched := g.list("/v1/unmatched")
		require.Len(t, unmatched, 1)
		require.Equal(t, "Yes, forged", unmatched[0]["content"])
	})

	t.Run("without a thread its sender tells, in any case; forged and bare requests tell nothing", func(t *testing.T) {
		g := in(t)
		g.to("Fay", 1)
		plain := []byte("From: FAY@people.example\r\nMessage-ID: <y1@people.example>\r\n\r\nYes\r\n")
		grid.Hooks.Twist(fault.Twist{Forged: true}, fault.Twist{Bare: true})
		for range 2 {
			grid.Deliver(plain, "fay@people.example", "anna@parse.collect.example")
		}
		grid.Hooks.Flush()
		require.Len(t, g.talk("Fay")["messages"], 1)
		require.Len(t, grid.Hooks.Refused(), 2)
		grid.Deliver(plain, "fay@people.example", "anna@parse.collect.example")
		require.Equal(t, "On which day, Fay?", g.to("Fay", 2).Text("text/plain"))
	})

	require.Empty(t, grid.Refused(), "the fake of SendGrid refused what no fault had ordered")
	require.Equal(t, []string{"401 /hooks/sendgrid/" + g.integrationID + "/inbound", "401 /hooks/sendgrid/" + g.integrationID + "/inbound"}, grid.Hooks.Refused())
	for key, times := range grid.Times() {
		require.Equal(t, 1, times, key)
	}
}

// The self-hosted pair: a mail server that sends, and a mailbox that dovecot keeps.
func TestAConversationByEmailThroughAMailbox(t *testing.T) {
	t.Parallel()
	box := dovecottest.Start(t)
	post := smtptest.New(t, smtptest.Options{User: dovecottest.User, Password: dovecottest.Password, TLS: box.TLSConfig()})
	c := dev(t, "CARILLON_MODE=live", "CARILLON_ALLOW_PRIVATE_URLS=true", "SSL_CERT_FILE="+box.RootsFile)
	base := c.letters(doc{
		"name": "Post", "provider": "smtp", "secrets": doc{"password": dovecottest.Password}, "settings": doc{
			"host": post.Host, "port": post.Port, "username": dovecottest.User, "from_email": "anna@collect.example", "imap_host": box.Host, "imap_port": box.TLS,
		},
	}, "Ann", "Bob", "Cid")
	to := func(t *testing.T, name string, n int) *smtptest.Message {
		t.Helper()
		var found []smtptest.Message
		eventually(t, patience, fmt.Sprintf("message %d to %s", n, name), func() bool {
			found = nil
			for _, m := range post.Accepted() {
				if strings.EqualFold(m.To[0], name+"@people.example") {
					found = append(found, m)
				}
			}
			return len(found) >= n
		})
		require.Len(t, found, n)
		return &found[n-1]
	}
	header := func(t *testing.T, m *smtptest.Message, name string) string {
		t.Helper()
		parsed, err := m.Parsed()
		require.NoError(t, err)
		return strings.Join(strings.Fields(parsed.Header.Get(name)), " ")
	}
	id := func(t *testing.T, m *smtptest.Message) string { t.Helper(); return header(t, m, "Message-ID") }
	answers := func(t *testing.T, name string, m *smtptest.Message, own, text string, headers ...string) {
		t.Helper()
		box.Deliver(letterOf(name+"@people.example", "anna@collect.example", "Re: Your invoice", own, id(t, m), id(t, m), text, headers...))
	}

	t.Run("turn by turn in one thread", func(t *testing.T) {
		opening := to(t, "Ann", 1)
		answers(t, "Ann", opening, "<a1@people.example>", "Yes, gladly.")
		second := to(t, "Ann", 2)
		require.Equal(t, "Re: Your invoice", header(t, second, "Subject"))
		require.Equal(t, "<a1@people.example>", header(t, second, "In-Reply-To"))
		require.Equal(t, id(t, opening)+" <a1@people.example>", header(t, second, "References"))

		// Everything dies between two answers; one comes meanwhile. No opening is under way then.
		for _, name := range []string{"Bob", "Cid"} {
			base.in(t).untilTold(name, "sent")
		}
		c.kill()
		answers(t, "Ann", second, "<a2@people.example>", "On 24.12.2026.")
		c.start()
		s := base.in(t)
		to(t, "Ann", 3)
		ann := s.untilStand("Ann", "COMPLETED PLANNED")
		require.Equal(t, "Talk PROMISE_TO_PAY promised", seen(ann)[0])
		require.Equal(t, "2026-12-24", ann["results"].(doc)["promised"])
		eventually(t, patience, "what was taken is marked as read", func() bool { return box.Seen() == 2 })
	})

	t.Run("an autoresponder starts no conversation, and a bounce suppresses", func(t *testing.T) {
		s := base.in(t)
		answers(t, "Bob", to(t, "Bob", 1), "<b1@people.example>", "Yes, I am away.", "Precedence: auto_reply")
		box.Deliver(returned(id(t, to(t, "Cid", 1)), "5.1.1", "550 no such user"))
		require.Equal(t, []any{"Talk FAILED bounced"}, seen(s.untilStand("Cid", "FAILED PLANNED")))
		require.Equal(t, "agent", authors(s.talk("Bob")))
		require.Equal(t, "ok", s.get("/v1/integrations/" + s.integrationID)["status"])
	})

	t.Run("a wrong password is shown on the integration", func(t *testing.T) {
		s := base.in(t)
		s.must(http.MethodPut, "/v1/integrations/"+s.integrationID, doc{
			"name": "Post", "provider": "smtp", "secrets": doc{"imap_password": "wrong-and-secret"}, "settings": s.get("/v1/integrations/" + s.integrationID)["settings"],
		})
		eventually(t, patience, "it says so", func() bool {
			return strings.Contains(fmt.Sprint(s.get("/v1/integrations/" + s.integrationID)["status_message"]), "refuses the user or the password")
		})
	})
	require.NotContains(t, c.stderr.String(), "wrong-and-secret")
	require.NotContains(t, c.stderr.String(), dovecottest.Password)
}
