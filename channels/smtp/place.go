package smtp

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/emersion/go-imap/v2"
)

// place is how far a folder was read. As a cursor it outlives the worker.
type place struct {
	mark     string // of the folder, see [mailbox.mark]
	validity uint32
	uid      imap.UID
	owed     []owed // at most mostOwed
}

// owed is a letter that the server did not hand out.
type owed struct {
	uid   imap.UID
	tries int       // that count
	next  time.Time // when it is asked for again, in whole seconds
}

// String is the place as a cursor: mark:validity:uid, and what is owed as
// uid.tries.seconds.
func (p place) String() string {
	text := fmt.Sprintf("%s:%d:%d", p.mark, p.validity, p.uid)
	for n, o := range p.owed {
		between := ","
		if n == 0 {
			between = ":"
		}
		text += fmt.Sprintf("%s%d.%d.%d", between, o.uid, o.tries, o.next.Unix())
	}
	return text
}

// mark tells the folder from any other that the same integration may have read
// before its settings changed: two of them may give out the same numbers.
func (m *mailbox) mark() string {
	sum := sha256.Sum256([]byte(m.host + "\x00" + m.user + "\x00" + m.folder))
	return hex.EncodeToString(sum[:6])
}

// place reads a cursor; the zero place of what is none, or another folder's.
func (m *mailbox) place(cursor string) place {
	parts := strings.Split(cursor, ":")
	if len(parts) != 3 && len(parts) != 4 || parts[0] != m.mark() {
		return place{}
	}
	validity, err := strconv.ParseUint(parts[1], 10, 32)
	uid, err2 := strconv.ParseUint(parts[2], 10, 32)
	if err != nil || err2 != nil {
		return place{}
	}
	p := place{mark: parts[0], validity: uint32(validity), uid: imap.UID(uid)}
	if len(parts) == 4 {
		for text := range strings.SplitSeq(parts[3], ",") {
			o, ok := readOwed(text)
			if !ok {
				return place{}
			}
			p.owed = append(p.owed, o)
		}
	}
	return p
}

func readOwed(text string) (owed, bool) {
	parts := strings.Split(text, ".")
	if len(parts) != 3 {
		return owed{}, false
	}
	uid, err := strconv.ParseUint(parts[0], 10, 32)
	tries, err2 := strconv.Atoi(parts[1])
	next, err3 := strconv.ParseInt(parts[2], 10, 64)
	return owed{imap.UID(uid), tries, time.Unix(next, 0).UTC()}, cmp.Or(err, err2, err3) == nil
}

// due is the letters that are to be asked for again.
func (p *place) due(now time.Time) (uids []imap.UID) {
	for _, o := range p.owed {
		if !now.Before(o.next) {
			uids = append(uids, o.uid)
		}
	}
	return uids
}

// again is how long it is until a letter is due; most if none is before.
func (p *place) again(now time.Time, most time.Duration) time.Duration {
	for _, o := range p.owed {
		most = min(most, max(o.next.Sub(now), 0))
	}
	return most
}

// owes says whether the server owes a letter.
func (p *place) owes(uid imap.UID) bool {
	return slices.ContainsFunc(p.owed, func(o owed) bool { return o.uid == uid })
}

// settle ends what is owed of a letter.
func (p *place) settle(uid imap.UID) {
	p.owed = slices.DeleteFunc(p.owed, func(o owed) bool { return o.uid == uid })
}

// owe puts a letter with those that are asked for after all others; no try counts.
func (p *place) owe(uid imap.UID, now time.Time) {
	if !p.owes(uid) && len(p.owed) < mostOwed {
		p.owed = append(p.owed, owed{uid: uid, next: now})
	}
}

// refused counts a try, and says whether there will be another one. If not,
// nothing is owed any more.
func (p *place) refused(uid imap.UID, now time.Time) (tries int, again bool) {
	n := slices.IndexFunc(p.owed, func(o owed) bool { return o.uid == uid })
	if n < 0 {
		if len(p.owed) >= mostOwed {
			return 1, false
		}
		n = len(p.owed)
		p.owed = append(p.owed, owed{uid: uid})
	}
	o := &p.owed[n]
	o.tries++
	if o.tries > len(tryAgain) {
		defer p.settle(uid)
		return o.tries, false
	}
	o.next = now.Add(tryAgain[o.tries-1]).Truncate(time.Second).Add(time.Second)
	return o.tries, true
}
