package intake

import (
	"io"
)

// jsonValues reads the rows of a JSON array, or of one object or several printed over many lines. It is kind to what
// separates the rows, and strict inside them.
type jsonValues struct {
	in      *window
	columns *columns
	array   bool
	over    bool // the array is closed, or the rest of the file was given up
}

func openJSON(in *window, columns *columns) (*jsonValues, error) {
	if err := in.skipAny(" \t\r\n"); err != nil {
		return nil, err
	}
	f := &jsonValues{in: in, columns: columns}
	switch start := in.bytes()[0]; start {
	case '[':
		f.array = true
		in.skip(1)
	case '{':
	default:
		return nil, unreadable("the file is not JSON: it starts with %q and not with [ or {", start)
	}
	return f, nil
}

func (f *jsonValues) next() (Row, error) {
	for {
		if err := f.in.skipAny(" \t\r\n,"); err != nil {
			return Row{}, err
		}
		switch {
		case len(f.in.bytes()) == 0 && f.array && !f.over:
			f.over = true
			row := Row{Line: f.in.line}
			row.fail("", "", "the file ends before its array is closed: rows may be missing")
			return row, nil
		case len(f.in.bytes()) == 0:
			return Row{}, io.EOF
		case f.array && f.over:
			row := Row{Line: f.in.line}
			row.fail("", "", "there is text behind the end of the array: it was not read")
			f.in.lo, f.in.err = len(f.in.buf), io.EOF
			return row, nil
		case f.array && f.in.bytes()[0] == ']':
			f.in.skip(1)
			f.over = true
		default:
			return f.element()
		}
	}
}

// element reads the value at the start of the window, of which it keeps at most MaxRecord bytes.
func (f *jsonValues) element() (Row, error) {
	var e extent
	line, column := f.in.line, f.in.column
	var head string
	for seen := 0; ; {
		n, state := e.scan(f.in.bytes()[seen:])
		seen += n
		switch {
		case state == extentOpen && f.in.more():
			continue
		case state == extentOpen && f.in.err == nil:
			if head == "" {
				head = string(f.in.bytes())
			}
			keep := 0
			if f.in.bytes()[seen-1] == '\r' {
				keep = 1 // it counts as one line end with the line feed to come
			}
			f.in.skip(seen - keep)
			seen = keep
			f.in.more()
			continue
		case state == extentOpen && !f.in.complete():
			return Row{}, f.in.err
		}
		end := seen
		if state == extentBroken && f.in.bytes()[seen] != '{' {
			end++ // the syntax error is to name the byte
		}
		text := string(f.in.bytes()[:end])
		f.in.skip(seen)
		if state == extentBroken {
			f.resync()
		}
		if head != "" {
			return f.columns.cutObject(head, line), nil
		}
		return f.columns.object(text, line, column), nil
	}
}

// resync moves behind a broken row: to the object that starts where none can, or else to the next line that starts
// with one.
func (f *jsonValues) resync() {
	for len(f.in.bytes()) > 0 && f.in.bytes()[0] != '{' {
		f.in.skipLine()
		if err := f.in.skipAny(" \t,"); err != nil {
			return
		}
	}
	if len(f.in.bytes()) == 0 {
		f.over = true
	}
}
