package mailin

import (
	"bytes"
	"fmt"
	"slices"
	"strings"

	"github.com/jhillyerd/enmime/v2/mediatype"

	"carillon/channels"
)

// Bounds of the tree of parts that is read; what goes on deeper or longer is left out.
const (
	deepest   = 20
	mostParts = 500
	mostFiles = 50
	// longestText bounds the encoded text that is decoded of one part, mostText of all.
	longestText = 512 << 10
	mostText    = 1 << 20
)

// Read reads a message as it travels. An error is [channels.ErrMalformed].
func Read(raw []byte) (l *Letter, err error) {
	defer guard(&err)
	start := bytes.TrimLeft(raw, "\r\n\t \x00")
	if bytes.HasPrefix(start, []byte("From ")) { // as mailboxes separate messages
		_, start, _ = bytes.Cut(start, []byte("\n"))
	}
	head, body := cutHeader(start)
	l = &Letter{Header: ReadHeader(head), Raw: raw}
	if len(l.Header) == 0 {
		return nil, fmt.Errorf("%w: the letter has no headers", channels.ErrMalformed)
	}
	l.Addressed()
	if back := l.Header["Return-Path"]; len(back) > 0 {
		l.NullSender = strings.Trim(back[0], "<> \t") == ""
	}
	t := tree{letter: l}
	l.Text = strings.TrimSpace(t.part(l.Header, body, 0).text)
	return l, nil
}

// tree is a letter's parts being read.
type tree struct {
	letter *Letter
	parts  int
	words  int // bytes of text decoded by now
}

// said is the text of a part and whether it was written as text, not as HTML.
type said struct {
	text  string
	plain bool
}

// part reads one part and all in it, and returns what it says.
func (t *tree) part(h Header, body []byte, depth int) said {
	t.parts++
	if t.parts > mostParts || depth > deepest {
		return said{}
	}
	kind, params := typeOf(h.first("Content-Type"))
	if strings.HasPrefix(kind, "multipart/") {
		if parts := split(body, params["boundary"]); len(parts) > 0 {
			return t.multipart(kind, params, parts, depth)
		}
		kind = "text/plain" // its boundary is nowhere: what is there is all there is
	}
	disposition, place := typeOf(h.first("Content-Disposition"))
	name := orElse(place["filename"], params["name"])
	encoding := h.encoding()
	if kind == "" {
		kind = "text/plain"
	}
	if disposition == "attachment" || name != "" || kind != "text/plain" && kind != "text/html" {
		t.letter.Attach(File(name, kind, sizeOf(body, encoding)))
		return said{}
	}
	room := min(longestText, mostText-t.words)
	if room <= 0 {
		return said{}
	}
	body = body[:min(len(body), room)]
	t.words += len(body)
	isHTML := kind == "text/html"
	return said{text: Text(decode(body, encoding), params["charset"], isHTML), plain: !isHTML}
}

// multipart reads the parts of a part. Of alternatives one is taken, text before
// HTML; of everything else all.
func (t *tree) multipart(kind string, params map[string]string, parts [][]byte, depth int) said {
	report := kind == "multipart/report" && strings.EqualFold(params["report-type"], "delivery-status")
	var children []said
	for i, raw := range parts {
		head, body := cutHeader(raw)
		h := ReadHeader(head)
		if encoding := h.encoding(); report && i > 0 && t.letter.Reported(h.first("Content-Type"), decode(body[:min(len(body), longestHeader)], encoding)) {
			continue
		}
		if s := t.part(h, body, depth+1); strings.TrimSpace(s.text) != "" {
			children = append(children, s)
		}
		if t.parts > mostParts {
			break
		}
	}
	if len(children) == 0 {
		return said{}
	}
	if kind == "multipart/alternative" {
		if i := slices.IndexFunc(children, func(s said) bool { return s.plain }); i >= 0 {
			return children[i]
		}
		return children[0]
	}
	texts := make([]string, len(children))
	for i, c := range children {
		texts[i] = strings.TrimSpace(c.text)
	}
	return said{text: strings.Join(texts, "\n\n"), plain: children[0].plain}
}

// File is the reference to a file of a letter. Its content is not kept.
func File(name, kind string, size int64) channels.File {
	name = tidy(decodeWords(clip(name, 1000)))
	name = clip(name[strings.LastIndexAny(name, `/\`)+1:], 200)
	kind = clip(tidy(strings.ToLower(kind)), 100)
	return channels.File{Name: orElse(name, orElse(kind, "file")), Type: kind, Size: size}
}

func (h Header) encoding() string {
	return strings.ToLower(strings.TrimSpace(h.first("Content-Transfer-Encoding")))
}

// typeOf reads a media type as leniently as enmime does.
func typeOf(field string) (kind string, params map[string]string) {
	if len(field) > longestLine/2 {
		return "", nil
	}
	kind, params, _, err := mediatype.Parse(field)
	if err != nil {
		kind, _, _ = strings.Cut(field, ";")
	}
	return strings.ToLower(strings.TrimSpace(kind)), params
}

// split cuts the body of a multipart at its boundary (RFC 2046, 5.1.1), without
// copying it. What stands before the first and behind the last is for nobody.
func split(body []byte, boundary string) [][]byte {
	if boundary = strings.TrimRight(boundary, " "); boundary == "" || len(boundary) > 1000 {
		return nil
	}
	mark := []byte("\n--" + boundary)
	var parts [][]byte
	begin := -1
	for at := 0; at < len(body) && len(parts) <= mostParts; {
		i := 0
		if at > 0 || !bytes.HasPrefix(body, mark[1:]) {
			if i = bytes.Index(body[at:], mark); i < 0 {
				break
			}
			i += at + 1
		}
		at = i + len(mark) - 1
		line, _, _ := bytes.Cut(body[at:min(len(body), at+1000)], []byte("\n"))
		rest := strings.TrimRight(string(line), " \t\r")
		if rest != "" && rest != "--" {
			continue
		}
		if begin >= 0 {
			parts = append(parts, trimBreak(body[begin:i]))
		}
		if begin = min(len(body), at+len(line)+1); rest == "--" {
			return parts
		}
	}
	if begin >= 0 { // it was cut off, or forgot its end
		parts = append(parts, body[begin:])
	}
	return parts
}

// trimBreak takes the line break off that belongs to the boundary.
func trimBreak(part []byte) []byte {
	return bytes.TrimSuffix(bytes.TrimSuffix(part, []byte("\n")), []byte("\r"))
}

func orElse(text, other string) string {
	if text == "" {
		return other
	}
	return text
}
