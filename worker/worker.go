// Package worker binds every contract of package workflows to its
// implementation and tunes the pollers. It must not hold any rule of its own.
package worker

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"carillon/activities"
	"carillon/inbound"
	"carillon/workflows"
)

// Options tune a worker. Zero values are fit for one machine.
type Options struct {
	Activities  *activities.Activities
	Log         *slog.Logger
	CacheSize   int           // workflows kept in memory; 0 is 2,000
	StopTimeout time.Duration // what sends under way get at the end; 0 is 15 s
}

// Worker polls every queue of this process.
type Worker struct {
	client client.Client
	o      Options
	fixed  []worker.Worker
	cancel context.CancelFunc
	loops  sync.WaitGroup // what runs beside the pollers until cancel

	mu    sync.Mutex
	sends map[string]sender
}

type sender struct {
	worker worker.Worker
	rate   float64
}

// RegisterWorkflows registers the workflow types; the replayer uses it too.
func RegisterWorkflows(r interface {
	RegisterWorkflowWithOptions(w any, options workflow.RegisterOptions)
},
) {
	r.RegisterWorkflowWithOptions(workflows.Contact, workflow.RegisterOptions{Name: workflows.TypeContact})
	r.RegisterWorkflowWithOptions(workflows.Import, workflow.RegisterOptions{Name: workflows.TypeImport})
	r.RegisterWorkflowWithOptions(workflows.Launch, workflow.RegisterOptions{Name: workflows.TypeLaunch})
	r.RegisterWorkflowWithOptions(workflows.Sweep, workflow.RegisterOptions{Name: workflows.TypeSweep})
}

// New makes a worker for every queue; Start begins to poll.
func New(c client.Client, o Options) *Worker {
	if o.CacheSize == 0 {
		o.CacheSize = 2000
	}
	if o.StopTimeout == 0 {
		o.StopTimeout = 15 * time.Second
	}
	worker.SetStickyWorkflowCacheSize(o.CacheSize)
	w := &Worker{client: c, o: o, sends: map[string]sender{}}
	a := o.Activities

	contacts := worker.New(c, workflows.QueueContacts, w.options(func(o *worker.Options) {
		o.MaxConcurrentWorkflowTaskExecutionSize = 64
		o.MaxConcurrentLocalActivityExecutionSize = 64
		o.LocalActivityWorkerOnly = true
		// Only this kind polls for new runs beside those in the cache. The simple one serves the cache first: of many
		// contacts that are due together, the first would go through their later stages before the last one began.
		o.WorkflowTaskPollerBehavior = worker.NewPollerBehaviorAutoscaling(worker.PollerBehaviorAutoscalingOptions{MinimumNumberOfPollers: 2, InitialNumberOfPollers: 4, MaximumNumberOfPollers: 16})
	}))
	RegisterWorkflows(contacts)
	workflows.BeginRun.Bind(contacts, a.BeginRun)
	workflows.Record.Bind(contacts, a.Record)
	workflows.Gate.Bind(contacts, a.Gate)
	workflows.RunStrategy.Bind(contacts, a.RunStrategy)
	workflows.Turn.Bind(contacts, a.Turn)
	workflows.CloseSession.Bind(contacts, a.CloseSession)
	workflows.OpenLate.Bind(contacts, a.OpenLate)
	workflows.ReleaseAgent.Bind(contacts, a.ReleaseAgent)

	strategies := worker.New(c, workflows.QueueStrategies, w.options(func(o *worker.Options) {
		o.DisableWorkflowWorker = true
		o.MaxConcurrentActivityExecutionSize = 64
	}))
	workflows.RunStrategy.Bind(strategies, a.RunStrategy)

	agents := worker.New(c, workflows.QueueAgents, w.options(func(o *worker.Options) {
		o.DisableWorkflowWorker = true
		o.MaxConcurrentActivityExecutionSize = 64
	}))
	workflows.Turn.Bind(agents, a.Turn)

	office := worker.New(c, workflows.QueueOffice, w.options(func(o *worker.Options) {
		o.DisableWorkflowWorker = true
		o.MaxConcurrentActivityExecutionSize = 16
	}))
	workflows.ImportChunk.Bind(office, a.ImportChunk)
	workflows.FinishImport.Bind(office, a.FinishImport)
	workflows.LaunchChunk.Bind(office, a.LaunchChunk)
	workflows.SweepChunk.Bind(office, a.SweepChunk)

	w.fixed = []worker.Worker{contacts, strategies, agents, office, w.newSender(workflows.QueueOutbox, 0), w.newSender(workflows.QueueHuman, 0)}
	return w
}

func (w *Worker) options(tune func(*worker.Options)) worker.Options {
	o := worker.Options{WorkerStopTimeout: w.o.StopTimeout, DisableRegistrationAliasing: true}
	tune(&o)
	return o
}

// newSender polls one integration's queue; the rate is enforced by the server
// over all workers.
func (w *Worker) newSender(queue string, rate float64) worker.Worker {
	s := worker.New(w.client, queue, w.options(func(o *worker.Options) {
		o.DisableWorkflowWorker = true
		o.MaxConcurrentActivityExecutionSize = 64
		o.ActivityTaskPollerBehavior = worker.NewPollerBehaviorSimpleMaximum(worker.PollerBehaviorSimpleMaximumOptions{MaximumNumberOfPollers: 4})
		o.TaskQueueActivitiesPerSecond = rate
	}))
	workflows.Send.Bind(s, w.o.Activities.Send)
	workflows.Reply.Bind(s, w.o.Activities.Reply)
	return s
}

// Start begins to poll; it returns when every fixed queue is polled.
func (w *Worker) Start(ctx context.Context) error {
	for i, f := range w.fixed {
		if err := f.Start(); err != nil {
			for _, started := range w.fixed[:i] {
				started.Stop()
			}
			return fmt.Errorf("start worker: %w", err)
		}
	}
	ctx, w.cancel = context.WithCancel(ctx)
	loops := []func(context.Context){w.follow, w.o.Activities.Relay.Run, w.reconcileLeft, w.rollUp}
	if w.o.Activities.Mode != activities.ModeOutbox { // where nothing leaves, nobody is asked either
		loops = append(loops, w.listener().Run)
	}
	for _, loop := range loops {
		w.loops.Go(func() { loop(ctx) })
	}
	return nil
}

// listener polls the providers that call nobody.
func (w *Worker) listener() *inbound.Listener {
	a := w.o.Activities
	return &inbound.Listener{Store: a.Store, Channels: a.Channels, Relay: a.Relay, HTTP: a.HTTP, Dial: a.Dial, Now: a.Now, Log: w.o.Log}
}

// reconcileLeft takes up what dead processes left, four times a minute, and
// tidies up every hour.
func (w *Worker) reconcileLeft(ctx context.Context) {
	tick := time.NewTicker(15 * time.Second)
	defer tick.Stop()
	tidied := time.Now()
	for {
		if time.Since(tidied) > time.Hour {
			tidied = time.Now()
			if err := w.o.Activities.Tidy(ctx); err != nil && ctx.Err() == nil {
				w.o.Log.Warn("tidy", "error", err)
			}
		}
		if err := w.o.Activities.Reconcile(ctx); err != nil && ctx.Err() == nil {
			w.o.Log.Warn("reconcile", "error", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// rollUp adds up what writes append to the tallies, every two seconds: readers add
// what is not rolled up yet, so it is for their speed only.
func (w *Worker) rollUp(ctx context.Context) {
	tick := time.NewTicker(2 * time.Second)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if err := w.o.Activities.Store.RollUp(ctx); err != nil && ctx.Err() == nil {
			w.o.Log.Warn("roll up", "error", err)
		}
	}
}

// Stop stops polling, lets what is under way end within StopTimeout, and returns.
func (w *Worker) Stop() {
	w.cancel()
	w.loops.Wait()
	var wg sync.WaitGroup
	for _, f := range w.fixed {
		wg.Go(f.Stop)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, s := range w.sends {
		wg.Go(s.worker.Stop)
	}
	wg.Wait()
}

// follow keeps one sender per integration, as the table says, every few seconds.
func (w *Worker) follow(ctx context.Context) {
	tick := time.NewTicker(3 * time.Second)
	defer tick.Stop()
	for {
		if err := w.reconcile(ctx); err != nil && ctx.Err() == nil {
			w.o.Log.Warn("integrations not read", "error", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

func (w *Worker) reconcile(ctx context.Context) error {
	wanted, err := w.o.Activities.SendRates(ctx)
	if err != nil {
		return err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for id, s := range w.sends {
		if rate, ok := wanted[id]; !ok || rate != s.rate {
			s.worker.Stop()
			delete(w.sends, id)
		}
	}
	for id, rate := range wanted {
		if _, ok := w.sends[id]; ok {
			continue
		}
		s := w.newSender(workflows.QueueSendPrefix+id, rate)
		if err := s.Start(); err != nil {
			return fmt.Errorf("start sender of %s: %w", id, err)
		}
		w.sends[id] = sender{worker: s, rate: rate}
	}
	return nil
}
