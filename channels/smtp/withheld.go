package smtp

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/emersion/go-imap/v2"

	"carillon/channels"
	"carillon/channels/mailin"
)

// tryAgain is how long a letter that the server does not hand out is left alone
// after each try but the last: six tries within half an hour or so. The others are
// read meanwhile.
var tryAgain = [...]time.Duration{time.Minute, 2 * time.Minute, 4 * time.Minute, 8 * time.Minute, 16 * time.Minute}

const (
	// mostOwed bounds the letters of a folder that are asked for again; one more is
	// given up at once.
	mostOwed = 500
	// mostAsked is how many other letters are asked for, to tell a letter that is
	// damaged from a server that is.
	mostAsked = 5
)

// refused is a letter that the server did not hand out.
type refused struct {
	uid imap.UID
	why string // a sentence
}

// refusal is the server's NO or BAD; nil if it did not answer, which says nothing
// of what was asked for.
func refusal(err error) *imap.Error {
	no, ok := errors.AsType[*imap.Error](err)
	if !ok || no.Type != imap.StatusResponseTypeNo && no.Type != imap.StatusResponseTypeBad {
		return nil
	}
	return no
}

// askAgain asks for the letters that are due again, each on its own. A connection
// that ends at one of them counts as a refusal if it handed out another letter
// just before: so dovecot answers where it cannot read a file.
func (v *visit) askAgain(ctx context.Context, at *place, commit channels.Commit) error {
	for _, o := range at.owed {
		at.uid = max(at.uid, o.uid) // all news before it was read
	}
	due := at.due(v.box.Now())
	if len(due) == 0 {
		return nil
	}
	well, err := v.vouch(at, nil)
	if err != nil {
		return v.failed(err)
	}
	for _, uid := range due {
		t, broken := v.take([]imap.UID{uid})
		if broken != nil {
			if !well || ctx.Err() != nil {
				return v.failed(broken)
			}
			t.refused = []refused{{uid, "The connection ended where it was asked for: " + broken.Error()}}
		}
		if err := v.keep(ctx, at, &t, commit); err != nil {
			return err
		}
		if broken != nil {
			return v.failed(broken)
		}
	}
	return nil
}

// vouch asks for a byte of letters that are neither owed nor among those. If the
// server hands out none, then what it refuses is not the letters' fault: the error
// says so. It is true if one was handed out; where there are none, nobody can tell.
func (v *visit) vouch(at *place, those []refused) (bool, error) {
	all, err := v.search(&imap.SearchCriteria{})
	if err != nil {
		return false, err
	}
	others := slices.DeleteFunc(all, func(uid imap.UID) bool {
		return at.owes(uid) || slices.ContainsFunc(those, func(r refused) bool { return r.uid == uid })
	})
	others = others[max(len(others)-mostAsked, 0):]
	v.vouched++
	var no error
	for i := range others {
		uid := others[(v.vouched+i)%len(others)] // another one each time: it may be damaged itself
		raw, err := ask(v, func() ([]byte, error) { return v.fetch(uid, 1) })
		switch {
		case err == nil && raw != nil:
			return true, nil
		case err != nil && refusal(err) == nil:
			return false, err
		case err != nil:
			no = err
		}
	}
	if no != nil {
		return false, v.refused("to hand out letters of "+v.folder, no)
	}
	return false, nil
}

// withheld is the report of a letter that is given up.
func (v *visit) withheld(r refused, tries int) channels.Report {
	report := mailin.Unread(nil)
	report.Key = "imap:" + place{mark: v.mark(), validity: v.validity, uid: r.uid}.String()
	report.Reason = fmt.Sprintf("letter %d of the folder %s of %s at %s was passed over after %d tries, and is unread there. "+
		"Read it with a mail program; copied into the folder anew it is read here, once the server hands it out. %s",
		r.uid, v.folder, v.user, v.host, tries, v.redact(r.why))
	return report
}
