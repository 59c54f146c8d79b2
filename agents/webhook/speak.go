package webhook

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"carillon/agents"
	"carillon/campaign"
)

// Speak implements [agents.Speaker]. The id of the turn is the webhook-id, so a
// system that keeps its answers by it answers a repeated turn as it did before.
func (s *speaker) Speak(ctx context.Context, t agents.Turn) (agents.Answer, error) {
	if err := ctx.Err(); err != nil {
		return agents.Answer{}, err
	}
	state, err := agents.StateOf(&s.agent, t.Session.State)
	if err != nil {
		return agents.Answer{}, err
	}
	if state != nil {
		t.Session.State = state.Name
	}
	said := t.Said()
	if len(t.Session.Messages) > 0 && !anyWord(said) {
		return agents.Answer{}, nil
	}
	body, err := json.Marshal(s.document(&t, said))
	if err != nil {
		return agents.Answer{}, broken("write turn %s: %w", t.ID, err)
	}
	limited, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	resp, err := s.post(limited, t.ID, body)
	if err != nil {
		return agents.Answer{}, agents.Unreached(ctx, s.who(), err)
	}
	defer func() { _ = resp.Body.Close() }()
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		return agents.Answer{}, agents.Unreached(ctx, s.who(), err)
	}
	return s.take(resp, raw)
}

func (s *speaker) who() string { return "the system behind the agent " + s.agent.Name }

func anyWord(said []campaign.Message) bool {
	for i := range said {
		if strings.TrimSpace(said[i].Content) != "" {
			return true
		}
	}
	return false
}

// post sends a turn, signed as Standard Webhooks says: HMAC-SHA256 over the id,
// the time in seconds and the body, joined by dots. The time is that of the
// attempt, so that a repeated turn is not taken for a replayed one.
func (s *speaker) post(ctx context.Context, id string, body []byte) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.url.String(), bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	at := strconv.FormatInt(time.Now().Unix(), 10)
	mac := hmac.New(sha256.New, s.key)
	_, _ = fmt.Fprintf(mac, "%s.%s.", id, at)
	_, _ = mac.Write(body)
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Accept", "application/json")
	req.Header.Set("User-Agent", "Carillon")
	req.Header.Set("Webhook-Id", id)
	req.Header.Set("Webhook-Timestamp", at)
	req.Header.Set("Webhook-Signature", "v1,"+base64.StdEncoding.EncodeToString(mac.Sum(nil)))
	return s.client.Do(req)
}

// take makes an answer of a response.
func (s *speaker) take(resp *http.Response, raw []byte) (agents.Answer, error) {
	switch status := resp.StatusCode; {
	case status == http.StatusNoContent, status == http.StatusAccepted:
		return agents.Answer{}, nil
	case status == http.StatusOK:
		return s.read(raw)
	case agents.Again(status):
		return agents.Answer{}, &agents.Failure{
			RetryAfter: agents.RetryAfter(resp.Header, time.Now()),
			Err:        fmt.Errorf("%s answers %s", s.who(), name(status)),
		}
	case status == http.StatusUnauthorized, status == http.StatusForbidden:
		return agents.Answer{}, broken("%s refuses the turn with %s: check that both have the same signing_key", s.who(), name(status))
	case status >= 300 && status < 400:
		return agents.Answer{}, broken("%s answers %s, and redirects are not followed: set the url to where it leads", s.who(), name(status))
	case status >= 200 && status < 300:
		return agents.Answer{}, broken("%s answers %s: 200 with an answer, 204 for none and 202 for one that comes later are understood", s.who(), name(status))
	default:
		text := agents.Redact(string(raw), s.secrets)
		if text != "" {
			text = ": " + text
		}
		return agents.Answer{}, broken("%s refuses the turn with %s%s", s.who(), name(status), text)
	}
}

func name(status int) string {
	return strings.TrimSpace(fmt.Sprintf("%d %s", status, http.StatusText(status)))
}
