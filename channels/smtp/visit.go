package smtp

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
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

// place is how far a folder was read.
type place struct {
	mark     string // of the folder, see [mailbox.mark]
	validity uint32
	uid      imap.UID
}

// String is the place as a cursor.
func (p place) String() string { return fmt.Sprintf("%s:%d:%d", p.mark, p.validity, p.uid) }

// mark tells the folder from any other that the same integration may have read
// before its settings changed: two of them may give out the same numbers.
func (m *mailbox) mark() string {
	sum := sha256.Sum256([]byte(m.host + "\x00" + m.user + "\x00" + m.folder))
	return hex.EncodeToString(sum[:6])
}

// place reads a cursor; the zero place of what is none, or another folder's.
func (m *mailbox) place(cursor string) place {
	parts := strings.Split(cursor, ":")
	if len(parts) != 3 || parts[0] != m.mark() {
		return place{}
	}
	validity, err := strconv.ParseUint(parts[1], 10, 32)
	uid, err2 := strconv.ParseUint(parts[2], 10, 32)
	if err != nil || err2 != nil {
		return place{}
	}
	return place{parts[0], uint32(validity), imap.UID(uid)}
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
	if at.validity != v.validity {
		first, err := v.first()
		if err != nil {
			return v.failed(err)
		}
		at = first
	}
	if err := commit(ctx, nil, at.String()); err != nil {
		return err
	}
	for {
		uids, err := v.after(at.uid)
		if err != nil {
			return v.failed(err)
		}
		for len(uids) > 0 {
			reports, taken, err := v.take(uids)
			if err != nil {
				return v.failed(err)
			}
			at.uid = uids[taken-1]
			if err := commit(ctx, reports, at.String()); err != nil {
				return err
			}
			if err := v.finish(uids[:taken]); err != nil {
				return v.failed(err)
			}
			uids = uids[taken:]
		}
		if err := v.wait(ctx); err != nil {
			return v.failed(err)
		}
	}
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
func (v *visit) after(uid imap.UID) ([]imap.UID, error) {
	select {
	case <-v.news: // what was told so far is seen now
	default:
	}
	var set imap.UIDSet
	set.AddRange(uid+1, 0)
	found, err := v.search(&imap.SearchCriteria{UID: []imap.UIDSet{set}})
	return slices.DeleteFunc(found, func(u imap.UID) bool { return u <= uid }), err // of n:* the last is always one
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

// take reads letters until there are enough, and says how many. A letter that
// nobody can read, or that the server does not hand out, is reported as that, and
// passed.
func (v *visit) take(uids []imap.UID) ([]channels.Report, int, error) {
	var reports []channels.Report
	size := 0
	for i, uid := range uids {
		raw, err := ask(v, func() ([]byte, error) { return v.fetch(uid) })
		if err != nil {
			r, passed := v.withheld(uid, err)
			if !passed {
				return nil, 0, err
			}
			reports = append(reports, r)
		}
		if raw != nil { // else it was deleted meanwhile
			reports = append(reports, v.read(raw)...)
		}
		if size += len(raw); size >= mostBytes || i+1 == mostLetters {
			return reports, i + 1, nil
		}
	}
	return reports, len(uids), nil
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

// withheld is the report of a letter that the server refuses to hand out; false
// where asking again may help.
func (v *visit) withheld(uid imap.UID, err error) (channels.Report, bool) {
	no, ok := errors.AsType[*imap.Error](err)
	if !ok || no.Type != imap.StatusResponseTypeNo || passes(no) {
		return channels.Report{}, false
	}
	r := mailin.Unread(nil)
	r.Key = "imap:" + place{v.mark(), v.validity, uid}.String()
	r.Reason = fmt.Sprintf("%s refuses to hand out letter %d of %s: %s", v.host, uid, v.folder, v.redact(no.Text))
	return r, true
}

// fetch reads one letter without marking it; nil if it is not there.
func (v *visit) fetch(uid imap.UID) ([]byte, error) {
	whole := &imap.FetchItemBodySection{Peek: true, Partial: &imap.SectionPartial{Offset: 0, Size: largestLetter}}
	cmd := v.client.Fetch(imap.UIDSetNum(uid), &imap.FetchOptions{UID: true, BodySection: []*imap.FetchItemBodySection{whole}})
	var raw []byte
	for m := cmd.Next(); m != nil; m = cmd.Next() {
		for item := m.Next(); item != nil; item = m.Next() {
			body, ok := item.(imapclient.FetchItemDataBodySection)
			if !ok || body.Literal == nil || raw != nil {
				continue
			}
			if body.Literal.Size() > largestLetter {
				_ = v.client.Close()
				return nil, fmt.Errorf("letter %d: the server sends %d bytes where %d were asked for", uid, body.Literal.Size(), largestLetter)
			}
			var err error
			if raw, err = io.ReadAll(io.LimitReader(body.Literal, largestLetter)); err != nil {
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

// wait waits until there may be news.
func (v *visit) wait(ctx context.Context) error {
	if !v.client.Caps().Has(imap.CapIdle) {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(v.look):
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
	case <-time.After(idleTime):
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
