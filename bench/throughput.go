package main

import (
	"context"
	"fmt"
	"math"
	"os"
	"time"

	"carillon/workflows"
)

// measured is one run of contacts.
type measured struct {
	perSecond, cpu float64 // contacts per second, CPU-ms per contact
}

// throughput takes contacts through three stages, skeleton C (C) and Carillon (X) in the order C X X C C X on one
// fresh server, each after a warm-up that does not count. CPU is that of the server, of the side's own processes and
// of what drives it.
func throughput(ctx context.Context, l *lab) (result, error) {
	h, err := l.newHouse(ctx, os.Getenv("BENCH_STORE") == "postgres")
	if err != nil {
		return result{}, err
	}
	defer h.close()
	s, err := newScene(ctx, h)
	if err != nil {
		return result{}, err
	}
	c, err := h.newRival(ctx)
	if err != nil {
		return result{}, err
	}
	const warm = 30
	if _, err := c.walk(ctx, order{Contacts: warm}); err != nil {
		return result{}, err
	}
	if err := s.walk(ctx, warm); err != nil {
		return result{}, err
	}
	runs := map[rune][]measured{}
	worst := 0.0
	for _, who := range "CXXCCX" {
		ours := []int{h.temporal.pid(), h.worker.pid(), h.server.pid(), c.pid(), os.Getpid()}
		side := []int{h.temporal.pid(), c.pid()}
		if who == 'X' {
			side = []int{h.temporal.pid(), h.worker.pid(), h.server.pid()}
		}
		cal, oth := calibrate(), others(ours...)
		driver := self()
		before, began := cpuEach(side), time.Now()
		var id string
		if who == 'C' {
			r, err := c.walk(ctx, order{Contacts: l.n})
			if err != nil {
				return result{}, err
			}
			id = r.ID
		} else if err := s.walk(ctx, l.n); err != nil {
			return result{}, err
		}
		took, parts, cpu := time.Since(began), "", time.Duration(0)
		for i, after := range cpuEach(side) {
			cpu += after - before[i]
			parts += fmt.Sprintf(" %.1f", float64((after-before[i]).Milliseconds())/float64(l.n))
		}
		if who == 'X' {
			cpu += self() - driver
			if id, err = s.anyContact(ctx); err != nil {
				return result{}, err
			}
		}
		used := oth()
		worst = max(worst, used)
		m := measured{float64(l.n) / took.Seconds(), float64(cpu.Milliseconds()) / float64(l.n)}
		runs[who] = append(runs[who], m)
		transitions, err := h.transitions(ctx, id)
		if err != nil {
			return result{}, err
		}
		l.logf("%c n=%d: %.2f contacts/s, %.1f CPU-ms per contact (of each process:%s), %d transitions; oth %.2f cal %.0f ms", who, l.n, m.perSecond, m.cpu, parts, transitions, used, cal)
	}
	return compare(runs['C'], runs['X'], worst), nil
}

// compare judges Carillon's runs by the skeleton's.
func compare(c, x []measured, oth float64) result {
	columns := func(m []measured) (r, c []float64) {
		for _, one := range m {
			r, c = append(r, one.perSecond), append(c, one.cpu)
		}
		return r, c
	}
	cr, cc := columns(c)
	xr, xc := columns(x)
	rate, cpu := median(xr)/median(cr), median(cc)/median(xc)
	note := fmt.Sprintf("C %s/s %s ms, X %s/s %s ms; C to C %.0f %%, %.0f %%; oth <= %.2f", figures(cr, "%.1f"), figures(cc, "%.0f"),
		figures(xr, "%.1f"), figures(xc, "%.0f"), 100*spread(cr), 100*spread(cc), oth)
	if oth > 0.1 {
		note += " (void: others used the machine)"
	}
	return judged(math.Min(rate, cpu) >= 0.85, note, "contacts/s %.2f, CPU %.2f", rate, cpu)
}

// self is what this process has computed.
func self() time.Duration { return processes()[os.Getpid()].cpu }

// transitions counts the state transitions of a workflow.
func (h *house) transitions(ctx context.Context, workflowID string) (int64, error) {
	info, err := h.client.DescribeWorkflowExecution(ctx, workflowID, "")
	if err != nil {
		return 0, fmt.Errorf("describe %s: %w", workflowID, err)
	}
	return info.GetWorkflowExecutionInfo().GetStateTransitionCount(), nil
}

// anyContact returns the workflow of the contact that ended last.
func (s *scene) anyContact(ctx context.Context) (string, error) {
	var id string
	err := s.db.QueryRowContext(ctx, `select id from contacts where campaign_id = $1 and status = 'completed' order by ended_at desc limit 1`, s.id).Scan(&id)
	return workflows.ContactWorkflowID(s.id, id), err
}

// transitions of one contact at a time: nothing that comes together is taken together by chance.
func transitions(ctx context.Context, l *lab) (result, error) {
	h, err := l.newHouse(ctx, false)
	if err != nil {
		return result{}, err
	}
	defer h.close()
	s, err := newScene(ctx, h)
	if err != nil {
		return result{}, err
	}
	c, err := h.newRival(ctx)
	if err != nil {
		return result{}, err
	}
	r, err := c.walk(ctx, order{Contacts: 1})
	if err != nil {
		return result{}, err
	}
	skeletons, err := h.transitions(ctx, r.ID)
	if err != nil {
		return result{}, err
	}
	most, all := int64(0), ""
	for range l.size(5, 3) {
		if err := s.walk(ctx, 1); err != nil {
			return result{}, err
		}
		id, err := s.anyContact(ctx)
		if err != nil {
			return result{}, err
		}
		n, err := h.transitions(ctx, id)
		if err != nil {
			return result{}, err
		}
		most, all = max(most, n), all+fmt.Sprintf(" %d", n)
	}
	return judged(most <= 33, fmt.Sprintf("runs%s; skeleton C %d", all, skeletons), "%d", most), nil
}
