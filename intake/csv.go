package intake

import (
	"bytes"
	"fmt"
	"io"
	"strings"
)

// csvFile reads the rows of a CSV file.
type csvFile struct {
	in      *window
	split   splitter
	columns *columns
	header  []string
	layout  []column
}

func openCSV(in *window, columns *columns) (*csvFile, error) {
	f := &csvFile{in: in, columns: columns}
	if err := f.sniff(); err != nil {
		return nil, err
	}
	if f.read() != splitDone {
		line, column := in.position(f.split.wrong)
		if f.split.quoted {
			line, column = in.position(f.split.open)
		}
		if in.err != nil && !in.complete() {
			return nil, fmt.Errorf("read the file: %w", in.err)
		}
		return nil, unreadable("the header cannot be read: the quote at line %d, column %d is wrong", line, column)
	}
	names := f.split.texts(string(in.bytes()[:f.split.end]))
	for i := range names {
		names[i], _ = mend(names[i])
	}
	in.skip(f.split.next)
	layout, err := columns.header(names)
	if err != nil {
		return nil, err
	}
	f.header, f.layout = names, layout
	return f, nil
}

// sniff finds the delimiter: the one that gives the header the most names we know, then the most cells. A first line
// "sep=;", which Excel writes and hides, settles it.
func (f *csvFile) sniff() error {
	end, next, found := f.in.lineEnd()
	if !found {
		return unreadable("the header is longer than 1 MiB")
	}
	if first := f.in.bytes()[:end]; len(first) == 5 && bytes.EqualFold(first[:4], []byte("sep=")) &&
		bytes.IndexByte([]byte(",;|\t"), first[4]) >= 0 {
		f.split.comma = first[4]
		f.in.skip(next)
		return nil
	}
	best, bestKnown, bestCells := byte(','), -1, -1
	for _, comma := range []byte(",;\t") {
		f.split.comma = comma
		if f.read() != splitDone {
			continue
		}
		names := f.split.texts(string(f.in.bytes()[:f.split.end]))
		known := f.columns.known(names)
		if known > bestKnown || known == bestKnown && len(names) > bestCells {
			best, bestKnown, bestCells = comma, known, len(names)
		}
	}
	f.split.comma = best
	return nil
}

// read splits the next record, making the window as large as it needs.
func (f *csvFile) read() splitState {
	for {
		state := f.split.split(f.in.bytes(), f.in.complete())
		if state != splitOpen || !f.in.more() && !f.in.complete() {
			return state
		}
		if f.in.complete() {
			return f.split.split(f.in.bytes(), true)
		}
	}
}

func (f *csvFile) next() (Row, error) {
	for {
		state := f.read()
		if len(f.in.bytes()) == 0 {
			if err := f.in.failure(); err != nil {
				return Row{}, err
			}
			return Row{}, io.EOF
		}
		if state == splitOpen && f.in.err != nil && !f.in.complete() {
			return Row{}, f.in.err
		}
		if state != splitDone {
			return f.giveUp(state), nil
		}
		record := string(f.in.bytes()[:f.split.end])
		line := f.in.line
		f.in.skip(f.split.next)
		if len(f.split.cells) == 1 && strings.TrimSpace(record) == "" {
			continue
		}
		return f.row(line, record), nil
	}
}

// row makes a row of a well-formed record.
func (f *csvFile) row(line int, record string) Row {
	row := Row{Line: line}
	row.Raw, _ = mend(record)
	if len(f.split.cells) != len(f.layout) {
		row.fail("", "", fmt.Sprintf("the row has %d cells, the header has %d", len(f.split.cells), len(f.layout)))
		return row
	}
	if len(record) > MaxRow {
		row.tooLarge(f.columnName(f.split.biggest(0)), kibibytes(len(record)))
		return row
	}
	a := assembly{row: &row, columns: f.columns}
	for i, text := range f.split.texts(record) {
		if f.layout[i].name == "" {
			if strings.TrimSpace(text) != "" {
				row.warn("", text, fmt.Sprintf("column %d has no name in the header: its value was not taken", i+1))
			}
			continue
		}
		a.set(f.layout[i], value{kind: kindCell, text: text})
	}
	a.finish()
	return row
}

// giveUp reports a record that cannot be split and moves to the physical line after the one it starts on, so that a
// quote nobody closed costs one row and not the rest of the file.
func (f *csvFile) giveUp(state splitState) Row {
	row := Row{Line: f.in.line}
	wrongLine, wrongColumn := f.in.position(f.split.wrong)
	openLine, openColumn := f.in.position(f.split.open)
	end, _, found := f.in.lineEnd()
	row.Raw, _ = mend(string(f.in.bytes()[:end]))
	switch {
	case !found:
		// The line fills the window, and what is past its end was never looked at.
		row.tooLarge(f.columnName(f.split.biggest(end)), "more than 1 MiB")
	case state == splitWrong:
		row.fail("", "", fmt.Sprintf("the quote at line %d, column %d is wrong: "+
			"a cell with quotes must be quoted as a whole and its quotes doubled", wrongLine, wrongColumn))
	case f.in.complete():
		row.fail("", "", fmt.Sprintf("the quote opened at line %d, column %d is never closed", openLine, openColumn))
	default:
		row.fail("", "", fmt.Sprintf("the quote opened at line %d, column %d is not closed within 1 MiB",
			openLine, openColumn))
	}
	f.in.skipLine()
	return row
}

func (f *csvFile) columnName(index int) string {
	if index >= len(f.layout) {
		return ""
	}
	if col := f.layout[index]; col.target != "" {
		return col.target
	}
	return f.layout[index].name
}
