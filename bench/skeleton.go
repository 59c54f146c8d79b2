package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"
)

// Skeleton C is what Carillon is measured against: the barest Temporal workflow that waits, sends, hears of a result
// and runs a strategy, three times; no store, no Python, no rule. It runs in a process of its own, this program called
// as "bench skeleton HOST:PORT", which takes orders as lines of JSON.

const skeletonQueue = "skeleton-c"

// order asks the skeleton to take contacts to completion.
type order struct {
	Contacts int       `json:"contacts"`
	Due      time.Time `json:"due,omitzero"` // of every first message; zero is soon
}

// report is what became of an order.
type report struct {
	Seconds  float64   `json:"seconds"`
	LastSend time.Time `json:"last_send"` // of the first messages
	ID       string    `json:"id"`        // of one workflow
	Error    string    `json:"error,omitempty"`
}

type skeletonInput struct {
	Due     time.Time `json:"due,omitzero"`
	Payload string    `json:"payload"`
}

// skeleton is that process.
type skeleton struct {
	client client.Client
	done   atomic.Int64
	mu     sync.Mutex
	last   time.Time
	next   int
}

func skeletonProcess(ctx context.Context, hostPort string, in io.Reader, out io.Writer) error {
	// Without compression, as Carillon talks to a server on the same machine.
	c, err := client.DialContext(ctx, client.Options{HostPort: hostPort, Logger: silent{}, ConnectionOptions: client.ConnectionOptions{GrpcCompression: &client.GrpcCompressionNone{}}})
	if err != nil {
		return err
	}
	defer c.Close()
	s := &skeleton{client: c}
	eight := worker.NewPollerBehaviorSimpleMaximum(worker.PollerBehaviorSimpleMaximumOptions{MaximumNumberOfPollers: 8})
	w := worker.New(c, skeletonQueue, worker.Options{WorkflowTaskPollerBehavior: eight, ActivityTaskPollerBehavior: eight})
	w.RegisterWorkflowWithOptions(s.workflow, workflow.RegisterOptions{Name: "C"})
	w.RegisterActivityWithOptions(s.send, activity.RegisterOptions{Name: "Send"})
	w.RegisterActivityWithOptions(s.strategy, activity.RegisterOptions{Name: "Strategy"})
	if err := w.Start(); err != nil {
		return err
	}
	defer w.Stop()
	if _, err := fmt.Fprintln(out, `{"ready":true}`); err != nil {
		return err
	}
	go func() { // closes with the order, which unblocks the scanner
		<-ctx.Done()
		if f, ok := in.(*os.File); ok {
			_ = f.Close()
		}
	}()
	for scan := bufio.NewScanner(in); scan.Scan(); {
		var o order
		if err := json.Unmarshal(scan.Bytes(), &o); err != nil {
			return err
		}
		r, err := s.walk(ctx, o)
		if err != nil {
			r.Error = err.Error()
		}
		line, _ := json.Marshal(r) // no field can fail
		if _, err := fmt.Fprintln(out, string(line)); err != nil {
			return err
		}
	}
	return nil
}

func (s *skeleton) workflow(ctx workflow.Context, in skeletonInput) error {
	ctx = workflow.WithActivityOptions(ctx, workflow.ActivityOptions{StartToCloseTimeout: 10 * time.Second})
	for stage := range 3 {
		wait := stageDelay
		if stage == 0 && !in.Due.IsZero() {
			wait = in.Due.Sub(workflow.Now(ctx))
		}
		if err := workflow.Sleep(ctx, wait); err != nil {
			return err
		}
		var sent, result, next string
		if err := workflow.ExecuteActivity(ctx, "Send", stage, in.Payload).Get(ctx, &sent); err != nil {
			return err
		}
		workflow.GetSignalChannel(ctx, "result").Receive(ctx, &result)
		if err := workflow.ExecuteActivity(ctx, "Strategy", result).Get(ctx, &next); err != nil {
			return err
		}
	}
	if !workflow.IsReplaying(ctx) {
		s.done.Add(1)
	}
	return nil
}

func (s *skeleton) send(ctx context.Context, stage int, payload string) (string, error) {
	if stage == 0 {
		s.mu.Lock()
		s.last = time.Now()
		s.mu.Unlock()
	}
	id := activity.GetInfo(ctx).WorkflowExecution.ID
	time.AfterFunc(replyDelay, func() { //nolint:contextcheck // outlives the activity
		for try := 0; try < 100 && s.client.SignalWorkflow(context.Background(), id, "", "result", payload) != nil; try++ {
			<-time.After(20 * time.Millisecond)
		}
	})
	return payload, nil
}

func (s *skeleton) strategy(_ context.Context, result string) (string, error) { return result, nil }

// walk starts workflows as scene.walk adds contacts, and returns when all are done.
func (s *skeleton) walk(ctx context.Context, o order) (r report, err error) {
	began, base := time.Now(), s.done.Load()
	at := inFlight
	if !o.Due.IsZero() {
		at = o.Contacts
	}
	added := 0
	err = until(ctx, 30*time.Minute, "the workflows are done", func() (bool, error) {
		done := int(s.done.Load() - base)
		if done == o.Contacts {
			return true, nil
		}
		if more := min(batch, o.Contacts-added); more > 0 && added-done <= at-more {
			added += more
			r.ID, err = s.start(ctx, more, o.Due)
			return false, err
		}
		return false, nil
	})
	s.mu.Lock()
	defer s.mu.Unlock()
	r.Seconds, r.LastSend = time.Since(began).Seconds(), s.last
	return r, err
}

// start starts workflows, as many at a time as a launch of Carillon.
func (s *skeleton) start(ctx context.Context, n int, due time.Time) (id string, err error) {
	var wg sync.WaitGroup
	var mu sync.Mutex
	gate := make(chan struct{}, 24)
	for range n {
		s.next++
		id = fmt.Sprintf("c-%d-%d", os.Getpid(), s.next)
		options := client.StartWorkflowOptions{ID: id, TaskQueue: skeletonQueue}
		gate <- struct{}{}
		wg.Go(func() {
			defer func() { <-gate }()
			if _, started := s.client.ExecuteWorkflow(ctx, options, "C", skeletonInput{Due: due, Payload: payload}); started != nil {
				mu.Lock()
				err = errors.Join(err, started)
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	return id, err
}

// rival is the skeleton's process as the rows see it.
type rival struct{ *process }

func (h *house) newRival(ctx context.Context) (*rival, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	p, err := launch(ctx, environ(), self, "skeleton", h.hostPort)
	if err != nil {
		return nil, err
	}
	h.ends = append(h.ends, p.stop)
	return &rival{p}, nil
}

func (r *rival) walk(ctx context.Context, o order) (out report, err error) {
	line, _ := json.Marshal(o) // no field can fail
	if _, err := fmt.Fprintln(r.in, string(line)); err != nil {
		return out, err
	}
	select {
	case said := <-r.lines:
		if err := json.Unmarshal(said, &out); err != nil {
			return out, err
		}
		if out.Error != "" {
			return out, errors.New(out.Error)
		}
		return out, nil
	case <-r.exited:
		return out, fmt.Errorf("the skeleton ended:\n%s", r.stderr)
	case <-ctx.Done():
		return out, ctx.Err()
	}
}
