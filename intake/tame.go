package intake

import (
	"fmt"
	"strconv"
	"strings"
	"unicode/utf16"
)

// deepestRow is how deep a row may nest: databases and Python give up long before the text gets large.
const deepestRow = 64

// tame makes valid JSON fit to store. Databases refuse the escapes \u0000 and half a surrogate pair, which JSON allows:
// the first is taken out, the second replaced. What cannot be mended, too deep a nesting or a number no database holds,
// is the reason it returns. One such row would spoil the chunk of a thousand it is stored with.
func tame(text string) (mended string, changed bool, reason string) {
	var out strings.Builder
	depth, done := 0, 0
	for i := 0; i < len(text); i++ {
		switch c := text[i]; c {
		case '{', '[':
			if depth++; depth > deepestRow {
				return "", false, fmt.Sprintf("the row is nested deeper than %d", deepestRow)
			}
		case '}', ']':
			depth--
		case '-', '0', '1', '2', '3', '4', '5', '6', '7', '8', '9':
			end := i + 1
			for end < len(text) && strings.IndexByte("+-.eE0123456789", text[end]) >= 0 {
				end++
			}
			if outOfRange(text[i:end]) {
				return "", false, fmt.Sprintf("the number %s is out of range", cut(text[i:end]))
			}
			i = end - 1
		case '"':
			for i++; text[i] != '"'; i++ {
				if text[i] != '\\' {
					continue
				}
				size, instead, ok := badEscape(text[i:])
				if ok {
					out.WriteString(text[done:i])
					out.WriteString(instead)
					done, changed = i+size, true
				}
				i += size - 1
			}
		}
	}
	if !changed {
		return text, false, ""
	}
	out.WriteString(text[done:])
	return out.String(), true, ""
}

// badEscape measures the escape at the start of the text and says what to put in its place if it cannot be stored.
func badEscape(text string) (size int, instead string, bad bool) {
	r, ok := escaped(text)
	switch {
	case !ok:
		return 2, "", false
	case r == 0:
		return 6, "", true
	case !utf16.IsSurrogate(r):
		return 6, "", false
	}
	if low, ok := escaped(text[6:]); ok && utf16.DecodeRune(r, low) != '\uFFFD' {
		return 12, "", false
	}
	return 6, "\uFFFD", true
}

// escaped reads an escape of the form \u0000.
func escaped(text string) (rune, bool) {
	if len(text) < 6 || text[:2] != `\u` {
		return 0, false
	}
	n, err := strconv.ParseUint(text[2:6], 16, 16)
	return rune(n), err == nil
}
