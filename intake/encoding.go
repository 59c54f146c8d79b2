package intake

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"github.com/wlynxg/chardet"
	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/unicode"
)

// The encodings intake reads.
const (
	encodingUTF8    = "utf-8"
	encodingUTF16LE = "utf-16le"
	encodingUTF16BE = "utf-16be"
	encoding1251    = "windows-1251"
	encoding1252    = "windows-1252"
)

// prefix is how much of a file is looked at to recognise its encoding.
const prefix = 64 << 10

// decoder turns a file into UTF-8. A file without a mark is passed through while it is ASCII, and its encoding is
// decided at the first byte that is not: a list whose first accented name is on line 50,000 is read correctly too.
// Bytes that are wrong in UTF-8 are passed on: the row they are in is mended, with a warning.
type decoder struct {
	in      *bufio.Reader
	out     io.Reader // nil until the encoding is decided
	name    string
	pending int // bytes at the front of in known to be ASCII
}

func newDecoder(r io.Reader, charset string) (*decoder, error) {
	d := &decoder{in: bufio.NewReaderSize(r, prefix), name: encodingUTF8}
	start, err := d.in.Peek(prefix)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("read the file: %w", err)
	}
	if kind := foreign(start); kind != "" {
		return nil, unreadable("this is %s, not a list of contacts: save it as CSV in UTF-8", kind)
	}
	name, mark := byteOrderMark(start)
	if name == "" {
		name = declared(charset)
	}
	if name == "" {
		name = utf16WithoutMark(start)
	}
	if _, err := d.in.Discard(mark); err != nil {
		return nil, fmt.Errorf("read the file: %w", err)
	}
	if name != "" {
		d.decide(name)
	}
	return d, nil
}

// Read gives the file as UTF-8.
func (d *decoder) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	if d.out != nil {
		return d.out.Read(p)
	}
	if d.pending == 0 {
		seen, err := d.in.Peek(prefix)
		if len(seen) == 0 {
			return 0, err
		}
		d.pending = ascii(seen)
		if d.pending == 0 {
			d.decide(guess(seen))
			return d.out.Read(p)
		}
	}
	n, err := d.in.Read(p[:min(len(p), d.pending)])
	d.pending -= n
	return n, err
}

func (d *decoder) decide(name string) {
	d.name = name
	var from encoding.Encoding
	switch name {
	case encodingUTF16LE:
		from = unicode.UTF16(unicode.LittleEndian, unicode.IgnoreBOM)
	case encodingUTF16BE:
		from = unicode.UTF16(unicode.BigEndian, unicode.IgnoreBOM)
	case encoding1251:
		from = charmap.Windows1251
	case encoding1252:
		from = charmap.Windows1252
	default:
		d.out = d.in
		return
	}
	d.out = from.NewDecoder().Reader(d.in)
}

// foreign recognises the files people upload instead of a CSV.
func foreign(start []byte) string {
	for _, kind := range []struct{ magic, name string }{
		{"PK\x03\x04", "a spreadsheet or a zip archive"},
		{"\xD0\xCF\x11\xE0", "an old Excel or Word file"},
		{"\x1F\x8B", "a gzip archive"},
		{"%PDF-", "a PDF"},
	} {
		if bytes.HasPrefix(start, []byte(kind.magic)) {
			return kind.name
		}
	}
	return ""
}

func byteOrderMark(start []byte) (name string, size int) {
	switch {
	case bytes.HasPrefix(start, []byte("\xEF\xBB\xBF")):
		return encodingUTF8, 3
	case bytes.HasPrefix(start, []byte("\xFF\xFE")):
		return encodingUTF16LE, 2
	case bytes.HasPrefix(start, []byte("\xFE\xFF")):
		return encodingUTF16BE, 2
	}
	return "", 0
}

// declared is the encoding the upload named, if it is one of ours.
func declared(charset string) string {
	switch strings.ToLower(charset) {
	case encodingUTF8, "utf8":
		return encodingUTF8
	case encodingUTF16LE, encodingUTF16BE, encoding1251, encoding1252:
		return strings.ToLower(charset)
	case "cp1251":
		return encoding1251
	case "cp1252":
		return encoding1252
	}
	return ""
}

// utf16WithoutMark looks at where the zero bytes are: delimiters, digits and line ends have one each in UTF-16, always
// on the same side. A stray NUL in a UTF-8 file is far below the tenth asked for.
func utf16WithoutMark(start []byte) string {
	start = start[:min(len(start), 4<<10)]
	var zeros [2]int
	for i, b := range start {
		if b == 0 {
			zeros[i%2]++
		}
	}
	pairs := len(start) / 2
	switch {
	case pairs == 0:
		return ""
	case zeros[1]*10 >= pairs && zeros[1] > 4*zeros[0]:
		return encodingUTF16LE
	case zeros[0]*10 >= pairs && zeros[0] > 4*zeros[1]:
		return encodingUTF16BE
	}
	return ""
}

// guess decides between UTF-8 and the two code pages from text that starts with a byte above ASCII. UTF-8 may have a
// few wrong bytes. Cyrillic letters stand next to each other, accented ones mostly alone; between the two, chardet's
// letter statistics decide. (Alone, chardet takes short Cyrillic names for MacCyrillic.)
func guess(text []byte) string {
	right, wrong := 0, 0
	for i := 0; i < len(text); {
		if text[i] < utf8.RuneSelf {
			i++
			continue
		}
		r, size := utf8.DecodeRune(text[i:])
		switch {
		case r != utf8.RuneError || size > 1:
			right++
		case utf8.FullRune(text[i:]):
			wrong++
		}
		i += size
	}
	if wrong == 0 || right >= 4*wrong {
		return encodingUTF8
	}
	letters, inCompany := 0, 0
	for i, b := range text {
		if b < 0xC0 {
			continue
		}
		letters++
		if i > 0 && text[i-1] >= 0xC0 || i+1 < len(text) && text[i+1] >= 0xC0 {
			inCompany++
		}
	}
	switch {
	case 2*inCompany < letters || letters == 0:
		return encoding1252
	case 4*inCompany >= 3*letters:
		return encoding1251
	}
	if strings.EqualFold(chardet.Detect(text).Encoding, encoding1251) {
		return encoding1251
	}
	return encoding1252
}

// ascii counts the ASCII bytes in front.
func ascii(text []byte) int {
	for i, b := range text {
		if b >= utf8.RuneSelf {
			return i
		}
	}
	return len(text)
}
