package strategies

import (
	"runtime"
	"time"

	"carillon/strategies/sandbox"
)

// Mode says what happens where the sandbox cannot be had.
type Mode string

// The modes. Outside Linux only BestEffort and Off work, and both run unsandboxed: for development only.
const (
	Required   Mode = "required"    // refuse to start
	BestEffort Mode = "best-effort" // go on with the layers there are
	Off        Mode = "off"
)

// Options of a Pool. The zero value is fit for production.
type Options struct {
	Python  string // interpreter, 3.10 or newer; "" finds one
	Workers int    // processes that serve campaigns, about 22 MB each; 0 is one per core. One spare is extra.
	Sandbox Mode   // "" is Required
	// Executable is a program that calls LaunchIfAsked first thing in main; "" is this one.
	Executable string
	// Egress is the way out for jobs with Network; nil denies every socket.
	Egress Egress

	MemoryBytes uint64        // of one worker; 0 is 512 MiB
	ResultBytes int           // of one returned contact; 0 is 4 MiB
	Deadline    time.Duration // of a call whose job sets none; 0 is 30 s. data_load gets at most 10 s of it.
	CPULimit    time.Duration // computing without an await; 0 is 2 s
	BlockLimit  time.Duration // blocking without an await; 0 is 10 s
	Grace       time.Duration // what a call gets to end after it was told to; 0 is 500 ms
	Concurrency int           // waiting calls in one worker; 0 is 32
	MaxCalls    int           // a worker is replaced after so many; 0 is 50,000
	MaxAge      time.Duration // and after so long; 0 is 1 h

	// OnQuarantine hears of a version that was quarantined, with what it did last, before the call that did it returns.
	// It must not call the pool.
	OnQuarantine func(campaignID string, s Source, last Error)
}

// Egress is a proxy on this machine that strategies go through. Package egress has one.
type Egress interface {
	// Port is the only TCP port a process can reach.
	Port() int
	// Admit returns the proxy's URL with credentials for one process that serves the campaign, and what takes them back.
	// It is called for every process, and by many goroutines.
	Admit(campaignID string) (proxyURL string, revoke func())
}

const (
	defaultDeadline  = 30 * time.Second
	dataLoadDeadline = 10 * time.Second
	nobody           = 65534
	frameLimit       = 16 << 20
	restBytes        = 300 << 20 // a worker holding more than this is replaced when it rests
	residency        = 100 * time.Millisecond
	slowStep         = 100 * time.Millisecond
)

func (o Options) withDefaults() Options {
	o.Workers = or(o.Workers, runtime.NumCPU())
	o.Sandbox = or(o.Sandbox, Required)
	o.MemoryBytes = or(o.MemoryBytes, 512<<20)
	o.ResultBytes = min(or(o.ResultBytes, 4<<20), frameLimit/2)
	o.Deadline = or(o.Deadline, defaultDeadline)
	o.CPULimit = or(o.CPULimit, 2*time.Second)
	o.BlockLimit = or(o.BlockLimit, 10*time.Second)
	o.Grace = or(o.Grace, 500*time.Millisecond)
	o.Concurrency = or(o.Concurrency, 32)
	o.MaxCalls = or(o.MaxCalls, 50_000)
	o.MaxAge = or(o.MaxAge, time.Hour)
	if !sandbox.Supported && o.Sandbox == BestEffort {
		o.Sandbox = Off
	}
	return o
}

func or[T comparable](v, otherwise T) T {
	var zero T
	if v == zero {
		return otherwise
	}
	return v
}

// limits of one call.
type limits struct{ deadline, cpu, block time.Duration }

func (o Options) limitsOf(j Job) limits {
	deadline := j.Deadline
	if deadline <= 0 {
		deadline = o.Deadline
		if j.Source.Type == DataLoad {
			deadline = min(deadline, dataLoadDeadline)
		}
	}
	return limits{deadline: deadline, cpu: min(o.CPULimit, deadline), block: min(o.BlockLimit, deadline)}
}
