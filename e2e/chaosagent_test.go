//go:build chaos

package e2e_test

import (
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"carillon/agents/openaitest"
)

// Everything is killed while the model thinks. It is asked again, under the same
// id, when the engine's time for the turn is over, and its answer leaves once.
func TestChaosWhileAModelThinks(t *testing.T) {
	t.Parallel()
	c := dev(t, private)
	model := openaitest.New(t, modelKey, "small")
	model.Reply = debtModel
	asked := make(chan struct{}, 10)
	var thinking atomic.Bool
	released := make(chan struct{})
	model.Waits = func(openaitest.Request) {
		asked <- struct{}{}
		if thinking.Load() {
			<-released
		}
	}
	s := c.chats("Killed", modelled(model), whatsapp(), "Ann")
	eventually(t, patience, "the opening", func() bool { return len(s.heard("Ann")) == 1 })
	thinking.Store(true)
	s.says("Ann", "Hello")
	<-asked
	c.kill()
	thinking.Store(false)
	close(released)
	c.start()
	s.carillon = c
	select {
	case <-asked:
	case <-time.After(150 * time.Second):
		require.FailNow(t, "the model was not asked again")
	}
	s.hears("Ann", 2, "When do you pay? You wrote: Hello")
	s.says("Ann", "On 24.12.2026")
	s.hears("Ann", 3, "On the 24th, then. Goodbye.")
	s.awaitStatus("Ann", "completed", patience)
	ids := model.RequestIDs()
	require.Equal(t, ids[0], ids[1], "the same turn")
	require.Len(t, s.heard("Ann"), 3)
}
