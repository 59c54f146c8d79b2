package activities_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"carillon/campaign"
	"carillon/channels"
	"carillon/store"
)

// listing is a provider that loses answers and lists a message a minute after
// it has taken it.
type listing struct {
	refusing
	now  func() time.Time
	sent int
}

func (l *listing) Open(campaign.Integration, channels.Deps) (channels.Sender, error) { return l, nil }

func (l *listing) Send(ctx context.Context, m channels.Outbound) (channels.Receipt, error) {
	l.sent++
	return l.refusing.Send(ctx, m)
}

func (l *listing) Find(_ context.Context, m channels.Outbound) (channels.Receipt, bool, error) {
	if l.now().Sub(m.At) < time.Minute {
		return channels.Receipt{}, false, channels.Fail(channels.Retryable, "too_early", "not listed yet")
	}
	return channels.Receipt{}, false, nil
}

func TestAMessageThatSurelyDidNotLeaveIsSentAgain(t *testing.T) {
	t.Parallel()
	ctx, at := t.Context(), now
	d, r := liveDesk(t, channels.Fail(channels.Unknown, "", "the request left and no answer came"))
	d.Now = func() time.Time { return at }
	l := &listing{refusing: *r, now: d.Now}
	d.Channels = channels.NewRegistry(l)
	in := d.input("wa")
	later := func(after time.Duration, sent int, why string) {
		t.Helper()
		at = at.Add(after)
		_, err := d.Activities.Send(ctx, in)
		require.Error(t, err, "the activity comes again")
		require.Equal(t, sent, l.sent, why)
		row, err := d.store.SendRow(ctx, in.Communication.ID)
		require.NoError(t, err)
		require.Equal(t, store.SendSending, row.State)
	}
	later(0, 1, "it is sent")
	later(20*time.Second, 1, "the provider may not list it yet")
	later(time.Minute, 2, "it never left: it is sent again")
	later(20*time.Second, 2, "what counts is when it was sent last")
	at, l.failure = at.Add(time.Minute), nil
	out, err := d.Activities.Send(ctx, in)
	require.NoError(t, err)
	require.Equal(t, campaign.SendSent, out.Outcome)
	require.Equal(t, 3, l.sent)
}

func TestANotificationIsSentOnceMoreWhereItsStageSaysSo(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	d, r := liveDesk(t, channels.Fail(channels.Unknown, "", "the request left and no answer came"))
	r.Channels = []campaign.Channel{campaign.EmailNotification}
	c := &counting{refusing: r}
	d.Channels = channels.NewRegistry(c)
	_, err := d.store.UpdateStage(ctx, "cp", "st_mail", func(s *campaign.Stage) error { s.Delivery.UnknownPolicy = "resend"; return nil })
	require.NoError(t, err)
	_, err = d.Activities.Send(ctx, d.input("mail"))
	require.Error(t, err, "the activity comes again")
	out, err := d.Activities.Send(ctx, d.input("mail"))
	require.NoError(t, err)
	require.Equal(t, campaign.SendUnknown, out.Outcome, "then a person decides")
	require.Equal(t, 2, c.sent)
}

func TestAMessageIsNotSentASecondTimeToWhoeverHasOptedOutMeanwhile(t *testing.T) {
	t.Parallel()
	ctx, at := t.Context(), now
	d, r := liveDesk(t, channels.Fail(channels.Unknown, "", "the request left and no answer came"))
	d.Now = func() time.Time { return at }
	l := &listing{refusing: *r, now: d.Now}
	d.Channels = channels.NewRegistry(l)
	in := d.input("wa")
	_, err := d.Activities.Send(ctx, in)
	require.Error(t, err)
	d.optOut()
	at = at.Add(2 * time.Minute)
	_, err = d.Activities.Send(ctx, in)
	require.ErrorContains(t, err, "it did not leave, and may not go now")
	out, err := d.Activities.Send(ctx, in)
	require.NoError(t, err)
	require.Equal(t, [2]string{campaign.SendSkipped, "opt_out"}, [2]string{out.Outcome, out.Reason})
	require.Equal(t, 1, l.sent)
}

// counting counts what is sent through a provider that cannot look messages up.
type counting struct {
	*refusing
	sent int
}

func (c *counting) Open(campaign.Integration, channels.Deps) (channels.Sender, error) { return c, nil }

func (c *counting) Send(ctx context.Context, m channels.Outbound) (channels.Receipt, error) {
	c.sent++
	return c.refusing.Send(ctx, m)
}
