package intake

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"mime"
	"strings"
)

// Reader gives the rows of one file in order. It is not safe for concurrent use and does not close its source.
type Reader struct {
	text   *decoder
	rows   source
	header []string
	format string
	comma  byte
	err    error
}

// source is one file format. Its errors other than io.EOF are those of the uploaded stream.
type source interface {
	next() (Row, error)
}

// Open recognises the encoding and the format of a file and reads its header. It returns a *HeaderError when a CSV
// header lacks required columns and a *FormatError when the file cannot be read; other errors are those of r or say
// what is wrong with the options.
func Open(r io.Reader, o Options) (*Reader, error) {
	columns, err := newColumns(o)
	if err != nil {
		return nil, err
	}
	mediaType, params, _ := mime.ParseMediaType(o.ContentType)
	text, err := newDecoder(r, params["charset"])
	if err != nil {
		return nil, err
	}
	in := newWindow(text)
	if err := in.skipAny("\r\n"); err != nil {
		return nil, fmt.Errorf("read the file: %w", err)
	}
	start := bytes.TrimLeft(in.bytes(), " \t\r\n")
	if len(start) == 0 {
		return nil, unreadable("the file is empty")
	}
	reader := &Reader{text: text}
	switch reader.format = sniffFormat(mediaType, start); reader.format {
	case "csv":
		file, err := openCSV(in, columns)
		if err != nil {
			return nil, err
		}
		reader.rows, reader.header, reader.comma = file, file.header, file.split.comma
	case "ndjson":
		reader.rows = &jsonLines{in: in, columns: columns}
	case "json":
		reader.rows, err = openJSON(in, columns)
		if err != nil {
			return nil, err
		}
	}
	return reader, nil
}

// Next returns the next row, or io.EOF after the last one. A bad row is a row with Problems, never an error; an error
// other than io.EOF means that the stream itself broke, and is returned from then on.
func (r *Reader) Next() (Row, error) {
	if r.err != nil {
		return Row{}, r.err
	}
	row, err := r.rows.next()
	if err != nil {
		r.err = err
		if !errors.Is(err, io.EOF) {
			r.err = fmt.Errorf("read the file: %w", err)
		}
		return Row{}, r.err
	}
	return row, nil
}

// Header returns the column names of a CSV file as they are spelled in it, and nil for JSON.
func (r *Reader) Header() []string { return r.header }

// Encoding returns the file's encoding: utf-8, utf-16le, utf-16be, windows-1251 or windows-1252. A file is utf-8 for as
// long as only ASCII has been read from it.
func (r *Reader) Encoding() string { return r.text.name }

// Delimiter returns the CSV delimiter, and zero for JSON.
func (r *Reader) Delimiter() byte { return r.comma }

// Format returns what the file was recognised as: csv, ndjson (an object a line) or json (an array, or objects over
// several lines).
func (r *Reader) Format() string { return r.format }

// sniffFormat believes a declared type, but for JSON lets the text decide between its shapes: they are often confused.
func sniffFormat(mediaType string, text []byte) string {
	isJSON := strings.HasSuffix(mediaType, "json") || mediaType == "application/jsonl"
	switch {
	case mediaType == "text/csv":
		return "csv"
	case text[0] == '[' && (isJSON || looksLikeArray(text)):
		return "json"
	case text[0] == '{':
		if mediaType == "application/x-ndjson" || isObjectPerLine(text) {
			return "ndjson"
		}
		return "json"
	case mediaType == "application/x-ndjson":
		return "ndjson"
	case isJSON:
		return "json"
	}
	return "csv"
}

// looksLikeArray tells a JSON array from a CSV header that starts with a bracket.
func looksLikeArray(text []byte) bool {
	rest := bytes.TrimLeft(text[1:], " \t\r\n")
	return len(rest) == 0 || rest[0] == '{' || rest[0] == ']'
}

// isObjectPerLine tells JSON Lines from an object printed over several lines: either the first line holds a whole
// object, or it is broken, and then the next line starts a new one.
func isObjectPerLine(text []byte) bool {
	end := bytes.IndexAny(text, "\r\n")
	if end < 0 {
		return true
	}
	var e extent
	if _, state := e.scan(text[:end]); state != extentOpen || e.inString {
		return true
	}
	first := bytes.TrimRight(text[:end], " \t")
	next := bytes.TrimLeft(text[end:], " \t\r\n")
	last := first[len(first)-1]
	return len(next) > 0 && next[0] == '{' && last != ':' && last != '['
}
