package main

import (
	"context"
	"fmt"
	"os"
	"time"
)

// burst lets 1,000 contacts be due in the same moment, each side twice in the order C X X C, and compares how late the
// last first message left. Both sides go on with their contacts' other stages meanwhile.
func burst(ctx context.Context, l *lab) (result, error) {
	n := l.size(1000, 100)
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
	if _, err := c.walk(ctx, order{Contacts: 30}); err != nil {
		return result{}, err
	}
	if err := s.walk(ctx, 30); err != nil {
		return result{}, err
	}
	lates := map[rune][]float64{}
	worst := 0.0
	for _, who := range "CXXC" {
		oth := others(os.Getpid())
		due := time.Now().Add(time.Duration(5000+20*n) * time.Millisecond).Truncate(time.Millisecond)
		var late time.Duration
		if who == 'C' {
			r, err := c.walk(ctx, order{Contacts: n, Due: due})
			if err != nil {
				return result{}, err
			}
			late = r.LastSend.Sub(due)
		} else if late, err = s.burst(ctx, n, due); err != nil {
			return result{}, err
		}
		worst = max(worst, oth())
		lates[who] = append(lates[who], late.Seconds())
		l.logf("%c: the last of %d left %.2f s after it was due", who, n, late.Seconds())
	}
	mc, mx := median(lates['C']), median(lates['X'])
	return judged(mx <= mc, fmt.Sprintf("C %s s, X %s s; oth <= %.2f", figures(lates['C'], "%.1f"), figures(lates['X'], "%.1f"), worst),
		"%.1f s against %.1f s", mx, mc), nil
}

// burst takes contacts that are all due at one time to completion and returns how late the last first message left.
func (s *scene) burst(ctx context.Context, n int, due time.Time) (time.Duration, error) {
	base, err := s.completed(ctx)
	if err != nil {
		return 0, err
	}
	if err := s.add(ctx, n, due); err != nil {
		return 0, err
	}
	if err := s.launched(ctx, time.Minute); err != nil {
		return 0, err
	}
	if time.Now().After(due) {
		return 0, fmt.Errorf("the contacts were launched %s after they were due: the machine is too busy", time.Since(due).Round(time.Millisecond))
	}
	err = until(ctx, 30*time.Minute, "the contacts are completed", func() (bool, error) {
		done, err := s.completed(ctx)
		return done == base+n, err
	})
	if err != nil {
		return 0, err
	}
	var last int64
	err = s.db.QueryRowContext(ctx, `select max(o.at) from outbox o join communications m on m.id = o.communication_id
		where m.start_date = $1`, due.UnixMicro()).Scan(&last)
	return time.UnixMicro(last).Sub(due), err
}
