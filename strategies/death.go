package strategies

import (
	"regexp"
	"strconv"
	"strings"
	"time"
)

// bury settles what a dead worker leaves: which call is to blame, and which others are lost and may run again.
func (w *worker) bury() {
	w.end(&fate{kind: KindWorkerCrashed}) // unless there is a reason already
	<-w.exited
	<-w.watched
	running, _ := w.page.read()
	w.page.close()
	_ = w.control.Close()
	dump := w.dump.finish(200 * time.Millisecond)
	said := w.output.finish(200 * time.Millisecond)
	w.revoke()
	w.pool.remove(w)

	w.mu.Lock()
	w.gone = true
	f, left := *w.fate, w.calls
	w.calls = nil
	w.mu.Unlock()
	if f.message == "" {
		f.name, f.message = "Exit", "the worker process "+w.status
		if strings.Contains(w.status, "signal") {
			f.name = "Signal"
		}
		if line := lastLine(said); line != "" {
			if w.hide != nil {
				line = w.hide.Replace(line)
			}
			f.message += ": " + line
		}
	}
	guilty := culprit(f, left, running)
	if guilty != nil {
		blame := blameFor(f, guilty.frame.source, dump)
		guilty.frame.culprit, guilty.frame.blame = guilty, blame
		w.pool.condemn(w, guilty.frame.source, *blame)
	}
	frames := map[*dispatch]bool{}
	for _, p := range left {
		frames[p.frame] = true
	}
	for d := range frames {
		d.lost = true
		close(d.done)
	}
}

// culprit finds the call that ended its worker: the one whose code ran, or the only one there was. Bytes forged on the
// control channel may be read long after they were written, so they only tell something about a call that is alone.
func culprit(f fate, left map[uint64]*pending, running uint64) *pending {
	if f.innocent {
		return nil
	}
	if p := left[running]; p != nil && f.name != "Protocol" {
		return p
	}
	if len(left) == 1 {
		for _, p := range left {
			return p
		}
	}
	return nil
}

var stackLine = regexp.MustCompile(`File "([^"]*)", line (\d+) in (\S+)`)

// blameFor words the error, with the author's innermost line of the interpreter's dump.
func blameFor(f fate, s Source, dump string) *Error {
	e := &Error{Kind: f.kind, Type: f.name, Message: f.message, File: s.Filename}
	var frames []string
	for _, m := range stackLine.FindAllStringSubmatch(dump, -1) {
		if m[1] != s.Filename {
			continue
		}
		if e.Line == 0 {
			e.Line, _ = strconv.Atoi(m[2])
		}
		frames = append([]string{"  " + m[0]}, frames...)
	}
	e.Traceback = strings.Join(append(frames, e.Type+": "+e.Message), "\n")
	return e
}
