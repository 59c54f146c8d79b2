package strategies

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	"carillon/campaign"
	"carillon/strategies/sandbox"
)

// worker is one Python process. It serves one campaign from its first call to its end.
type worker struct {
	*process
	pool   *Pool
	python string
	report sandbox.Report

	writing sync.Mutex

	mu     sync.Mutex
	calls  map[uint64]*pending
	nextID uint64
	fate   *fate // why it is being ended
	gone   bool

	watched chan struct{} // closed when nobody reads the page any more

	revoke func()             // ends its way out
	hide   *campaign.Redactor // the password of that way; nil without network

	// loaded holds the versions it has, with their load errors. Whoever holds the step may use it.
	loaded map[string]*Error

	// The rest belongs to the pool and its lock.
	key       key
	bound     bool
	stepping  bool // someone holds the step: a frame was sent and not all of its calls are finished or waiting
	exclusive bool // until the frame is finished altogether
	open      int  // frames not finished
	served    int
	retiring  bool
	born      time.Time
	boundAt   time.Time
	usedAt    time.Time
}

// pending is a call under way in a worker.
type pending struct {
	id       uint64
	call     Call
	index    int // in the batch
	runs     int // so far
	limits   limits
	frame    *dispatch
	waiting  bool
	since    time.Time // waiting since
	answered bool
	reply    reply
}

func (p *pending) size() int {
	return 150 + len(p.call.Contact) + len(p.call.Existing) + len(p.call.SessionResults) + len(p.call.Message) + len(p.call.Kwargs)
}

// dispatch is one frame of calls (or the loading of one source) sent to a worker.
type dispatch struct {
	calls            []*pending
	source           Source
	unacked, unended int
	heard            time.Time
	done             chan struct{} // all answered, or the worker is gone
	acked, lost      bool
	culprit          *pending
	blame            *Error
	exclusive, loads bool
}

// write sends one frame that already has its length in front.
func (w *worker) write(frame []byte) error {
	if len(frame) > frameLimit+4 {
		return errFrame
	}
	w.writing.Lock()
	defer w.writing.Unlock()
	_, err := w.control.Write(frame)
	return err
}

func (w *worker) writeJSON(v any) error {
	b, err := json.Marshal(v)
	if err != nil {
		return err
	}
	w.writing.Lock()
	defer w.writing.Unlock()
	return writeFrame(w.control, b)
}

// register gives calls their ids and makes them known as under way.
func (w *worker) register(d *dispatch) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.gone || w.fate != nil {
		return errGone
	}
	d.unacked, d.unended, d.done, d.heard = len(d.calls), len(d.calls), make(chan struct{}), w.pool.now()
	for _, p := range d.calls {
		w.nextID++
		p.id, p.frame, p.waiting, p.answered = w.nextID, d, false, false
		w.calls[p.id] = p
	}
	return nil
}

var errGone = errors.New("the worker is gone")

// listen takes the worker's frames until it is gone.
func (w *worker) listen() {
	defer w.pool.goroutines.Done()
	in := bufio.NewReaderSize(w.control, 256<<10)
	for {
		frame, err := readFrame(in)
		if err == nil {
			var r reply
			if r, err = parseReply(frame); err == nil {
				err = w.take(r)
			}
			if err != nil {
				err = fmt.Errorf("%w: %w", errProtocol, err)
			}
		}
		if errors.Is(err, errProtocol) || errors.Is(err, errFrame) {
			w.end(&fate{kind: KindWorkerCrashed, name: "Protocol", message: "something wrote to the worker's control channel: " + err.Error()})
		}
		if err != nil {
			w.bury()
			return
		}
	}
}

var errProtocol = errors.New("protocol")

// take handles one frame.
func (w *worker) take(r reply) error {
	r.redact(w.hide)
	if r.T == "retire" {
		w.pool.retire(w)
		return nil
	}
	w.mu.Lock()
	p := w.calls[r.ID]
	if p == nil || (r.T != "waiting" && r.T != "ok" && r.T != "err") {
		w.mu.Unlock()
		return fmt.Errorf("an unexpected frame %q for call %d", r.T, r.ID)
	}
	d := p.frame
	d.heard = w.pool.now()
	if !p.waiting {
		d.unacked--
	}
	if r.T == "waiting" {
		p.waiting, p.since = true, d.heard
	} else {
		p.answered, p.reply = true, r
		delete(w.calls, p.id)
		d.unended--
	}
	ended := d.unended == 0
	step := d.unacked == 0 && !d.acked && (ended || !d.exclusive)
	if step {
		d.acked = true
	}
	blocked := !p.waiting && !d.loads && time.Duration(r.US)*time.Microsecond > slowStep
	w.mu.Unlock()
	if blocked {
		w.pool.blocked(d.source.Key)
	}
	if r.Retire {
		w.pool.retire(w)
	}
	if !d.loads && (step || ended) {
		w.pool.stepped(w, d, step, ended)
	}
	if ended {
		close(d.done)
	}
	return nil
}
