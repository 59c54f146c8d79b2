package e2e_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"carillon/channels/channeltest"
	"carillon/channels/sendgrid/sendgridtest"
	"carillon/channels/smtp/smtptest"
)

// mailKey must be in no log, history, error or answer.
const mailKey = "SG.the-key-that-must-be-seen-nowhere"

// mailScene is a running campaign in mode live whose mail leaves through two fakes.
type mailScene struct {
	*scene
	grid   *sendgridtest.Server
	signer *sendgridtest.Signer // of its Event Webhook
	post   *smtptest.Server
}

func live(t *testing.T, mode string) *carillon {
	t.Helper()
	return dev(t, "CARILLON_MODE="+mode, "CARILLON_ALLOW_PRIVATE_URLS=true")
}

func (c *carillon) mail(plans ...string) *mailScene {
	c.t.Helper()
	s := &mailScene{grid: sendgridtest.New(c.t, mailKey), signer: sendgridtest.NewSigner(), post: smtptest.New(c.t, smtptest.Options{})}
	s.scene = c.campaign(doc{"name": "Mail"})
	s.integrationID = c.post("/v1/integrations", doc{
		"name": "Grid", "provider": "sendgrid", "secrets": doc{"api_key": mailKey},
		"settings": doc{"from_email": "anna@collect.example", "from_name": "Anna", "base_url": s.grid.URL, "event_public_key": s.signer.PublicKey},
	})["id"].(string)
	c.post("/v1/integrations", doc{"name": "Post", "provider": "smtp", "settings": doc{
		"host": s.post.Host, "port": s.post.Port, "security": "none", "from_email": "anna@collect.example",
	}})
	s.agentID = c.agent("Agent of mail", doc{"integrations": doc{"email": s.integrationID}})
	s.stage("Notice", doc{"channel": "email_notification", "integration": "Grid", "format": "html", "subject": "Notice", "template": "<p>Hello {{ name }}, {{ parameters.note }}</p>"})
	s.stage("Sure", doc{"channel": "email_notification", "integration": "Grid", "subject": "Sure", "template": "Hello {{ name }}", "complete_on": "delivered"})
	s.stage("Letter", doc{"channel": "email_notification", "integration": "Post", "subject": "Letter", "template": "Hello {{ name }}"})
	s.stage("Talk", doc{"channel": "email", "agent": s.agentID, "subject": "Talk", "template": "Hello {{ name }}"})
	s.stage("Done", doc{"channel": "none", "start_state": "done"}, doc{"outcome": "success"})
	s.strategy("data_load", planTomorrow)
	s.strategy("aggregation", remember)
	s.start()
	file := columns + ",plan,note\n"
	for _, p := range plans {
		name, plan, _ := strings.Cut(p, ": ")
		file += fmt.Sprintf("%s,%s of mail,%s,%s@example.com,,%s,1 < 2\n", name, name, name, strings.ToLower(name), plan)
	}
	require.EqualValues(c.t, len(plans), s.upload("text/csv", []byte(file))["created"])
	eventually(c.t, patience, "all have started", func() bool { return len(s.contacts("&status=active")) == len(plans) })
	return s
}

// to returns what SendGrid's fake accepted for a contact.
func (s *mailScene) to(name string) (found []sendgridtest.Message) {
	for _, m := range s.grid.Accepted() {
		if m.Personalizations[0].To[0].Email == strings.ToLower(name)+"@example.com" {
			found = append(found, m)
		}
	}
	return found
}

// delivered posts SendGrid's event about a message that its fake accepted.
func (s *mailScene) delivered(in *scene, m sendgridtest.Message) {
	in.t.Helper()
	e := doc{"event": "delivered", "sg_event_id": m.ID, "sg_message_id": m.ID + ".filter0001", "timestamp": time.Now().Unix(), "email": m.Personalizations[0].To[0].Email}
	for name, id := range m.Personalizations[0].CustomArgs {
		e[name] = id
	}
	body, err := json.Marshal([]doc{e})
	require.NoError(in.t, err)
	h := http.Header{}
	s.signer.Sign(h, body, time.Now())
	var headers []string
	for name := range h {
		headers = append(headers, name, h.Get(name))
	}
	in.must(http.MethodPost, "/hooks/sendgrid/"+s.integrationID+"/events", body, headers...)
}

const problem = `{"errors":[{"message":"%s","field":%s,"help":null}]}`

func TestMailThroughSendGrid(t *testing.T) {
	t.Parallel()
	c := live(t, "live")
	s := c.mail("Ann: Notice", "Bob: Notice", "Cid: Notice", "Dan: Notice", "Eve: Notice", "Fay: Notice+Letter", "Gil: Notice", "Hal: Notice", "Ivy: Letter", "Joe: Letter", "Kim: Talk", "Ned: Notice", "Max: Sure")

	t.Run("the integration can be verified", func(t *testing.T) {
		s := s.in(t)
		require.Equal(t, true, s.post("/v1/integrations/"+s.integrationID+"/verify", nil)["ok"])
		require.Equal(t, true, s.post("/v1/integrations/Post/verify", nil)["ok"])
	})

	t.Run("a message is sent once, as text and as HTML", func(t *testing.T) {
		in := s.in(t)
		in.bringForward("Ann", "Notice")
		done := in.awaitStatus("Ann", "completed", patience)
		sent := s.to("Ann")
		require.Len(t, sent, 1)
		require.Equal(t, "<p>Hello Ann, 1 &lt; 2</p>", sent[0].Text("text/html"))
		require.Equal(t, "Hello Ann, 1 < 2", sent[0].Text("text/plain"))
		m := done["communications"].([]any)[0].(doc)
		require.Equal(t, sent[0].ID, m["provider_message_id"])
		require.Equal(t, m["id"], sent[0].Personalizations[0].CustomArgs["correlation_key"])
		require.Equal(t, fmt.Sprintf("<%s@collect.example>", m["id"]), sent[0].Personalizations[0].Headers["Message-ID"])
	})

	t.Run("what SendGrid refuses has failed, and the contact goes on", func(t *testing.T) {
		in := s.in(t)
		s.grid.Fail(channeltest.Fault{Status: 400, Body: fmt.Sprintf(problem, "The subject is odd", `"subject"`)})
		in.bringForward("Bob", "Notice")
		require.Equal(t, []any{"Notice FAILED invalid"}, seen(in.awaitStatus("Bob", "completed", patience)))
		require.Empty(t, s.to("Bob"))
	})

	t.Run("what SendGrid did not process is sent again", func(t *testing.T) {
		in := s.in(t)
		s.grid.Fail(channeltest.Fault{Status: 503, Body: fmt.Sprintf(problem, "unavailable", "null")}, channeltest.Fault{Status: 429, Header: map[string]string{"Retry-After": "2"}, Body: fmt.Sprintf(problem, "too many requests", "null")})
		before := s.grid.Calls()
		in.bringForward("Cid", "Notice")
		require.Eventually(t, func() bool { return s.grid.Calls() == before+2 }, patience, 5*time.Millisecond)
		asked := time.Now()
		in.bringForward("Ned", "Notice")
		in.awaitStatus("Ned", "completed", patience)
		require.Greater(t, time.Since(asked), 1900*time.Millisecond, "what SendGrid asked of one message holds for all")
		in.awaitStatus("Cid", "completed", patience)
		require.Len(t, s.to("Cid"), 1)
		require.Len(t, s.to("Ned"), 1)
		require.Equal(t, before+4, s.grid.Calls())
	})

	t.Run("a key that is refused stops the integration, not its contacts", func(t *testing.T) {
		in := s.in(t)
		s.grid.Fail(channeltest.Fault{Status: 401, Body: fmt.Sprintf(problem, "The provided authorization grant is invalid", "null")})
		in.bringForward("Dan", "Notice")
		in.untilHeld("Dan", "integration")
		require.Contains(t, in.get("/v1/integrations/" + s.integrationID)["status_message"], "authorization grant")
		require.Equal(t, true, in.post("/v1/integrations/"+s.integrationID+"/verify", nil)["ok"])
		in.must(http.MethodPost, "/v1/integrations/"+s.integrationID+"/resume", nil)
		in.awaitStatus("Dan", "completed", patience)
		require.Len(t, s.to("Dan"), 1)
	})

	t.Run("a bad address is not written to again, whoever carries the mail", func(t *testing.T) {
		in := s.in(t)
		s.grid.Fail(channeltest.Fault{Status: 400, Body: fmt.Sprintf(problem, "Does not contain a valid address.", `"personalizations.0.to.0.email"`)})
		in.bringForward("Fay", "Notice")
		in.untilStand("Fay", "FAILED PLANNED")
		require.Equal(t, "bounced", in.list("/v1/suppressions")[0]["reason"])
		in.bringForward("Fay", "Letter")
		require.Equal(t, []any{"Notice FAILED recipient", "Letter SKIPPED bounced"}, seen(in.awaitStatus("Fay", "completed", patience)))
	})

	t.Run("when no answer comes a person decides, and nothing is sent twice", func(t *testing.T) {
		in := s.in(t)
		s.grid.Fail(channeltest.Fault{Drop: true})
		in.bringForward("Gil", "Notice")
		gil := in.awaitStatus("Gil", "needs_attention", patience)
		require.Equal(t, "send_unknown", gil["attention"].(doc)["reason"])
		require.Contains(t, in.kinds("Gil"), "unknown")
		require.Len(t, s.to("Gil"), 1)
		s.post.Fail(smtptest.Fault{At: "data", Drop: true})
		in.bringForward("Ivy", "Letter")
		in.awaitStatus("Ivy", "needs_attention", patience)
		require.Contains(t, in.kinds("Ivy"), "unknown")
		require.Len(t, s.post.Accepted(), 1)
	})

	t.Run("an event proves a delivery nobody knew of", func(t *testing.T) {
		in := s.in(t)
		s.delivered(in, s.to("Gil")[0])
		in.awaitStatus("Gil", "completed", patience)
		require.Len(t, s.to("Gil"), 1)
	})

	t.Run("a notification that completes when it is delivered", func(t *testing.T) {
		in := s.in(t)
		in.bringForward("Max", "Sure")
		in.untilStand("Max", "SENT")
		s.delivered(in, s.to("Max")[0])
		in.awaitStatus("Max", "completed", patience)
	})

	t.Run("an SMTP server's refusals count alike", func(t *testing.T) {
		in := s.in(t)
		s.post.Fail(smtptest.Fault{At: "rcpt", Code: 451, Text: "later"})
		in.bringForward("Joe", "Letter")
		in.awaitStatus("Joe", "completed", patience)
		require.Len(t, s.post.Accepted(), 2)
		id := in.contact("Joe")["communications"].([]any)[0].(doc)["id"].(string)
		letter := s.post.Accepted()[1]
		parsed, err := letter.Parsed()
		require.NoError(t, err)
		require.Equal(t, "<"+id+"@collect.example>", parsed.Header.Get("Message-ID"))
	})

	t.Run("an answer keeps to its thread", func(t *testing.T) {
		in := s.in(t)
		in.bringForward("Kim", "Talk")
		session := in.sessionOf("Kim")
		in.must(http.MethodPost, "/v1/sessions/"+session+"/answers", doc{"content": "And one thing more"})
		eventually(t, patience, "the answer is sent", func() bool { return len(s.to("Kim")) == 2 })
		talk := s.to("Kim")
		require.Equal(t, "Re: Talk", talk[1].Subject)
		require.Equal(t, talk[0].Personalizations[0].Headers["Message-ID"], talk[1].Personalizations[0].Headers["In-Reply-To"])
		in.end(session, nil)
		in.awaitStatus("Kim", "completed", patience)
	})

	t.Run("what can never be is refused when it is saved", func(t *testing.T) {
		in := s.in(t)
		a := in.do(http.MethodPost, s.path("/stages"), doc{"name": "Sure", "delivery": doc{
			"channel": "email_notification", "integration": "Post", "subject": "s", "template": "t", "complete_on": "delivered",
		}})
		require.Equal(t, http.StatusUnprocessableEntity, a.status)
		require.Contains(t, string(a.body), "never reports a delivery")
		a = in.do(http.MethodPost, "/v1/integrations", doc{"name": "Odd", "provider": "sendgrid", "secrets": doc{"api_key": mailKey}, "settings": doc{"from_email": "no", "base_url": "ftp://x.example"}})
		require.Equal(t, http.StatusUnprocessableEntity, a.status)
		require.Contains(t, string(a.body), "settings.base_url")
		require.NotContains(t, string(a.body), mailKey)
	})

	t.Run("killed while SendGrid is called, it does not send again", func(t *testing.T) {
		in := s.in(t)
		s.grid.Fail(channeltest.Fault{Hold: true})
		in.bringForward("Hal", "Notice")
		eventually(t, patience, "SendGrid has it", func() bool { return len(s.to("Hal")) == 1 })
		in.kill()
		s.again()
		in = s.in(t)
		in.awaitStatus("Hal", "needs_attention", 60*time.Second)
		require.Contains(t, in.kinds("Hal"), "unknown")
		require.Len(t, s.to("Hal"), 1)
	})

	t.Run("in mode redirect everything goes to the test address", func(t *testing.T) {
		s.kill()
		s.env = append(s.env, "CARILLON_MODE=redirect")
		s.again()
		in := s.in(t)
		in.must(http.MethodPut, "/v1/settings", doc{"redirect": doc{"email_notification": "test@collect.example"}})
		s.grid.Fail(channeltest.Fault{Status: 400, Body: fmt.Sprintf(problem, "Does not contain a valid address.", `"personalizations.0.to.0.email"`)})
		before := len(in.list("/v1/suppressions"))
		in.bringForward("Eve", "Notice")
		in.awaitStatus("Eve", "completed", patience)
		require.Len(t, in.list("/v1/suppressions"), before, "the test address says nothing about Eve's")
		require.Empty(t, s.to("Eve"))
		in.post(s.path("/contacts"), doc{"object_id": "Lea", "external_id": "Lea of mail", "name": "Lea", "email": "lea@example.com", "parameters": doc{"plan": "Notice", "note": "-"}})
		in.until("Lea", "started", func(c doc) bool { return c["started_at"] != nil })
		in.bringForward("Lea", "Notice")
		in.awaitStatus("Lea", "completed", patience)
		require.Empty(t, s.to("Lea"))
		sent := s.grid.Accepted()
		require.Equal(t, "test@collect.example", sent[len(sent)-1].Personalizations[0].To[0].Email)
	})

	require.Empty(t, s.grid.Refused(), "the fake of SendGrid refused what no fault had ordered")
	s.interrupt(t)
	require.NotContains(t, s.stderr.String(), mailKey, "the log shows the key")
	nowhere(t, s.data, mailKey)
}

// again starts the scene's carillon again.
func (s *mailScene) again() { s.t.Helper(); s.carillon.start() }

// nowhere looks for a secret in everything that was written: the store, and
// Temporal's histories.
func nowhere(t *testing.T, dir, secret string) {
	t.Helper()
	files := 0
	require.NoError(t, filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		raw, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		files++
		if bytes.Contains(raw, []byte(secret)) {
			t.Errorf("%s holds a secret", filepath.Base(path))
		}
		return nil
	}))
	require.NotZero(t, files)
}
