package intake

import (
	"io"
	"strings"
)

// jsonLines reads the rows of JSON Lines: an object on each line. A line's faults stay on that line.
type jsonLines struct {
	in      *window
	columns *columns
}

func (f *jsonLines) next() (Row, error) {
	for {
		end, next, whole := f.in.lineEnd()
		if len(f.in.bytes()) == 0 {
			if err := f.in.failure(); err != nil {
				return Row{}, err
			}
			return Row{}, io.EOF
		}
		if f.in.err != nil && !f.in.complete() && end == next {
			return Row{}, f.in.err
		}
		line, column, text := f.in.line, f.in.column, string(f.in.bytes()[:end])
		if !whole {
			f.in.skipLine()
			return f.columns.cutObject(text, line), nil
		}
		f.in.skip(next)
		if strings.TrimSpace(text) != "" {
			return f.columns.object(text, line, column), nil
		}
	}
}

// cutObject makes the row of an object too long to read whole.
func (c *columns) cutObject(text string, line int) Row {
	row := Row{Line: line}
	row.Raw, _ = mend(text)
	row.tooLarge(c.of(largestMember(row.Raw)).target, "more than 1 MiB")
	return row
}
