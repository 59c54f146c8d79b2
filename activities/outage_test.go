package activities_test

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"carillon/activities"
	"carillon/campaign"
	"carillon/channels"
	"carillon/workflows"
)

// notTaken sends a message that is not taken for now.
func (d *desk) notTaken(in workflows.SendInput) {
	d.t.Helper()
	_, err := d.Activities.Send(d.t.Context(), in)
	require.Error(d.t, err, "the activity is repeated")
}

var unavailable = channels.Fail(channels.Retryable, "503", "service unavailable")

func TestAnOutageIsShownOnTheIntegrationUntilAMessageIsTaken(t *testing.T) {
	t.Parallel()
	d, r := mailDesk(t, unavailable)
	r.Name = "SendGrid"
	var log bytes.Buffer
	d.Log = slog.New(slog.NewTextHandler(&log, nil))
	counted := map[string]int{}
	d.CountSend = func(provider, outcome string) { counted[provider+" "+outcome]++ }
	in := d.another(1)
	began := d.integration().Version
	d.notTaken(in)
	d.notTaken(in)
	require.Empty(t, d.integration().StatusMessage, "it may be over in a second")
	d.notTaken(in)
	i := d.integration()
	require.Equal(t, "error", i.Status)
	require.Equal(t, "messages wait and are tried again: SendGrid has taken none since 2026-11-02 09:00 UTC; its last answer: retryable 503: service unavailable (communication "+
		in.Communication.ID+")", i.StatusMessage)
	require.False(t, i.Paused, "they are tried again by themselves")
	for range 5 {
		d.notTaken(in)
	}
	require.Equal(t, began+1, d.integration().Version, "one write for the change, none for each attempt")

	r.failure = nil
	require.Equal(t, campaign.SendSent, d.ends(in))
	require.Equal(t, campaign.SendSent, d.ends(d.another(2)))
	i = d.integration()
	require.Equal(t, "ok", i.Status)
	require.Empty(t, i.StatusMessage)
	require.Equal(t, began+2, i.Version)
	require.Equal(t, map[string]int{"outbox retryable": 8, "outbox sent": 2}, counted)
	require.Equal(t, 1, strings.Count(log.String(), "provider takes no messages"))
	require.Equal(t, 1, strings.Count(log.String(), "provider takes messages again"))
}

func TestWhatIsAnOutage(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name, status string
		steps        func(d *desk, r *refusing)
	}{
		{"many messages refused within a minute are none yet", "", func(d *desk, _ *refusing) {
			for n := range 6 {
				d.notTaken(d.another(n))
			}
		}},
		{"one that is still refused after a minute", "error", func(d *desk, _ *refusing) {
			d.notTaken(d.another(1))
			d.Now = func() time.Time { return now.Add(time.Minute) }
			d.notTaken(d.another(2))
		}},
		{"a message that is taken in between begins anew", "", func(d *desk, r *refusing) {
			in := d.another(1)
			for n := range 4 {
				r.failure = unavailable
				d.notTaken(in)
				r.failure = nil
				d.ends(d.another(2 + n))
			}
		}},
		{"another process's success ends it", "ok", func(d *desk, r *refusing) {
			for in := d.another(1); d.integration().Status != "error"; {
				d.notTaken(in)
			}
			r.failure = nil
			other := &desk{t: d.t, store: d.store, Activities: &activities.Activities{
				Store: d.Store, Channels: d.Channels, Agents: d.Agents, Renderer: d.Renderer, Relay: d.Relay, Mode: d.Mode, Now: d.Now, Log: d.Log,
			}}
			other.ends(d.another(2))
		}},
		{"a recipient that is refused shows that the provider works", "ok", func(d *desk, r *refusing) {
			for in := d.another(1); d.integration().Status != "error"; {
				d.notTaken(in)
			}
			r.failure = channels.Fail(channels.Recipient, "550", "no such mailbox")
			require.Equal(d.t, campaign.SendFailed, d.ends(d.another(2)))
		}},
		{"somebody sets it back, and it goes on", "error", func(d *desk, _ *refusing) {
			in := d.another(1)
			for d.integration().Status != "error" {
				d.notTaken(in)
			}
			_, err := d.store.UpdateIntegration(d.t.Context(), "in", func(i *campaign.Integration) error { i.Status, i.StatusMessage = "ok", ""; return nil })
			require.NoError(d.t, err)
			d.notTaken(in)
		}},
		{"what a person was told before stays", "error the key", func(d *desk, r *refusing) {
			_, err := d.store.UpdateIntegration(d.t.Context(), "in", func(i *campaign.Integration) error { i.Status, i.StatusMessage = "error", "the key"; return nil })
			require.NoError(d.t, err)
			in := d.another(1)
			for range 4 {
				d.notTaken(in)
			}
			r.failure = nil
			d.ends(in)
		}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			d, r := mailDesk(t, unavailable)
			tc.steps(d, r)
			i := d.integration()
			require.True(t, strings.HasPrefix(i.Status+" "+i.StatusMessage, tc.status), i.Status+" "+i.StatusMessage)
		})
	}
}
