package intake

import (
	"bytes"
	"errors"
	"io"
	"slices"
	"unicode/utf8"
)

// window is the part of the text being looked at: it starts at the next unread byte, grows to at most MaxRecord bytes
// and knows the line and column it starts at.
type window struct {
	src    io.Reader
	buf    []byte
	lo     int
	err    error // why src has no more; io.EOF after a whole file
	line   int
	column int
}

func newWindow(src io.Reader) *window {
	return &window{src: src, line: 1, column: 1}
}

// bytes are the unread ones in the window. They are valid until the next call of more.
func (w *window) bytes() []byte { return w.buf[w.lo:] }

// complete reports that the window reaches the end of the file.
func (w *window) complete() bool { return errors.Is(w.err, io.EOF) }

// more makes the window larger. It returns false when the text has ended, or broken off, or MaxRecord is reached.
// Each call at least doubles the window, so that a caller may start over without reading a long record many times.
func (w *window) more() bool {
	const chunk = 64 << 10
	size := len(w.buf) - w.lo
	if w.err != nil || size >= MaxRecord {
		return false
	}
	if w.lo > 0 {
		copy(w.buf, w.buf[w.lo:])
		w.buf, w.lo = w.buf[:size], 0
	}
	want := min(size+max(size, chunk), MaxRecord)
	w.buf = slices.Grow(w.buf, want-size)
	for idle := 0; len(w.buf) < want && w.err == nil; {
		n, err := w.src.Read(w.buf[len(w.buf):want])
		w.buf = w.buf[:len(w.buf)+n]
		w.err = err
		if n > 0 {
			idle = 0
		} else if idle++; idle == 100 && err == nil {
			w.err = io.ErrNoProgress
		}
	}
	return len(w.buf) > size
}

// position is the line and the column, in characters, of the byte at offset.
func (w *window) position(offset int) (line, column int) {
	return place(w.bytes()[:offset], w.line, w.column)
}

// place is the position behind the text seen, which starts at the given one.
func place[T string | []byte](text T, startLine, startColumn int) (line, column int) {
	line, column = startLine, startColumn
	seen := []byte(text)
	for {
		end := bytes.IndexAny(seen, "\r\n")
		if end < 0 {
			return line, column + utf8.RuneCount(seen)
		}
		if seen[end] == '\r' && end+1 < len(seen) && seen[end+1] == '\n' {
			end++
		}
		line, column, seen = line+1, 1, seen[end+1:]
	}
}

// skip moves the start of the window. A line end of two bytes must be skipped whole.
func (w *window) skip(n int) {
	w.line, w.column = w.position(n)
	w.lo += n
}

// skipAny moves to the first byte that is not in the set; the window is empty if there is none.
func (w *window) skipAny(set string) error {
	for {
		n := len(w.bytes()) - len(bytes.TrimLeft(w.bytes(), set))
		if n < len(w.bytes()) {
			w.skip(n)
			return nil
		}
		if n > 0 && w.bytes()[n-1] == '\r' && w.err == nil {
			n-- // its line feed may be still to come
		}
		w.skip(n)
		if !w.more() && len(w.bytes()) == 0 {
			return w.failure()
		}
	}
}

// lineEnd finds the end of the first physical line: where its text ends and where the next line starts. It makes the
// window larger as needed; found is false when the line is longer than the window can be.
func (w *window) lineEnd() (text, next int, found bool) {
	for {
		data := w.bytes()
		end := bytes.IndexAny(data, "\r\n")
		switch {
		case end >= 0 && (data[end] == '\n' || w.err != nil && end+1 == len(data)):
			return end, end + 1, true
		case end >= 0 && end+1 < len(data):
			if data[end+1] == '\n' {
				return end, end + 2, true
			}
			return end, end + 1, true
		}
		if !w.more() {
			return len(data), len(data), w.err != nil
		}
	}
}

// skipLine moves to the next physical line, however long this one is.
func (w *window) skipLine() {
	for {
		_, next, found := w.lineEnd()
		if !found && w.bytes()[next-1] == '\r' {
			next-- // the window is full between the two bytes of a line end
		}
		w.skip(next)
		if found {
			return
		}
	}
}

// failure is the error of a stream that broke off, once everything before is read.
func (w *window) failure() error {
	if w.err != nil && !w.complete() && len(w.bytes()) == 0 {
		return w.err
	}
	return nil
}
