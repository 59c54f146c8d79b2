package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"carillon/campaign"
	"carillon/store"
)

// chunkRows is how many rows the API puts into a chunk.
const chunkRows = 500

// importing imports a file with a data_load strategy through a running Carillon, between two bare bulk writes of the
// same rows: contacts that are there already, committed by the store's own chunks, with no file, plan, Python or
// Temporal.
func importing(ctx context.Context, l *lab) (result, error) {
	n := l.size(100_000, 5_000)
	bare := func() (float64, error) { return l.bulkWrite(ctx, n) }
	first, err := bare()
	if err != nil {
		return result{}, err
	}
	l.logf("bare bulk write: %.0f rows/s", first)
	run, err := l.importRun(ctx, n)
	if err != nil {
		return result{}, err
	}
	l.logf("import with data_load: %.0f rows/s; %s", run.perSecond, run.memory)
	second, err := bare()
	if err != nil {
		return result{}, err
	}
	l.logf("bare bulk write: %.0f rows/s", second)
	writes := []float64{first, second}
	ratio := run.perSecond / median(writes)
	return judged(ratio >= 0.5 && run.flat, fmt.Sprintf("bare %s rows/s; %s", figures(writes, "%.0f"), run.memory),
		"%.2f (%.0f rows/s)", ratio, run.perSecond), nil
}

// bulkWrite returns rows per second.
func (l *lab) bulkWrite(ctx context.Context, n int) (float64, error) {
	address, err := l.storeAddress(ctx)
	if err != nil {
		return 0, err
	}
	s, err := store.Open(ctx, address, store.Options{})
	if err != nil {
		return 0, err
	}
	defer func() { _ = s.Close() }()
	if err := s.Migrate(ctx); err != nil {
		return 0, err
	}
	if err := s.CreateCampaign(ctx, campaign.Campaign{ID: "ca_1", Name: "Bulk", Status: campaign.Draft}); err != nil {
		return 0, err
	}
	if err := s.CreateImport(ctx, campaign.Import{ID: "im_1", CampaignID: "ca_1", StartedAt: time.Now()}); err != nil {
		return 0, err
	}
	var took time.Duration
	for from, chunk := 1, 0; from <= n; chunk++ {
		w := store.ChunkWrite{ImportID: "im_1", Chunk: chunk, Now: time.Now()}
		for ; from <= n && len(w.Contacts) < chunkRows; from++ {
			row := campaign.Row{Line: from + 1, Fields: map[string]string{
				"object_id": fmt.Sprint("O-", from), "external_id": fmt.Sprint("E-", from), "name": fmt.Sprint("Name ", from),
				"email": fmt.Sprintf("n%d@example.com", from), "phone": fmt.Sprintf("+4930%07d", from),
			}, Parameters: campaign.Dict{"amount": fmt.Appendf(nil, "%q", fmt.Sprint(from, " EUR")), "city": []byte(`"Berlin"`)}}
			contact, decisions := campaign.Load(row.NewContact("ca_1", w.Now), nil, &campaign.StrategyOutcome{None: true},
				campaign.LoadedBy{ImportID: "im_1", Line: row.Line}, w.Now)
			w.Contacts = append(w.Contacts, store.ContactWrite{Contact: contact, Decisions: decisions})
		}
		if err := s.AddRows(ctx, "im_1", chunk, nil); err != nil {
			return 0, err
		}
		began := time.Now()
		if _, err := s.CommitChunk(ctx, w); err != nil {
			return 0, err
		}
		took += time.Since(began)
	}
	return float64(n) / took.Seconds(), nil
}

// storeAddress is an empty store's.
func (l *lab) storeAddress(ctx context.Context) (string, error) {
	if os.Getenv("BENCH_STORE") == "postgres" {
		server, err := l.pg()
		if err != nil {
			return "", err
		}
		return server.NewDatabase(ctx)
	}
	dir, err := l.newDir()
	return filepath.Join(dir, "bulk.db"), err
}

type importRun struct {
	perSecond float64
	memory    string
	flat      bool
}

// importRun imports a file whose contacts are all planned.
func (l *lab) importRun(ctx context.Context, n int) (r importRun, err error) {
	h, err := l.newHouse(ctx, os.Getenv("BENCH_STORE") == "postgres")
	if err != nil {
		return r, err
	}
	defer h.close()
	s, err := newScene(ctx, h)
	if err != nil {
		return r, err
	}
	if _, err := s.call(ctx, "POST", s.path("/pause"), nil); err != nil { // nothing is launched meanwhile
		return r, err
	}
	file := contactsFile(n, time.Now().Add(30*24*time.Hour))
	watch := watchMemory(h.worker.pid(), h.server.pid())
	began := time.Now()
	if err := s.upload(ctx, file, time.Hour); err != nil {
		watch.stop()
		return r, err
	}
	r.perSecond = float64(n) / time.Since(began).Seconds()
	r.memory, r.flat = watch.stop()
	rows, err := s.number(ctx, `select count(*) from contacts where campaign_id = $1 and planned`, s.id)
	if err == nil && rows != n {
		err = fmt.Errorf("%d of %d contacts are planned", rows, n)
	}
	return r, err
}

func contactsFile(n int, due time.Time) string {
	var b strings.Builder
	b.WriteString("object_id,external_id,name,email,phone,amount,city,due\n")
	for i := 1; i <= n; i++ {
		fmt.Fprintf(&b, "O-%d,E-%d,Name %d,n%d@example.com,+4930%07d,%d EUR,Berlin,%d\n", i, i, i, i, i, i, due.UnixMilli())
	}
	return b.String()
}

// memoryWatch samples what processes hold while something runs.
type memoryWatch struct {
	done    chan struct{}
	wait    sync.WaitGroup
	samples [][]float64
}

func watchMemory(pids ...int) *memoryWatch {
	w := &memoryWatch{done: make(chan struct{}), samples: make([][]float64, len(pids))}
	w.wait.Go(func() {
		tick := time.NewTicker(100 * time.Millisecond)
		defer tick.Stop()
		for {
			for i, pid := range pids {
				w.samples[i] = append(w.samples[i], memory(pid, "VmRSS"))
			}
			select {
			case <-w.done:
				return
			case <-tick.C:
			}
		}
	})
	return w
}

// stop says what worker and API held at most in the second and in the last quarter of the time; flat is when the last
// is not over a quarter more (or 16 MiB, the play of the collector).
func (w *memoryWatch) stop() (text string, flat bool) {
	close(w.done)
	w.wait.Wait()
	flat = true
	for i, who := range []string{"worker", "api"} {
		s := w.samples[i]
		early, late := quantile(s[len(s)/4:max(len(s)/2, len(s)/4+1)], 1), quantile(s[len(s)*3/4:], 1)
		flat = flat && late <= max(1.25*early, early+16)
		text += fmt.Sprintf("%s %.0f then %.0f MiB ", who, early, late)
	}
	return strings.TrimSpace(text), flat
}
