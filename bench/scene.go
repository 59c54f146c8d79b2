package main

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// scene is a campaign of three stages with a session result each, and somebody who answers every message 50 ms after
// it left, as skeleton C's send does.
type scene struct {
	*house
	id      string
	next    int          // the next object id
	failed  atomic.Value // error of a result that was refused
	answers sync.WaitGroup
	cancel  context.CancelFunc
}

const (
	inFlight   = 100 // contacts under way at a time, at most
	batch      = 50  // contacts started together
	stageDelay = 100 * time.Millisecond
	replyDelay = 50 * time.Millisecond
)

// sceneLoad plans the first communication at the row's due (milliseconds of Unix time), or soon.
const sceneLoad = `
async def run(contact, existing_contact, logger, **kwargs):
    wait = timedelta(milliseconds=100)
    if contact.parameters.get("due"):
        wait = timedelta(milliseconds=float(contact.parameters["due"]) - datetime.now().timestamp() * 1000)
    contact.communications.append(Communication(name="One", stage_name="One", start_date=datetime.now() + wait))
    return contact
`

const sceneAggregation = `
NEXT = {"One": "Two", "Two": "Three"}
async def run(contact, session_results, logger, **kwargs):
    nxt = NEXT.get(session_results["StageName"])
    if nxt is None:
        contact.current_stage = "End"
    else:
        contact.communications.append(Communication(name=nxt, stage_name=nxt, start_date=datetime.now() + timedelta(milliseconds=100)))
    return contact
`

// newScene sets the campaign up and starts it.
func newScene(ctx context.Context, h *house) (*scene, error) {
	s := &scene{house: h}
	made, err := h.call(ctx, http.MethodPost, "/v1/campaigns", doc{"name": "Bench"})
	if err != nil {
		return nil, err
	}
	s.id = made["id"].(string)
	agent, err := h.call(ctx, http.MethodPost, "/v1/agents", doc{"name": "Bench", "kind": "external"})
	if err != nil {
		return nil, err
	}
	type step struct {
		path string
		body any
	}
	steps := []step{{"/v1/agents/" + agent["id"].(string) + "/start", nil}}
	for _, name := range []string{"One", "Two", "Three"} {
		steps = append(steps, step{s.path("/stages"), doc{"name": name, "delivery": doc{"channel": "email", "agent": agent["id"], "subject": name, "template": "Hello"}}})
	}
	steps = append(
		steps,
		step{s.path("/stages"), doc{"name": "End", "delivery": doc{"channel": "none", "start_state": "end"}}},
		step{s.path("/strategies"), doc{"name": "load", "type": "data_load", "code": sceneLoad}},
		step{s.path("/strategies"), doc{"name": "next", "type": "aggregation", "code": sceneAggregation}},
		step{s.path("/start"), nil},
	)
	for _, step := range steps {
		if _, err := h.call(ctx, http.MethodPost, step.path, step.body); err != nil {
			return nil, err
		}
	}
	var answering context.Context
	answering, s.cancel = context.WithCancel(ctx)
	s.answers.Go(func() { s.answer(answering) })
	h.ends = append(h.ends, func() { s.cancel(); s.answers.Wait() })
	return s, nil
}

func (s *scene) path(rest string) string { return "/v1/campaigns/" + s.id + rest }

// add imports contacts and returns when they are taken in; due is when their first message is, or zero.
func (s *scene) add(ctx context.Context, n int, due time.Time) error {
	return s.addSpread(ctx, n, due, 0)
}

// addSpread is add with the first messages a step apart.
func (s *scene) addSpread(ctx context.Context, n int, due time.Time, step time.Duration) error {
	var file strings.Builder
	file.WriteString("object_id,external_id,name,email,phone,due\n")
	for i := range n {
		s.next++
		at := ""
		if !due.IsZero() {
			at = fmt.Sprint(due.Add(time.Duration(i) * step).UnixMilli())
		}
		fmt.Fprintf(&file, "O-%d,E-%d,Name %d,n%d@example.com,,%s\n", s.next, s.next, s.next, s.next, at)
	}
	return s.upload(ctx, file.String(), 10*time.Minute)
}

// upload imports a file and returns when it is done.
func (s *scene) upload(ctx context.Context, file string, within time.Duration) error {
	accepted, err := s.call(ctx, http.MethodPost, s.path("/imports"), file)
	if err != nil {
		return err
	}
	return until(ctx, within, "the import is done", func() (bool, error) {
		done, err := s.call(ctx, http.MethodGet, s.path("/imports/"+accepted["id"].(string)), nil)
		if err == nil && done["status"] == "failed" {
			err = fmt.Errorf("the import failed: %v", done)
		}
		return err == nil && done["status"] == "completed", err
	})
}

// completed counts the contacts that have ended well; another end is an error.
func (s *scene) completed(ctx context.Context) (int, error) {
	if err, _ := s.failed.Load().(error); err != nil {
		return 0, err
	}
	if n, err := s.number(ctx, `select count(*) from contacts where campaign_id = $1 and status = 'needs_attention'`, s.id); err != nil || n > 0 {
		return 0, fmt.Errorf("%d contacts need attention (%w)", n, err)
	}
	return s.number(ctx, `select count(*) from contacts where campaign_id = $1 and status = 'completed'`, s.id)
}

// walk takes n contacts from import to completion with at most inFlight of them under way.
func (s *scene) walk(ctx context.Context, n int) error {
	base, err := s.completed(ctx)
	if err != nil {
		return err
	}
	added, done := 0, 0
	return until(ctx, 30*time.Minute, "the contacts are completed", func() (bool, error) {
		all, err := s.completed(ctx)
		if done = all - base; err != nil || done == n {
			return true, err
		}
		if more := min(batch, n-added); more > 0 && added-done <= inFlight-more {
			added += more
			return false, s.add(ctx, more, time.Time{})
		}
		return false, nil
	})
}

// answer reports a result for every message that left, as an external agent does.
func (s *scene) answer(ctx context.Context) {
	seen := map[string]bool{}
	since := int64(0)
	for pause(ctx, 10*time.Millisecond) == nil {
		_ = s.sent(ctx, since-time.Second.Microseconds(), func(session string, at int64) { // it is asked again
			if !seen[session] {
				seen[session] = true
				since = max(since, at)
				s.answers.Go(func() { s.result(ctx, session, time.UnixMicro(at).Add(replyDelay)) })
			}
		})
	}
}

// sent visits the openings of sessions that left since a moment.
func (s *scene) sent(ctx context.Context, since int64, visit func(session string, at int64)) error {
	rows, err := s.db.QueryContext(ctx, `select session_id, at from outbox where at >= $1 and session_id <> ''`, since)
	if err != nil {
		return err
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		var session string
		var at int64
		if err := rows.Scan(&session, &at); err != nil {
			return err
		}
		visit(session, at)
	}
	return rows.Err()
}

func (s *scene) result(ctx context.Context, session string, at time.Time) {
	_ = pause(ctx, time.Until(at))
	for ctx.Err() == nil {
		status, raw, err := s.send(ctx, http.MethodPost, "/v1/sessions/"+session+"/results", doc{"status": "completed", "results": doc{"note": payload}})
		switch {
		case err == nil && status == http.StatusAccepted:
			return
		case err == nil && status != http.StatusNotFound && status < 500: // not found: the message left before its session is known
			s.failed.CompareAndSwap(nil, fmt.Errorf("result of session %s: %d %.300s", session, status, raw))
			return
		}
		_ = pause(ctx, 20*time.Millisecond)
	}
}

// payload is what travels with every step of skeleton C, 100 bytes.
const payload = "0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789"
