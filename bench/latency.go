package main

import (
	"context"
	"fmt"
	"math"
	"time"
)

// latency spreads contacts out so that the system has nothing else to do when one is due, and compares the moment the
// provider is called with the start date.
func latency(ctx context.Context, l *lab) (result, error) {
	n := l.size(200, 20)
	h, err := l.newHouse(ctx, false)
	if err != nil {
		return result{}, err
	}
	defer h.close()
	s, err := newScene(ctx, h)
	if err != nil {
		return result{}, err
	}
	if err := s.walk(ctx, 10); err != nil {
		return result{}, err
	}
	s.cancel() // nobody answers: a contact ends at its first message, as far as time goes
	after, err := s.number(ctx, `select count(*) from outbox`)
	if err != nil {
		return result{}, err
	}
	oth := others(h.temporal.pid(), h.worker.pid(), h.server.pid())
	first := time.Now().Add(time.Duration(3000+20*n) * time.Millisecond)
	if err := s.addSpread(ctx, n, first, 150*time.Millisecond); err != nil {
		return result{}, err
	}
	err = until(ctx, 5*time.Minute, "all messages left", func() (bool, error) {
		sent, err := s.number(ctx, `select count(*) from outbox`)
		return sent >= after+n, err
	})
	if err != nil {
		return result{}, err
	}
	rows, err := s.db.QueryContext(ctx, `select o.at - m.start_date from outbox o join communications m on m.id = o.communication_id
		where m.start_date >= $1`, first.Add(-time.Second).UnixMicro())
	if err != nil {
		return result{}, err
	}
	defer func() { _ = rows.Close() }()
	var late []float64
	for rows.Next() {
		var micros int64
		if err := rows.Scan(&micros); err != nil {
			return result{}, err
		}
		late = append(late, float64(micros)/1000)
	}
	if err := rows.Err(); err != nil {
		return result{}, err
	}
	if len(late) != n {
		return result{}, fmt.Errorf("%d messages of %d", len(late), n)
	}
	p99 := quantile(late, 0.99)
	return judged(p99 < 150, fmt.Sprintf("n = %d, p50 %.0f, p90 %.0f, max %.0f ms; oth %.2f", n, median(late), quantile(late, 0.9), quantile(late, 1), oth()),
		"p99 %.0f ms", math.Ceil(p99)), nil
}
