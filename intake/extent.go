package intake

// extentState is what a scan found.
type extentState int

const (
	extentOpen   extentState = iota // the text ends inside the value
	extentDone                      // the value ends here
	extentBroken                    // the value cannot go on like this
)

// extent finds where a JSON value ends without holding it: it follows strings and brackets only, in any number of
// stretches. It notices what would make it run into the next rows: a line end in a string, a bracket closed by the
// wrong one, and an object where none can start.
type extent struct {
	stack    []byte
	inString bool
	escaped  bool
	started  bool
	last     byte // the last byte that is not white space
}

// deepest is far beyond what a row may hold; it bounds the stack.
const deepest = 10_000

// scan reads on. It returns how many bytes it took, not counting the one at which it found the value broken.
func (e *extent) scan(text []byte) (int, extentState) {
	for i, c := range text {
		if e.inString {
			switch {
			case c == '\n' || c == '\r':
				return i, extentBroken
			case e.escaped:
				e.escaped = false
			case c == '\\':
				e.escaped = true
			case c == '"':
				e.inString = false
				if len(e.stack) == 0 {
					return i + 1, extentDone
				}
			}
			continue
		}
		switch c {
		case ' ', '\t', '\r', '\n':
			if e.started && len(e.stack) == 0 {
				return i, extentDone
			}
			continue
		case ',', ':', '"', '{', '[', '}', ']':
			if e.started && len(e.stack) == 0 {
				return i, extentDone
			}
			switch e.mark(c) {
			case extentDone:
				return i + 1, extentDone
			case extentBroken:
				return i, extentBroken
			case extentOpen:
			}
		}
		e.started, e.last = true, c
	}
	return len(text), extentOpen
}

// mark takes one of JSON's marks.
func (e *extent) mark(c byte) extentState {
	depth := len(e.stack)
	switch c {
	case '"':
		e.inString = true
	case '{', '[':
		if depth == deepest || depth > 0 && c == '{' && !e.mayStart() {
			return extentBroken
		}
		e.stack = append(e.stack, c)
	case '}', ']':
		if depth == 0 {
			return extentDone // a bracket that closes nothing
		}
		if e.stack[depth-1] != c-2 { // the brackets of a pair are two apart in ASCII
			return extentBroken
		}
		e.stack = e.stack[:depth-1]
		if depth == 1 {
			return extentDone
		}
	}
	return extentOpen
}

// mayStart reports whether an object may start behind the last byte.
func (e *extent) mayStart() bool {
	return e.last == ':' || e.last == '[' || e.last == ',' && e.stack[len(e.stack)-1] == '['
}
