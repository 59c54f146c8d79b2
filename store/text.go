package store

import (
	"bytes"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode/utf16"
	"unicode/utf8"
)

// at is the store's door for times: UTC, whole microseconds.
func at(t time.Time) time.Time { return t.UTC().Truncate(time.Microsecond) }

func atPtr(t *time.Time) *time.Time {
	if t == nil {
		return nil
	}
	u := at(*t)
	return &u
}

// micros is a time as a column holds it.
func micros(t time.Time) int64 { return t.UnixMicro() }

func microsPtr(t *time.Time) *int64 {
	if t == nil {
		return nil
	}
	n := t.UnixMicro()
	return &n
}

func fromMicros(n int64) time.Time { return time.UnixMicro(n).UTC() }

func fromMicrosPtr(n *int64) *time.Time {
	if n == nil {
		return nil
	}
	t := fromMicros(*n)
	return &t
}

// clean removes what PostgreSQL refuses in a text: NUL and broken UTF-8.
func clean(s string) string {
	if utf8.ValidString(s) && strings.IndexByte(s, 0) < 0 {
		return s
	}
	return strings.ReplaceAll(strings.ToValidUTF8(s, "\uFFFD"), "\x00", "")
}

// cut is clean text of at most 200 bytes, for indexed columns: PostgreSQL's
// indexes refuse long texts.
func cut(s string) string { return cutTo(s, 200) }

func cutTo(s string, limit int) string {
	s = clean(s)
	if len(s) <= limit {
		return s
	}
	return strings.ToValidUTF8(s[:limit], "")
}

// encode writes a record as JSON without NUL characters, which PostgreSQL refuses.
func encode(v any) (string, error) {
	b, err := json.Marshal(v)
	if err != nil {
		return "", fmt.Errorf("write as JSON: %w", err)
	}
	return string(CleanJSON(b)), nil
}

func decode[T any](doc []byte) (T, error) {
	var v T
	if err := json.Unmarshal(doc, &v); err != nil {
		return v, fmt.Errorf("read stored JSON: %w", err)
	}
	return v, nil
}

// CleanJSON takes out of a JSON text what PostgreSQL refuses: \u0000 is dropped,
// but not \\u0000, and half a surrogate pair replaced.
func CleanJSON(b []byte) []byte {
	b = bytes.ReplaceAll(b, []byte{0}, nil)
	if !bytes.Contains(b, []byte(`\u0000`)) && !bytes.Contains(b, []byte(`\uD`)) && !bytes.Contains(b, []byte(`\ud`)) {
		return b
	}
	out := make([]byte, 0, len(b))
	for i := 0; i < len(b); i++ {
		if b[i] != '\\' || i+1 == len(b) {
			out = append(out, b[i])
			continue
		}
		code, escaped := escape(b[i:])
		low, _ := escape(b[min(i+6, len(b)):])
		switch {
		case !escaped: // of one letter
			out = append(out, b[i], b[i+1])
			i++
		case code == 0:
			i += 5
		case utf16.IsSurrogate(code) && utf16.DecodeRune(code, low) != utf8.RuneError:
			out = append(out, b[i:i+12]...)
			i += 11
		case utf16.IsSurrogate(code):
			out = append(out, `\ufffd`...)
			i += 5
		default:
			out = append(out, b[i:i+6]...)
			i += 5
		}
	}
	return out
}

// escape reads the \uXXXX that a text begins with.
func escape(b []byte) (rune, bool) {
	if len(b) < 6 || b[0] != '\\' || b[1] != 'u' {
		return 0, false
	}
	n, err := strconv.ParseUint(string(b[2:6]), 16, 16)
	return rune(n), err == nil
}

// rawOr is stored JSON, or the given JSON where there is none.
func rawOr(raw json.RawMessage, none string) string {
	if len(raw) == 0 {
		return none
	}
	return string(CleanJSON(raw))
}

// newID makes an id of a prefix and 80 random bits.
func newID(prefix string) string {
	var b [10]byte
	_, _ = rand.Read(b[:]) // never fails
	return prefix + hex.EncodeToString(b[:])
}
