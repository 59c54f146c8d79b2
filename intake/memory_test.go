package intake_test

import (
	"errors"
	"fmt"
	"io"
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"

	"carillon/intake"
)

// generator writes a file row by row as it is read, so that the file is never in memory.
type generator struct {
	head, tail string
	row        func(i int) string
	rows, next int
	rest       string
}

func (g *generator) Read(p []byte) (int, error) {
	for g.rest == "" {
		switch {
		case g.next == 0:
			g.rest = g.head
		case g.next <= g.rows:
			g.rest = g.row(g.next)
		case g.next == g.rows+1:
			g.rest = g.tail
		default:
			return 0, io.EOF
		}
		g.next++
	}
	n := copy(p, g.rest)
	g.rest = g.rest[n:]
	return n, nil
}

// TestFlatMemory is not parallel: it measures the heap of the process. The rows have no phone: judging one takes longer than all the rest.
func TestFlatMemory(t *testing.T) {
	const rows, most = 100_000, 8 << 20
	person := func(i int) string {
		return fmt.Sprintf(`{"object_id":%d,"external_id":"p%d","name":"Person %d","email":"p%d@example.com","phone":"","note":"ä"}`, i, i, i, i)
	}
	for name, g := range map[string]*generator{
		"CSV": {head: header, row: func(i int) string {
			return fmt.Sprintf("%d,p%d,Person %d,p%d@example.com,,\"ä\"\n", i, i, i, i)
		}},
		"JSON Lines": {row: func(i int) string { return person(i) + "\n" }},
		"an array":   {head: "[", row: func(i int) string { return person(i) + "," }, tail: "]"},
	} {
		t.Run(name, func(t *testing.T) {
			g.rows = rows
			before := heap()
			r, err := intake.Open(g, intake.Options{})
			require.NoError(t, err)
			var peak uint64
			count := 0
			for {
				row, err := r.Next()
				if errors.Is(err, io.EOF) {
					break
				}
				require.NoError(t, err)
				require.False(t, row.Failed(), row.Problems)
				if count++; count%10_000 == 0 {
					peak = max(peak, heap())
				}
			}
			require.Equal(t, rows, count)
			require.Less(t, int64(peak)-int64(before), int64(most))
			runtime.KeepAlive(r)
		})
	}
	t.Run("a row of 32 MB", func(t *testing.T) {
		chunk := string(make([]byte, 1<<20))
		for name, head := range map[string]string{
			"CSV": header + ann + `"`, "JSON Lines": `{"a":"`, "an array": `[{"a":"`,
		} {
			before := heap()
			peak := before
			r, err := intake.Open(&generator{head: head, rows: 32, row: func(i int) string {
				if i%8 == 0 {
					peak = max(peak, heap())
				}
				return chunk
			}}, intake.Options{ContentType: "x/y; charset=utf-8"})
			require.NoError(t, err, name)
			row, err := r.Next()
			require.NoError(t, err, name)
			require.True(t, row.Failed(), name)
			require.Less(t, int64(peak)-int64(before), int64(most), name)
		}
	})
}

// heap is what is in use once the garbage is gone.
func heap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}
