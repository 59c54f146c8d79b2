package smtp

import (
	"context"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapclient"

	"carillon/channels"
	"carillon/channels/mailin"
)

// Bounds of what is read at once.
const (
	largestLetter = 30 << 20 // in bytes; of a larger one the beginning is read
	mostLetters   = 20       // that are committed together
	mostBytes     = 4 << 20  // of them, save that one is always taken
	// firstDays is how far back the letters of a mailbox are taken that is read for
	// the first time, if nobody has read them.
	firstDays = 1
)

// visit is one connection to a mailbox.
type visit struct {
	*mailbox
	client   *imapclient.Client
	validity uint32        // of the folder's numbers: another one means that they began anew
	next     imap.UID      // the number that the first letter after the folder was opened gets
	news     chan struct{} // holds one when the server has told of a letter
	stop     func() bool
}

func (v *visit) close() {
	v.stop()
	if v.client != nil {
		_ = v.client.Close()
	}
}

// hear takes what the server tells unasked.
func (v *visit) hear(data *imapclient.UnilateralDataMailbox) {
	if data.NumMessages != nil {
		select {
		case v.news <- struct{}{}:
		default:
		}
	}
}

// follow hands over what is in the folder and then what comes, until the
// connection or ctx ends. It commits at once, even if nothing came: so it is known
// that the mailbox can be read.
func (v *visit) follow(ctx context.Context, at place, commit channels.Commit) error {
	switch {
	case at.validity != v.validity:
		first, err := v.first()
		if err != nil {
			return v.failed(err)
		}
		at = first
	case v.broke > at.uid:
		at.owe(v.broke, v.box.Now())
	}
	v.broke = 0
	if err := commit(ctx, nil, at.String()); err != nil {
		return err
	}
	for {
		news, err := v.after(&at)
		if err != nil {
			return v.failed(err)
		}
		for len(news) > 0 {
			t, err := v.take(news)
			if err != nil {
				if ctx.Err() == nil {
					v.broke = t.broke
				}
				return v.failed(err)
			}
			if len(t.read) == 0 { // then the trouble may be the server's
				if _, err := v.vouch(&at, t.refused); err != nil {
					return v.failed(err)
				}
			}
			n := len(t.read) + len(t.refused)
			at.uid = news[n-1]
			if err := v.keep(ctx, &at, &t, commit); err != nil {
				return err
			}
			news = news[n:]
		}
		if err := v.askAgain(ctx, &at, commit); err != nil {
			return err
		}
		if err := v.wait(ctx, at.again(v.box.Now(), idleTime)); err != nil {
			return v.failed(err)
		}
	}
}

// keep commits what was taken, and marks as read what was read.
func (v *visit) keep(ctx context.Context, at *place, t *taken, commit channels.Commit) error {
	for _, uid := range t.read {
		at.settle(uid)
	}
	for _, r := range t.refused {
		if tries, again := at.refused(r.uid, v.box.Now()); !again {
			t.reports = append(t.reports, v.withheld(r, tries))
		}
	}
	if err := commit(ctx, t.reports, at.String()); err != nil {
		return err
	}
	if len(t.read) == 0 {
		return nil
	}
	if err := v.finish(t.read); err != nil {
		return v.failed(err)
	}
	return nil
}

// first is where the reading of a folder begins: before the oldest letter of the
// last day that nobody has read, or else at its end. That is where the end was
// before anything was asked: what came since is news.
func (v *visit) first() (place, error) {
	at := place{mark: v.mark(), validity: v.validity, uid: max(v.next, 1) - 1}
	unread, err := v.search(&imap.SearchCriteria{NotFlag: []imap.Flag{imap.FlagSeen}, Since: v.box.Now().AddDate(0, 0, -firstDays)})
	if err != nil {
		return at, err
	}
	if len(unread) > 0 {
		at.uid = min(at.uid, unread[0]-1)
	}
	return at, nil
}

// after is the letters behind a place, in order.
func (v *visit) after(at *place) ([]imap.UID, error) {
	select {
	case <-v.news: // what was told so far is seen now
	default:
	}
	var set imap.UIDSet
	set.AddRange(at.uid+1, 0)
	found, err := v.search(&imap.SearchCriteria{UID: []imap.UIDSet{set}})
	return slices.DeleteFunc(found, func(u imap.UID) bool { return u <= at.uid || at.owes(u) }), err // of n:* the last is always one
}

func (v *visit) search(c *imap.SearchCriteria) ([]imap.UID, error) {
	found, err := ask(v, func() (*imap.SearchData, error) { return v.client.UIDSearch(c, nil).Wait() })
	if err != nil {
		return nil, err
	}
	uids := found.AllUIDs()
	slices.Sort(uids)
	return uids, nil
}

// taken is what came of some letters.
type taken struct {
	reports []channels.Report
	read    []imap.UID // also what was deleted meanwhile
	refused []refused
	broke   imap.UID // the letter at which the connection ended
}

// take reads letters until there are enough. A letter that nobody can read is
// reported as that, and passed.
func (v *visit) take(uids []imap.UID) (t taken, err error) {
	size := 0
	for i, uid := range uids {
		raw, err := ask(v, func() ([]byte, error) { return v.fetch(uid, largestLetter) })
		switch no := refusal(err); {
		case no != nil:
			t.refused = append(t.refused, refused{uid, "The server said: " + no.Text})
		case err != nil:
			t.broke = uid
			return t, err
		default:
			t.read = append(t.read, uid)
		}
		if raw != nil { // else it was deleted meanwhile
			t.reports = append(t.reports, v.read(raw)...)
		}
		if size += len(raw); size >= mostBytes || i+1 == mostLetters {
			break
		}
	}
	return t, nil
}

func (v *visit) read(raw []byte) []channels.Report {
	l, err := mailin.Read(raw)
	if err == nil {
		var reports []channels.Report
		if reports, err = v.box.Reports(l); err == nil {
			return reports
		}
	}
	r := mailin.Unread(raw)
	r.Reason = err.Error()
	return []channels.Report{r}
}

// fetch reads one letter, or its first bytes, without marking it; nil if it is not
// there.
func (v *visit) fetch(uid imap.UID, most int64) ([]byte, error) {
	part := &imap.FetchItemBodySection{Peek: true, Partial: &imap.SectionPartial{Offset: 0, Size: most}}
	cmd := v.client.Fetch(imap.UIDSetNum(uid), &imap.FetchOptions{UID: true, BodySection: []*imap.FetchItemBodySection{part}})
	var raw []byte
	for m := cmd.Next(); m != nil; m = cmd.Next() {
		for item := m.Next(); item != nil; item = m.Next() {
			body, ok := item.(imapclient.FetchItemDataBodySection)
			if !ok || body.Literal == nil || raw != nil {
				continue
			}
			if body.Literal.Size() > most {
				_ = v.client.Close()
				return nil, fmt.Errorf("letter %d: the server sends %d bytes where %d were asked for", uid, body.Literal.Size(), most)
			}
			var err error
			if raw, err = io.ReadAll(io.LimitReader(body.Literal, most)); err != nil {
				return nil, err
			}
		}
	}
	if err := cmd.Close(); err != nil {
		return nil, err
	}
	return raw, nil
}

// finish marks letters that were committed as read, or moves them away.
func (v *visit) finish(uids []imap.UID) error {
	_, err := ask(v, func() (any, error) {
		set := imap.UIDSetNum(uids...)
		flags := &imap.StoreFlags{Op: imap.StoreFlagsAdd, Silent: true, Flags: []imap.Flag{imap.FlagSeen}}
		if err := v.client.Store(set, flags, nil).Close(); err != nil || v.done == "" {
			return nil, err
		}
		_, err := v.client.Move(set, v.done).Wait()
		return nil, err
	})
	if err != nil {
		return v.refused("to move letters to "+v.done, err)
	}
	return nil
}

// wait waits until there may be news, and no longer than most.
func (v *visit) wait(ctx context.Context, most time.Duration) error {
	if !v.client.Caps().Has(imap.CapIdle) {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(min(v.look, most)):
		}
		_, err := ask(v, func() (any, error) { return nil, v.client.Noop().Wait() })
		return err
	}
	idle, err := ask(v, v.client.Idle)
	if err != nil {
		return err
	}
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-v.client.Closed():
		return io.ErrUnexpectedEOF
	case <-v.news:
	case <-time.After(most):
	}
	_, err = ask(v, func() (any, error) {
		if err := idle.Close(); err != nil {
			return nil, err
		}
		return nil, idle.Wait()
	})
	return err
}

// ask runs a command. A server that does not answer it in time loses the connection.
func ask[T any](v *visit, command func() (T, error)) (T, error) {
	late := time.AfterFunc(askTime, func() { _ = v.client.Close() })
	defer late.Stop()
	return command()
}
