package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"time"

	"carillon/campaign"
	"carillon/channels/sendgrid/sendgridtest"
	"carillon/store"
)

// webhookCallers is how many requests a provider has under way at once.
const webhookCallers = 48

// webhook posts signed events of messages in the ledger, one event a request, each of another message, and times every
// answer: it comes after the commit. The caller runs on the same machine, so all it does while it measures is to write
// requests made before and to read answers. What the events tell contacts is written meanwhile. SQLite decides the verdict; PostgreSQL, if there is one, is shown beside it.
func webhook(ctx context.Context, l *lab) (result, error) {
	n := l.size(8000, 500)
	lite, err := l.webhooks(ctx, n, false)
	if err != nil {
		return result{}, err
	}
	beside := "no PostgreSQL"
	if _, err := l.pg(); err == nil {
		pg, err := l.webhooks(ctx, n, true)
		if err != nil {
			return result{}, err
		}
		beside = fmt.Sprintf("PostgreSQL %.0f/s, p99 %.0f ms, %.2f CPU-ms each", pg.rate, quantile(pg.late, 0.99), pg.cpu)
	}
	p99 := quantile(lite.late, 0.99)
	note := fmt.Sprintf("n = %d, %d at once, p50 %.0f, max %.0f ms, %.2f CPU-ms of the API each; %s; oth %.2f", n, webhookCallers, median(lite.late), quantile(lite.late, 1), lite.cpu, beside, lite.others)
	if lite.others > 0.1 {
		note += " (void: others used the machine)"
	}
	return judged(lite.rate >= 2000 && p99 < 50, note, "%.0f/s, p99 %.0f ms", lite.rate, p99), nil
}

// posted is what a row of webhooks cost.
type posted struct {
	rate   float64   // requests a second
	late   []float64 // milliseconds of each
	cpu    float64   // milliseconds of the API's process for each
	others float64   // what others used of the machine meanwhile
}

// webhooks posts n events.
func (l *lab) webhooks(ctx context.Context, n int, postgres bool) (posted, error) {
	h, err := l.newHouse(ctx, postgres)
	if err != nil {
		return posted{}, err
	}
	defer h.close()
	signer := sendgridtest.NewSigner()
	created, err := h.call(ctx, http.MethodPost, "/v1/integrations", doc{
		"name": "mail", "provider": "sendgrid", "settings": doc{"from_email": "a@example.com", "event_public_key": signer.PublicKey}, "secrets": doc{"api_key": "SG.x"},
	})
	if err != nil {
		return posted{}, err
	}
	id := created["id"].(string)
	if err := h.fillLedger(ctx, id, n); err != nil {
		return posted{}, err
	}
	requests := make([][]byte, n)
	for i := range requests {
		body, err := json.Marshal([]doc{{
			"event": "delivered", "sg_event_id": fmt.Sprintf("event-%d", i), "sg_message_id": fmt.Sprintf("pm%d.filter0001", i), "email": "ann@example.com",
			"timestamp": time.Now().Unix(), "correlation_key": fmt.Sprintf("ct_bench-%d", i), "response": "250 OK", "category": []string{"campaign"},
		}})
		if err != nil {
			return posted{}, err
		}
		r, err := http.NewRequestWithContext(ctx, http.MethodPost, h.api+"/hooks/sendgrid/"+id+"/events", bytes.NewReader(body))
		if err != nil {
			return posted{}, err
		}
		r.Header.Set("Content-Type", "application/json")
		signer.Sign(r.Header, body, time.Now())
		var raw bytes.Buffer
		if err := r.Write(&raw); err != nil {
			return posted{}, err
		}
		requests[i] = raw.Bytes()
	}
	callers := make([]*caller, webhookCallers)
	for c := range callers {
		if callers[c], err = call(ctx, h.api); err != nil {
			return posted{}, err
		}
		h.ends = append(h.ends, func() { _ = callers[c].Close() })
	}
	late, failed := make([]float64, n), make([]error, webhookCallers)
	oth, used, began := others(h.temporal.pid(), h.worker.pid(), h.server.pid(), os.Getpid()), cpuOf(h.server.pid()), time.Now()
	var all sync.WaitGroup
	for c := range webhookCallers {
		all.Go(func() {
			for i := c; i < n && failed[c] == nil; i += webhookCallers {
				at := time.Now()
				failed[c] = callers[c].post(requests[i])
				late[i] = float64(time.Since(at).Microseconds()) / 1000
			}
		})
	}
	all.Wait()
	took := time.Since(began)
	p := posted{
		rate: float64(n) / took.Seconds(), late: late, others: oth(),
		cpu: float64((cpuOf(h.server.pid()) - used).Microseconds()) / 1000 / float64(n),
	}
	for _, err := range failed {
		if err != nil {
			return posted{}, err
		}
	}
	kept, err := h.number(ctx, `select count(*) from provider_events where send_id <> ''`)
	if err == nil && kept != n {
		err = fmt.Errorf("%d events of %d were kept and matched", kept, n)
	}
	return p, err
}

// caller is one connection that is kept, with nothing between it and the socket.
type caller struct {
	net.Conn
	answers *bufio.Reader
}

// call connects to the API at an address such as http://127.0.0.1:8080.
func call(ctx context.Context, address string) (*caller, error) {
	var d net.Dialer
	conn, err := d.DialContext(ctx, "tcp", strings.TrimPrefix(address, "http://"))
	if err != nil {
		return nil, err
	}
	return &caller{Conn: conn, answers: bufio.NewReader(conn)}, conn.SetDeadline(time.Now().Add(10 * time.Minute))
}

// post sends one request as it stands and reads its answer.
func (c *caller) post(raw []byte) error {
	if _, err := c.Write(raw); err != nil {
		return err
	}
	resp, err := http.ReadResponse(c.answers, nil)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	_, err = io.Copy(io.Discard, resp.Body)
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("a webhook was answered %s", resp.Status)
	}
	return err
}

// fillLedger writes n messages of contacts that have ended into the ledger.
func (h *house) fillLedger(ctx context.Context, integrationID string, n int) error {
	s, err := store.Open(ctx, h.storeAddress, store.Options{})
	if err != nil {
		return err
	}
	defer func() { _ = s.Close() }()
	now := time.Now()
	if err := s.CreateCampaign(ctx, campaign.Campaign{ID: "cp_bench", Name: "Bench", Status: campaign.Running, Timezone: "UTC"}); err != nil {
		return err
	}
	if err := s.CreateImport(ctx, campaign.Import{ID: "im_bench", CampaignID: "cp_bench", StartedAt: now}); err != nil {
		return err
	}
	const chunk = 500
	for first := 0; first < n; first += chunk {
		w := store.ChunkWrite{ImportID: "im_bench", Chunk: first / chunk, Now: now}
		if err := s.AddRows(ctx, w.ImportID, w.Chunk, nil); err != nil {
			return err
		}
		for i := first; i < min(first+chunk, n); i++ {
			c := campaign.Contact{
				ID: fmt.Sprintf("ct_bench%d", i), CampaignID: "cp_bench", ObjectID: fmt.Sprint(i), ExternalID: fmt.Sprint(i), Name: "Ann", Email: "ann@example.com",
				Status: campaign.ContactCompleted, Communications: []campaign.Communication{{
					ID: fmt.Sprintf("ct_bench-%d", i), Name: "Mail", StageName: "Mail", StartDate: now, Status: campaign.StatusAt{Status: campaign.CommunicationCompleted, At: now},
				}},
			}
			w.Contacts = append(w.Contacts, store.ContactWrite{Contact: c})
		}
		if _, err := s.CommitChunk(ctx, w); err != nil {
			return err
		}
		for i := range w.Contacts {
			c := &w.Contacts[i].Contact
			id := c.Communications[0].ID
			if _, _, err := s.ClaimSend(ctx, store.Send{
				ID: id, ContactID: c.ID, CampaignID: c.CampaignID, CommunicationID: id, IntegrationID: integrationID, Channel: campaign.EmailNotification,
				Address: c.Email, CorrelationKey: id, CreatedAt: now,
			}, nil, nil); err != nil {
				return err
			}
		}
	}
	return nil
}
