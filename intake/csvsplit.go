package intake

import (
	"bytes"
	"strings"
)

// splitState is what a splitter made of a stretch of text.
type splitState int

const (
	splitDone  splitState = iota // a whole record
	splitOpen                    // the text ends inside the record
	splitWrong                   // the quotes are wrong
)

// splitter finds the cells of one CSV record, as RFC 4180 has them. It is encoding/csv's reader turned inside out: it
// works on text that stays put, so that a record with wrong quotes can be given up and reading start over on the line
// after the one it began on.
type splitter struct {
	comma  byte
	cells  []span
	end    int // of the record's text
	next   int // where the next record starts
	open   int // the quote that opened the unfinished cell, if quoted
	quoted bool
	wrong  int // the first byte that does not belong
}

// span is one cell in the record's text; doubled means it has quotes to undouble.
type span struct {
	lo, hi  int
	doubled bool
}

// split finds the first record of data; final says that nothing comes after.
func (s *splitter) split(data []byte, final bool) splitState {
	s.cells, s.quoted, s.open, s.wrong = s.cells[:0], false, 0, 0
	for at := 0; ; at++ {
		cell, after, state := s.cell(data, at, final)
		if state != splitDone {
			return state
		}
		s.cells = append(s.cells, cell)
		if after == len(data) {
			if !final {
				return splitOpen
			}
			s.end, s.next = after, after
			return splitDone
		}
		at = after
		if data[at] == s.comma {
			continue
		}
		s.end, s.next = at, at+1
		if data[at] == '\r' {
			if at+1 == len(data) && !final {
				return splitOpen
			}
			if at+1 < len(data) && data[at+1] == '\n' {
				s.next++
			}
		}
		return splitDone
	}
}

// cell reads the cell at the given place; after is the delimiter, line end or end of the text behind it.
func (s *splitter) cell(data []byte, at int, final bool) (cell span, after int, state splitState) {
	if at == len(data) || data[at] != '"' {
		for i := at; i < len(data); i++ {
			switch data[i] {
			case s.comma, '\r', '\n':
				return span{at, i, false}, i, splitDone
			case '"':
				s.wrong = i
				return span{}, 0, splitWrong
			}
		}
		return span{at, len(data), false}, len(data), splitDone
	}
	doubled := false
	for i := at + 1; ; i += 2 {
		quote := bytes.IndexByte(data[i:], '"')
		if quote < 0 || i+quote+1 == len(data) && !final {
			s.open, s.quoted = at, true
			return span{}, 0, splitOpen
		}
		i += quote
		if i+1 < len(data) && data[i+1] == '"' {
			doubled = true
			continue
		}
		if i+1 < len(data) && data[i+1] != s.comma && data[i+1] != '\r' && data[i+1] != '\n' {
			s.wrong = i
			return span{}, 0, splitWrong
		}
		return span{at + 1, i, doubled}, i + 1, splitDone
	}
}

// texts are the cells of a split record, given its text.
func (s *splitter) texts(record string) []string {
	texts := make([]string, len(s.cells))
	for i, c := range s.cells {
		texts[i] = record[c.lo:c.hi]
		if c.doubled {
			texts[i] = strings.ReplaceAll(texts[i], `""`, `"`)
		}
	}
	return texts
}

// biggest is the index of the largest cell, counting one that was still open when the text was cut.
func (s *splitter) biggest(size int) int {
	index, most, last := 0, -1, 0
	for i, c := range s.cells {
		if c.hi-c.lo > most {
			index, most = i, c.hi-c.lo
		}
		last = c.hi
	}
	if size-last > most {
		index = len(s.cells)
	}
	return index
}
