package strategies

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"

	"carillon/strategies/sandbox"
)

// key is what a worker is bound to: nothing of one campaign must meet another's.
type key struct {
	campaign, timezone string
	network            bool
}

// Pool is a set of workers. It is safe for concurrent use.
type Pool struct {
	options    Options
	python     *interpreter
	executable string
	now        func() time.Time
	quarantine *quarantine
	goroutines sync.WaitGroup
	spawner    chan func()
	stop       chan struct{}

	mu       sync.Mutex
	workers  []*worker // bound ones and the spare
	starting map[key]int
	spare    *worker
	sparing  bool
	waiters  []*waiter
	resident *time.Timer
	checks   int
	slow     map[string]bool // versions that block: they run alone, so that none waits behind them
	closed   bool
}

// Open finds an interpreter and starts a first worker, so that what is wrong is known at once.
func Open(o Options) (*Pool, error) {
	if os.Getenv(launchVariable) != "" {
		return nil, errors.New("open strategy pool: this process is a worker; call strategies.LaunchIfAsked first thing in main")
	}
	o = o.withDefaults()
	if !sandbox.Supported && o.Sandbox == Required {
		return nil, fmt.Errorf("open strategy pool: %w: set it to %q for development", sandbox.ErrUnavailable, Off)
	}
	python, err := findPython(context.Background(), o.Python)
	if err != nil {
		return nil, fmt.Errorf("open strategy pool: %w", err)
	}
	p := &Pool{
		options: o, python: python, executable: o.Executable, now: time.Now, quarantine: newQuarantine(),
		spawner: make(chan func()), stop: make(chan struct{}), starting: map[key]int{}, slow: map[string]bool{},
	}
	if p.executable == "" {
		if p.executable, err = ownExecutable(); err != nil {
			return nil, fmt.Errorf("open strategy pool: %w", err)
		}
	}
	p.goroutines.Add(1)
	go p.spawn()
	w, err := p.startWorker(key{})
	if err != nil {
		p.Close()
		return nil, fmt.Errorf("open strategy pool: %w", err)
	}
	p.mu.Lock()
	p.adopt(w)
	p.spare = w
	p.mu.Unlock()
	return p, nil
}

// ownExecutable is this program, even after its file was replaced by a newer one.
func ownExecutable() (string, error) {
	if runtime.GOOS == "linux" {
		return "/proc/self/exe", nil
	}
	return os.Executable()
}

// Close ends every worker. Calls under way return ErrClosed.
func (p *Pool) Close() {
	p.mu.Lock()
	if p.closed {
		p.mu.Unlock()
		return
	}
	p.closed = true
	workers := slices.Clone(p.workers)
	for _, wt := range p.waiters {
		wt.refuse(ErrClosed)
	}
	p.waiters = nil
	if p.resident != nil {
		p.resident.Stop()
	}
	p.mu.Unlock()
	for _, w := range workers {
		w.end(&fate{innocent: true, message: "closed"})
	}
	close(p.stop)
	p.goroutines.Wait()
}

// spawn starts processes on one thread that lives as long as the pool: they end when their starting thread does.
func (p *Pool) spawn() {
	defer p.goroutines.Done()
	runtime.LockOSThread() // and never unlocked: the thread ends here
	for {
		select {
		case start := <-p.spawner:
			start()
		case <-p.stop:
			return
		}
	}
}

func (p *Pool) onSpawner(start func()) {
	done := make(chan struct{})
	select {
	case p.spawner <- func() { defer close(done); start() }:
		<-done
	case <-p.stop:
	}
}

// Status describes a pool.
type Status struct {
	Python      string         `json:"python"`
	Version     string         `json:"version"`
	Mode        Mode           `json:"mode"`
	Sandboxed   bool           `json:"sandboxed"`
	Sandbox     sandbox.Report `json:"sandbox"`
	Workers     []WorkerStatus `json:"workers"`
	Waiting     int            `json:"waiting"` // callers without a worker
	Quarantined []string       `json:"quarantined"`
}

// WorkerStatus describes one worker; a spare has no campaign.
type WorkerStatus struct {
	PID      int       `json:"pid"`
	Campaign string    `json:"campaign"`
	Network  bool      `json:"network"`
	Calls    int       `json:"calls"`
	Busy     bool      `json:"busy"`
	Bytes    uint64    `json:"bytes"`
	Since    time.Time `json:"since"`
}

// Status tells what holds and who works.
func (p *Pool) Status() Status {
	s := Status{
		Python: p.python.Executable, Version: p.python.version(), Mode: p.options.Sandbox, Quarantined: p.quarantine.keys(),
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	s.Waiting = len(p.waiters)
	for _, w := range p.workers {
		s.Sandbox = w.report
		s.Sandboxed = p.options.Sandbox != Off && len(w.report.Problems) == 0
		s.Workers = append(s.Workers, WorkerStatus{
			PID: w.cmd.Process.Pid, Campaign: w.key.campaign, Network: w.key.network, Calls: w.served,
			Busy: w.open > 0, Bytes: residentBytes(w.cmd.Process.Pid), Since: w.born,
		})
	}
	return s
}

// String says in one line what the sandbox is made of.
func (s Status) String() string {
	if !s.Sandboxed {
		return fmt.Sprintf("Python %s, UNSANDBOXED (%s %s)", s.Version, s.Mode, strings.Join(s.Sandbox.Problems, "; "))
	}
	return fmt.Sprintf("Python %s, landlock %s, seccomp %s, %s, uid %d", s.Version, s.Sandbox.Landlock, s.Sandbox.Seccomp, s.Sandbox.Limits, s.Sandbox.UID)
}
