package main

import (
	"context"
	"fmt"
	"hash/fnv"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// play lets the demo's contacts live until the context ends: it reads what was
// sent to them in the outbox, and reports, answers and pays as each of them
// would. It also brings the next messages forward, so that days pass in
// seconds. Who does what is a function of the contact, and every answer carries
// an Idempotency-Key, so a restart goes on where it was.
func (d *demo) play(ctx context.Context, log *slog.Logger) {
	played := map[string]bool{}
	for tick := time.NewTicker(time.Second); ; {
		if err := d.turn(ctx, played); err != nil && ctx.Err() == nil {
			log.Debug("demo", "error", err)
		}
		select {
		case <-ctx.Done():
			tick.Stop()
			return
		case <-tick.C:
		}
	}
}

// sentMessage is a message of the outbox.
type sentMessage struct {
	ID        string    `json:"id"`
	At        time.Time `json:"at"`
	Channel   string    `json:"channel"`
	Body      string    `json:"body"`
	Subject   string    `json:"subject"`
	ContactID string    `json:"contact_id"`
	Payload   struct {
		Reply bool `json:"reply"`
	} `json:"payload"`
}

func (d *demo) turn(ctx context.Context, played map[string]bool) error {
	if err := d.hurry(ctx); err != nil {
		return err
	}
	sent, err := every[sentMessage](ctx, d.rest, "/v1/outbox?limit=500&campaign_id="+d.id)
	if err != nil {
		return err
	}
	for i := range sent {
		m := &sent[i]
		if played[m.ID] || time.Since(m.At) < reaction(m) {
			continue
		}
		if err := d.react(ctx, m); err != nil {
			return err
		}
		played[m.ID] = true
	}
	return nil
}

// reaction is how long a contact takes: one to four seconds.
func reaction(m *sentMessage) time.Duration {
	return time.Second + time.Duration(hash(m.ID)%3000)*time.Millisecond
}

func hash(s string) uint32 {
	h := fnv.New32a()
	_, _ = h.Write([]byte(s))
	return h.Sum32()
}

// hurry brings planned messages forward: a day becomes some seconds.
func (d *demo) hurry(ctx context.Context) error {
	type planned struct {
		ID        string    `json:"id"`
		ContactID string    `json:"contact_id"`
		StartDate time.Time `json:"start_date"`
	}
	list, err := every[planned](ctx, d.rest, "/v1/campaigns/"+d.id+"/communications?status=PLANNED&limit=500")
	if err != nil {
		return err
	}
	for _, p := range list {
		if time.Until(p.StartDate) < time.Minute {
			continue
		}
		soon := time.Now().Add(2*time.Second + time.Duration(hash(p.ID)%12000)*time.Millisecond)
		err := d.rest.call(ctx, http.MethodPost, "/v1/campaigns/"+d.id+"/contacts/"+p.ContactID+"/reschedule",
			map[string]any{"communication_id": p.ID, "start_date": soon.UTC()}, nil)
		if err != nil {
			return err
		}
	}
	return nil
}

// lines are what contacts write to the opening on WhatsApp, and to the question
// that may follow; "" is silence.
var lines = [...][2]string{
	{"I will pay on Friday", ""},
	{"ok, I'll transfer it tomorrow", ""},
	{"I will pay", "tomorrow"},
	{"Yes, I can pay on Monday", ""},
	{"I'll pay", "on Wednesday"},
	{"", ""},
	{"That is the wrong amount, I want to talk to a person", ""},
	{"Stop writing to me", ""},
	{"", ""},
	{"I have paid it already", ""},
}

// react is what the contact does about a message.
func (d *demo) react(ctx context.Context, m *sentMessage) error {
	var c struct {
		ObjectID   string `json:"object_id"`
		ExternalID string `json:"external_id"`
	}
	if err := d.rest.call(ctx, http.MethodGet, "/v1/campaigns/"+d.id+"/contacts/"+m.ContactID, nil, &c); err != nil {
		return err
	}
	var who int
	if n, _ := fmt.Sscanf(c.ObjectID, "DEMO-%d", &who); n != 1 {
		return nil // somebody added a contact: it is theirs to play
	}
	kind := who % len(lines)
	switch {
	case m.Payload.Reply && strings.Contains(m.Body, "On which day") && lines[kind][1] != "":
		return d.say(ctx, m, lines[kind][1])
	case m.Payload.Reply:
		return nil
	case m.Channel == "whatsapp_meta" && lines[kind][0] != "":
		return d.say(ctx, m, lines[kind][0])
	case m.Channel != "email_notification":
		return d.report(ctx, m, "read")
	case strings.HasPrefix(m.Subject, "A reminder"):
		if kind == 3 { // the promise that is not kept
			return d.report(ctx, m, "delivered")
		}
		return d.pay(ctx, c.ObjectID, c.ExternalID)
	case kind == 5 && who < 30: // pays when the notice comes
		return d.pay(ctx, c.ObjectID, c.ExternalID)
	case kind == 7:
		return d.report(ctx, m, "bounced")
	default:
		return d.report(ctx, m, []string{"delivered", "read"}[who%2])
	}
}

func (d *demo) say(ctx context.Context, m *sentMessage, words string) error {
	// The key makes the answer one, however often the demo is started.
	return d.rest.keyed(ctx, "demo-"+m.ID, "/v1/outbox/"+url.PathEscape(m.ID)+"/reply", map[string]any{"content": words})
}

func (d *demo) report(ctx context.Context, m *sentMessage, status string) error {
	return d.rest.keyed(ctx, "demo-"+m.ID, "/v1/outbox/"+url.PathEscape(m.ID)+"/status", map[string]any{"status": status})
}

// pay is what the bookkeeping would report.
func (d *demo) pay(ctx context.Context, objectID, externalID string) error {
	return d.rest.keyed(ctx, "demo-paid-"+objectID+d.id, "/v1/campaigns/"+d.id+"/contacts",
		map[string]any{"object_id": objectID, "external_id": externalID, "parameters": map[string]any{"paid": true}})
}

// keyed posts with an Idempotency-Key.
func (c *rest) keyed(ctx context.Context, key, path string, body any) error {
	once := *c
	once.idempotency = key
	return once.call(ctx, http.MethodPost, path, body, nil)
}
