package activities

import (
	"context"
	"sync"
	"time"

	"carillon/campaign"
)

const (
	aheadFresh = 10 * time.Second // a chunk decided longer ago is decided again
	aheadMost  = 16               // imports that have a chunk waiting here
)

// ahead keeps, for each import, the chunk that was decided while the one before
// it was being committed: strategies compute while the database writes. Nothing
// depends on it. The commit finds out if a contact has changed since, then the
// chunk is decided anew; so it is when the chunk is taken by another worker, or
// this one has died. The zero value works.
type ahead struct {
	mu     sync.Mutex
	chunks map[string]*chunk
}

// take returns the chunk if it is here and fresh, and forgets it.
func (k *ahead) take(importID string, n int, now time.Time) *chunk {
	k.mu.Lock()
	defer k.mu.Unlock()
	c := k.chunks[importID]
	delete(k.chunks, importID)
	if c == nil || c.write.Chunk != n || now.Sub(c.now) > aheadFresh {
		return nil
	}
	return c
}

func (k *ahead) keep(c *chunk) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.chunks == nil || len(k.chunks) >= aheadMost { // what is left was taken by other workers
		k.chunks = map[string]*chunk{}
	}
	k.chunks[c.imp.ID] = c
}

// decideAhead decides a chunk beside what its caller does and keeps it; wait
// returns when it is through. An error is left to the chunk's own turn.
func (a *Activities) decideAhead(ctx context.Context, imp campaign.Import, n int) (wait func()) {
	var done sync.WaitGroup
	done.Go(func() {
		if c, err := a.decideChunk(ctx, imp, n); err == nil && c != nil {
			a.ahead.keep(c)
		}
	})
	return done.Wait
}
