package strategies_test

import (
	"encoding/json"
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"carillon/strategies"
)

// BenchmarkBatched counts calls per second through one worker in batches of 200, sandbox on. Target: 10,000 per core.
func BenchmarkBatched(b *testing.B) {
	p := open(b, func(o *strategies.Options) { o.Workers = 1 })
	j := job(strategies.Aggregation, file(b, "seed_aggregation.py"))
	j.Kwargs = json.RawMessage(`{"campaign":{"id":"cmp_1","name":"Debts"},"stages":[{"name":"First Contact"},{"name":"Second Attempt"}],"rules":{}}`)
	batch := make([]strategies.Call, 200)
	for i := range batch {
		batch[i] = call(contactJSON)
		batch[i].SessionResults = json.RawMessage(`{"OutcomeStatus":"NO_RESPONSE"}`)
		batch[i].Kwargs = json.RawMessage(`{"communication_id":"ct_1-1","idempotency_key":"ct_1/7"}`)
	}
	_, err := p.RunBatch(b.Context(), j, batch)
	require.NoError(b, err)
	before := workerCPU(b, p)
	b.ResetTimer()
	for range b.N {
		results, err := p.RunBatch(b.Context(), j, batch)
		require.NoError(b, err)
		require.Nil(b, results[0].Err)
	}
	b.ReportMetric(float64(b.N*len(batch))/b.Elapsed().Seconds(), "calls/s")
	// On a shared machine this is the steadier figure: what one core of the worker's own gives.
	b.ReportMetric(float64(b.N*len(batch))/(workerCPU(b, p)-before).Seconds(), "calls/cpu-s")
}

// workerCPU is what the campaign's worker has computed so far.
func workerCPU(b *testing.B, p *strategies.Pool) time.Duration {
	b.Helper()
	for _, w := range p.Status().Workers {
		if w.Campaign == "" {
			continue
		}
		stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", w.PID))
		if err != nil {
			b.Skip("needs /proc")
		}
		fields := strings.Fields(string(stat[strings.LastIndexByte(string(stat), ')')+1:]))
		var ticks time.Duration
		for _, f := range fields[11:13] {
			n, err := strconv.Atoi(f)
			require.NoError(b, err)
			ticks += time.Duration(n)
		}
		return ticks * 10 * time.Millisecond
	}
	return 0
}

// BenchmarkSingle counts calls per second with one call under way at a time.
func BenchmarkSingle(b *testing.B) {
	p := open(b, func(o *strategies.Options) { o.Workers = 1 })
	j := job(strategies.Aggregation, file(b, "seed_aggregation.py"))
	c := call(contactJSON)
	_, err := p.Run(b.Context(), j, c)
	require.NoError(b, err)
	b.ResetTimer()
	for range b.N {
		_, err := p.Run(b.Context(), j, c)
		require.NoError(b, err)
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "calls/s")
}
