package mailin

import (
	"bytes"
	"strings"
	"unicode/utf8"

	"github.com/jhillyerd/enmime/v2"
	"github.com/wlynxg/chardet"
	"golang.org/x/net/html/charset"
)

// parser takes the charset that a part names for what it is: it is guessed here,
// where none is named or the one named is wrong.
var parser = enmime.NewParser(
	enmime.DisableCharacterDetection(true), enmime.DisableTextConversion(true), enmime.MaxStoredPartErrors(10),
	enmime.SetReadPartErrorPolicy(func(*enmime.Part, error) bool { return true }), // what is broken is kept as far as it is whole
)

// decode undoes a transfer encoding.
func decode(body []byte, encoding string) []byte {
	switch encoding {
	case "base64":
		body = bytes.Map(func(r rune) rune { // enmime notes an error for each letter that is none
			if r < utf8.RuneSelf && strings.ContainsRune(base64Letters, r) {
				return r
			}
			return -1
		}, body)
	case "quoted-printable":
	default: // 7bit, 8bit, binary, and what nobody knows
		return body
	}
	root, err := parser.ReadParts(bytes.NewReader(append([]byte("Content-Type: application/octet-stream\r\nContent-Transfer-Encoding: "+encoding+"\r\n\r\n"), body...)))
	if err != nil {
		return nil
	}
	return root.Content
}

const base64Letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/\n"

// sizeOf is how large the content of a file is, without decoding it.
func sizeOf(body []byte, encoding string) int64 {
	if encoding != "base64" {
		return int64(len(body))
	}
	n := 0
	for _, c := range body {
		if c >= '0' && c <= '9' || c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z' || c == '+' || c == '/' {
			n++
		}
	}
	return int64(n * 3 / 4)
}

// Text is a text in the charset that is named, "" if none is, as UTF-8; what an
// HTML letter says, without its marks and what it quotes.
func Text(b []byte, charset string, isHTML bool) string {
	text := string(toUTF8(b, charset, isHTML))
	if isHTML {
		return fromHTML(text)
	}
	return text
}

// toUTF8 converts text in the charset its part names. One that names none, or a
// wrong one, which is common, is recognised by its bytes.
func toUTF8(b []byte, label string, isHTML bool) []byte {
	label = strings.ToLower(strings.Trim(label, ` "'`))
	clean := func(b []byte) []byte {
		b = bytes.ToValidUTF8(b, []byte("�"))
		b = bytes.ReplaceAll(b, []byte("\r\n"), []byte("\n"))
		return bytes.ReplaceAll(bytes.ReplaceAll(b, []byte("\r"), []byte("\n")), []byte{0}, nil)
	}
	switch {
	case bytes.HasPrefix(b, []byte("\xef\xbb\xbf")):
		return clean(b[3:])
	case bytes.HasPrefix(b, []byte("\xff\xfe")), bytes.HasPrefix(b, []byte("\xfe\xff")):
		label = "utf-16"
		if b[0] == 0xfe {
			label = "utf-16be"
		}
		b = b[2:]
	case isASCII(b) && !stateful(label):
		return clean(b)
	case utf8.Valid(b) && !stateful(label): // nothing else looks like UTF-8 by chance
		return clean(b)
	case label == "" || label == "us-ascii" || label == "ascii" || label == "utf-8" || label == "utf8" || !known(label):
		label = guess(b, isHTML)
	}
	root, err := parser.ReadParts(bytes.NewReader(append([]byte(`Content-Type: text/plain; charset="`+label+"\"\r\n\r\n"), b...)))
	if err != nil {
		return clean(b)
	}
	return clean(root.Content)
}

// stateful reports a charset whose text may look like ASCII or UTF-8 and is not.
func stateful(label string) bool {
	for _, prefix := range []string{"utf-7", "utf-16", "utf-32", "iso-2022", "hz", "ucs-", "unicode-1-1"} {
		if strings.HasPrefix(label, prefix) {
			return true
		}
	}
	return false
}

// known reports whether a charset has a name that may stand in a header and that
// somebody knows.
func known(label string) bool {
	if strings.Trim(label, "abcdefghijklmnopqrstuvwxyz0123456789-_.:+") != "" {
		return false
	}
	e, _ := charset.Lookup(label)
	return e != nil || stateful(label) || strings.HasPrefix(label, "cp") || strings.HasPrefix(label, "windows") || strings.HasPrefix(label, "iso")
}

// guess recognises a charset by how often letters stand in it.
func guess(b []byte, isHTML bool) string {
	if isHTML {
		if _, name, certain := charset.DetermineEncoding(b, "text/html"); certain {
			return name
		}
	}
	sample := b[:min(len(b), 8<<10)]
	if found := chardet.Detect(sample); found.Confidence > 0.5 && known(strings.ToLower(found.Encoding)) {
		return strings.ToLower(found.Encoding)
	}
	return "windows-1252"
}

func isASCII(b []byte) bool {
	for _, c := range b {
		if c >= utf8.RuneSelf {
			return false
		}
	}
	return true
}
