package strategies

import (
	"context"
	"fmt"
	"time"
)

// Problem is something wrong with a source, found without running it for a contact.
type Problem struct {
	Severity string `json:"severity"` // "error": it would not run; "warning"
	Message  string `json:"message"`
	Line     int    `json:"line"`
	Column   int    `json:"column"`
}

// The severities.
const (
	SeverityError   = "error"
	SeverityWarning = "warning"
)

// Check parses the code and, if that finds no error, loads it, both in a sandboxed process that serves nothing else and
// ends afterwards. Stage names the campaign does not have are warnings; stageNames nil does not look at them.
func (p *Pool) Check(ctx context.Context, t Type, function, code string, stageNames []string) ([]Problem, error) {
	if !t.Valid() {
		return nil, fmt.Errorf("check strategy: unknown type %q", t)
	}
	p.mu.Lock()
	p.checks++
	k := key{campaign: fmt.Sprintf("\x00check %d", p.checks), timezone: "UTC"}
	p.mu.Unlock()
	// The key is empty: a draft that ends its worker is not held against a saved version.
	s := Source{Type: t, Function: function, Filename: "strategy.py", Code: code}
	l := limits{deadline: dataLoadDeadline, cpu: p.options.CPULimit, block: p.options.BlockLimit}
	for range maxRuns {
		w, err := p.acquire(ctx, k, true)
		if err != nil {
			return nil, fmt.Errorf("check strategy: %w", err)
		}
		p.mu.Lock()
		w.retiring = true
		p.mu.Unlock()
		found, err := p.checkIn(w, s, l, stageNames)
		p.putBack(w)
		if err == nil {
			return found, nil
		}
	}
	return nil, fmt.Errorf("check strategy: %w", &Error{Kind: KindWorkerLost, Type: "WorkerLost", Message: "its worker was lost several times"})
}

func (p *Pool) checkIn(w *worker, s Source, l limits, stages []string) ([]Problem, error) {
	r, blame, err := p.ask(w, s, l, sourceFrame{T: "check", Stages: stages})
	switch {
	case err != nil:
		return nil, err
	case blame != nil:
		return []Problem{problemOf(blame)}, nil
	}
	for _, problem := range r.Problems {
		if problem.Severity == SeverityError {
			return r.Problems, nil
		}
	}
	e, err := p.load(w, Job{Timezone: time.UTC.String(), Source: s}, l)
	if err != nil {
		return nil, err
	}
	if e != nil {
		r.Problems = append(r.Problems, problemOf(e))
	}
	return r.Problems, nil
}

func problemOf(e *Error) Problem {
	return Problem{Severity: SeverityError, Message: e.Type + ": " + e.Message, Line: max(e.Line, 1), Column: max(e.Column, 1)}
}
