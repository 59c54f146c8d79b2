// Command bench measures what Carillon promises (docs/performance.md) and prints one table: what, target, measured,
// spread, verdict. Ratios are of two things measured side by side in one run on one server; counts are exact.
//
//	go run ./bench                  every row but those that are only run when named
//	go run ./bench -row throughput  one row
//	BENCH_N=40 go run ./bench       a tenth of every size, to try it out
//
// It is the wiring's neighbour: it may import every room, and nobody imports it.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"strings"
	"syscall"
	"time"

	"carillon/strategies"
)

// row is one promise and how it is measured.
type row struct {
	name   string
	what   string
	target string
	asked  bool // only run when it is named
	run    func(ctx context.Context, l *lab) (result, error)
}

// rows is every promise of the design, in its order.
func rows() []row {
	return []row{
		{"transitions", "state transitions of one contact: 3 stages, a session result each, import to completion", "<= 33, exact", false, transitions},
		{"throughput", "the same contacts/s and CPU per contact, against the bare skeleton C on the same server", "both >= 0.85", false, throughput},
		{"waiting", "a waiting contact: history writes, Temporal storage, worker memory", "1; <= 30 KB; 0", false, waiting},
		{"import", "import of 100,000 rows with data_load against a bare bulk write of the rows", ">= 0.5, memory flat", false, importing},
		{"calls", "strategy calls through the pool, one worker, batched, sandbox on", ">= 10,000/s", false, calls},
		{"pages", "a page of the contacts list, 1,000,000 contacts against 10,000, worst filter", "<= 1.2", false, pages},
		{"webhook", "webhook verified and committed", ">= 2,000/s, p99 < 50 ms", false, webhook},
		{"latency", "start_date to provider call, idle system", "p99 < 150 ms", false, latency},
		{"burst", "1,000 contacts due in the same second: the last send, against skeleton C's", "not later", false, burst},
		{"kills", "duplicates and losses over 100 random kills (CHAOS=1 runs them)", "0", false, kills},
		{"scale", "100,000 contacts imported, launched, listed, filtered, exported", "memory flat", true, scale},
	}
}

// verdicts of a row.
const (
	pass   = "pass"
	miss   = "MISS"
	notRun = "not run"
)

// result is what a row measured.
type result struct {
	measured string
	spread   string
	verdict  string
}

func judged(ok bool, spread, format string, args ...any) result {
	r := result{measured: fmt.Sprintf(format, args...), spread: spread, verdict: miss}
	if ok {
		r.verdict = pass
	}
	return r
}

func main() {
	strategies.LaunchIfAsked()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	if len(os.Args) == 3 && os.Args[1] == "skeleton" {
		return skeletonProcess(ctx, os.Args[2], os.Stdin, os.Stdout)
	}
	only := flag.String("row", "", "names of the rows to run, separated by commas; empty runs all")
	flag.Parse()
	chosen, err := choose(*only)
	if err != nil {
		return err
	}
	l, err := newLab(ctx)
	if err != nil {
		return err
	}
	defer l.close()
	var table strings.Builder
	missed := false
	for _, r := range chosen {
		began := time.Now()
		l.logf("== %s: %s", r.name, r.what)
		out, err := r.run(ctx, l)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err != nil {
			out = result{measured: err.Error(), verdict: miss}
		}
		l.logf("== %s: %s, %s (%.0f s)", r.name, out.verdict, out.measured, time.Since(began).Seconds())
		missed = missed || out.verdict == miss
		fmt.Fprintf(&table, "| %s | %s | %s | %s | %s | %s |\n", r.name, r.what, r.target, out.measured, out.spread, out.verdict)
	}
	_, err = fmt.Fprintf(os.Stdout, "%d cores, %s, %s, BENCH_N = %d\n\n| row | what | target | measured | spread | verdict |\n|---|---|---|---|---|---|\n%s",
		runtime.NumCPU(), runtime.Version(), time.Now().UTC().Format("2 Jan 2006 15:04 UTC"), l.n, &table)
	if missed {
		err = errors.Join(err, errors.New("a target is missed"))
	}
	return err
}

func choose(only string) ([]row, error) {
	var chosen []row
	for name := range strings.SplitSeq(only, ",") {
		found := false
		for _, r := range rows() {
			if r.name == name || name == "" && !r.asked {
				chosen, found = append(chosen, r), true
			}
		}
		if !found {
			return nil, fmt.Errorf("no row is called %q", name)
		}
	}
	return chosen, nil
}
