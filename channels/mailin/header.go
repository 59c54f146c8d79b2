package mailin

import (
	"bufio"
	"bytes"
	"io"
	"mime"
	"net/mail"
	"net/textproto"
	"regexp"
	"strings"
	"unicode/utf8"

	"github.com/jhillyerd/enmime/v2"
	"golang.org/x/net/html/charset"
)

// Header is the fields of a letter by their canonical names, as they came.
type Header textproto.MIMEHeader

// Bounds of what is read of a header, in bytes.
const (
	longestHeader  = 256 << 10
	longestLine    = 8 << 10
	longestAddress = 320
	longestID      = 250
)

// cutHeader cuts a message at the empty line behind its header.
func cutHeader(raw []byte) (header, body []byte) {
	for at := 0; at < len(raw); {
		end := bytes.IndexByte(raw[at:], '\n')
		if end < 0 {
			return raw, nil
		}
		if len(bytes.TrimRight(raw[at:at+end], "\r")) == 0 {
			return raw[:at], raw[at+end+1:]
		}
		at += end + 1
	}
	return raw, nil
}

// ReadHeader reads the header of a letter, as far as it can be read.
func ReadHeader(raw []byte) Header {
	raw = raw[:min(len(raw), longestHeader)]
	raw = bytes.ReplaceAll(raw, []byte{0}, nil)
	h, _ := enmime.ReadHeader(bufio.NewReader(io.MultiReader(bytes.NewReader(raw), strings.NewReader("\r\n\r\n"))), deaf{})
	return Header(h)
}

// deaf hears no complaints of enmime: nobody would read them.
type deaf struct{}

// AddError implements [enmime.ErrorCollector].
func (deaf) AddError(string, string, ...any) {}

// AddWarning implements [enmime.ErrorCollector].
func (deaf) AddWarning(string, string, ...any) {}

func (h Header) first(name string) string {
	if list := h[name]; len(list) > 0 {
		return list[0][:min(len(list[0]), longestHeader)]
	}
	return ""
}

// words is a field of text, decoded, on one line.
func (h Header) words(name string) string {
	v := h.first(name)
	return clip(tidy(decodeWords(v[:min(len(v), longestLine)])), 1000)
}

// words decodes RFC 2047 in any charset that browsers know.
var words = &mime.WordDecoder{CharsetReader: func(label string, in io.Reader) (io.Reader, error) {
	return charset.NewReaderLabel(label, in)
}}

func decodeWords(v string) string {
	if d, err := words.DecodeHeader(v); err == nil {
		v = d
	}
	if !utf8.ValidString(v) {
		v = string(toUTF8([]byte(v), "", false))
	}
	return v
}

var messageIDs = regexp.MustCompile(`<[!-;=?-~]+>`)

// ids is the Message-IDs in a field, in its order.
func (h Header) ids(name string) []string {
	var out []string
	for _, line := range h[name] {
		for _, id := range messageIDs.FindAllString(line[:min(len(line), 4*longestLine)], 100) {
			if len(id) <= longestID {
				out = append(out, id)
			}
		}
	}
	return out
}

// id is the one Message-ID in a field, or "".
func (h Header) id(name string) string {
	if ids := h.ids(name); len(ids) > 0 {
		return ids[0]
	}
	return ""
}

var looseAddress = regexp.MustCompile(`[^\s<>"(),;:@\\\[\]]{1,64}@[^\s<>"(),;:@\\\[\]]{1,255}`)

// addresses is the e-mail addresses in a field, also of one that is not as it should be.
func addresses(line string) []string {
	line = line[:min(len(line), longestLine)]
	var out []string
	if list, err := (&mail.AddressParser{WordDecoder: words}).ParseList(line); err == nil {
		for _, a := range list {
			out = append(out, a.Address)
		}
	} else {
		if at := strings.LastIndex(line, "<"); at >= 0 && strings.Count(line, "@") > 1 && !strings.Contains(line, ",") {
			line = line[at:] // "me@work" <me@home.example>
		}
		out = looseAddress.FindAllString(line, manyAddresses)
	}
	keep := out[:0]
	for _, a := range out {
		if len(a) <= longestAddress && !strings.ContainsAny(a, " \r\n\x00<>") {
			keep = append(keep, a)
		}
	}
	return keep
}

// tidy is a text on one line without what cannot be shown.
func tidy(text string) string {
	return strings.Join(strings.FieldsFunc(strings.ToValidUTF8(text, "�"), func(r rune) bool { return r <= ' ' || r == 0x7f }), " ")
}

// clip cuts a text to a number of bytes, at the end of a letter.
func clip(text string, n int) string {
	if len(text) <= n {
		return text
	}
	for n > 0 && !utf8.RuneStart(text[n]) {
		n--
	}
	return text[:n]
}
