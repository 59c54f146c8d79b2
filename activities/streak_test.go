package activities_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"carillon/campaign"
	"carillon/channels"
	"carillon/store"
	"carillon/workflows"
)

// another is the sending of the stage Mail to one more contact.
func (d *desk) another(n int) workflows.SendInput {
	d.t.Helper()
	row := campaign.Row{Line: 2, Fields: map[string]string{
		"object_id": fmt.Sprint("o", n), "external_id": fmt.Sprint("U", n), "name": "Ann", "email": fmt.Sprintf("ann%d@example.com", n),
	}}
	c := row.NewContact("cp", now)
	c.Communications = []campaign.Communication{{
		ID: c.ID + "-1", Name: "mail", StageID: "st_mail", StageName: "Mail", StartDate: now, Status: campaign.StatusAt{Status: campaign.CommunicationPlanned, At: now},
	}}
	d.add(c, row)
	return workflows.SendInput{
		CampaignID: "cp", ContactID: c.ID, Communication: c.Communications[0],
		Verdict: campaign.Verdict{Outcome: campaign.GateGo, Alternative: "default", Channel: campaign.EmailNotification, Queue: "send-in"},
	}
}

// ends sends and says how it ended.
func (d *desk) ends(in workflows.SendInput) string {
	d.t.Helper()
	out, err := d.Activities.Send(d.t.Context(), in)
	require.NoError(d.t, err)
	return out.Outcome
}

func (d *desk) integration() campaign.Integration {
	d.t.Helper()
	i, err := d.store.Integration(d.t.Context(), "in")
	require.NoError(d.t, err)
	return i
}

func (d *desk) resumeIntegration() {
	_, err := d.store.UpdateIntegration(d.t.Context(), "in", func(i *campaign.Integration) error {
		i.Paused, i.Status, i.StatusMessage = false, "ok", ""
		return nil
	})
	require.NoError(d.t, err)
}

func mailDesk(t *testing.T, f *channels.Failure) (*desk, *refusing) {
	d, r := liveDesk(t, f)
	r.Channels = []campaign.Channel{campaign.EmailNotification}
	return d, r
}

var noAnswer = channels.Fail(channels.Unknown, "502", "bad gateway")

func TestAProviderThatGivesNoAnswersIsPausedAfterFiveContacts(t *testing.T) {
	t.Parallel()
	d, r := mailDesk(t, noAnswer)
	for n := range 5 {
		require.False(t, d.integration().Paused, "after %d", n)
		require.Equal(t, campaign.SendUnknown, d.ends(d.another(n)))
	}
	i := d.integration()
	require.True(t, i.Paused)
	require.Equal(t, "error", i.Status)
	require.Contains(t, i.StatusMessage, "5 messages in a row")
	require.Contains(t, i.StatusMessage, "unknown 502: bad gateway")
	require.Contains(t, i.StatusMessage, "-1)", "one communication as a sample")
	held := make([]workflows.SendInput, 25)
	for n := range held {
		held[n] = d.another(100 + n)
		out, err := d.Activities.Send(t.Context(), held[n])
		require.NoError(t, err)
		require.Equal(t, campaign.SendHeld, out.Outcome)
		require.Equal(t, campaign.Hold{Cause: campaign.HeldIntegration, Ref: "in", Since: now}, *out.Hold)
	}

	r.failure = nil
	d.resumeIntegration()
	for _, in := range held {
		require.Equal(t, campaign.SendSent, d.ends(in), "it goes on after the resumption")
	}
	require.False(t, d.integration().Paused)
}

func TestWhatTripsTheBreakerIsCountedInARow(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name   string
		paused bool
		steps  func(d *desk, r *refusing)
	}{
		{"a success in between begins anew", false, func(d *desk, r *refusing) {
			for n := range 8 {
				if r.failure = noAnswer; n == 4 {
					r.failure = nil
				}
				d.ends(d.another(n))
			}
		}},
		{"what is one recipient's fault counts neither way", true, func(d *desk, r *refusing) {
			for n := range 9 {
				if r.failure = noAnswer; n%2 == 1 {
					r.failure = channels.Fail(channels.Recipient, "550", "no such mailbox")
				}
				d.ends(d.another(n))
			}
		}},
		{"nine refusals of recipients and texts are nobody else's trouble", false, func(d *desk, r *refusing) {
			for n, class := range []channels.Class{channels.Recipient, channels.Invalid, channels.OptOut, channels.Policy, channels.Recipient, channels.Invalid, channels.Policy} {
				r.failure = channels.Fail(class, "", "no")
				d.ends(d.another(n))
			}
		}},
		{"one contact counts once, however often it is tried", false, func(d *desk, _ *refusing) {
			in := d.another(1)
			for n := range 9 {
				in.Communication.Attempt = n // as an operator's retry does
				require.Equal(d.t, campaign.SendUnknown, d.ends(in))
			}
		}},
		{"a webhook that proves one taken begins anew", false, func(d *desk, _ *refusing) {
			for n := range 5 {
				in := d.another(n)
				d.ends(in)
				if n == 2 {
					require.NoError(d.t, d.store.SettleSend(d.t.Context(), in.Communication.ID, store.SendSent, "p-3", "", now))
				}
			}
		}},
		{"and those after it count", true, func(d *desk, _ *refusing) {
			for n := range 8 {
				in := d.another(n)
				d.ends(in)
				if n == 2 {
					require.NoError(d.t, d.store.SettleSend(d.t.Context(), in.Communication.ID, store.SendSent, "p-3", "", now))
				}
			}
		}},
		{"a resumption begins anew", false, func(d *desk, _ *refusing) {
			for n := range 9 {
				d.ends(d.another(n))
				if n == 4 {
					require.True(d.t, d.integration().Paused)
					d.resumeIntegration()
				}
			}
		}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			d, r := mailDesk(t, noAnswer)
			tc.steps(d, r)
			require.Equal(t, tc.paused, d.integration().Paused, d.integration().StatusMessage)
		})
	}
}
