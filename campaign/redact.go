package campaign

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"net/url"
	"slices"
	"strings"
)

// shortestSecret is what a redactor looks for: shorter ones would hit anything.
const shortestSecret = 4

// shortestCode is the same for what is left of a secret inside base64.
const shortestCode = 8

// hidden is what stands for a secret.
const hidden = "[secret]"

// cutMark ends a text that the strategies' runner has cut.
const cutMark = "…"

// Redactor replaces the values of secrets by [secret]: as they are, quoted as
// in JSON or Python, percent-encoded, in hex and in base64, also as a part of a
// longer text that was encoded, such as user:password. Values shorter than four
// bytes stay. It is safe for concurrent use.
type Redactor struct {
	forms []string
	whole *strings.Replacer
}

// NewRedactor makes a redactor of some secrets.
func NewRedactor(secrets map[string]Secret) *Redactor {
	seen := map[string]bool{}
	for _, v := range secrets {
		plain := v.Reveal()
		if len(plain) < shortestSecret {
			continue
		}
		for _, form := range formsOf(plain) {
			if len(form) >= shortestSecret {
				seen[form] = true
			}
		}
	}
	forms := make([]string, 0, len(seen))
	for form := range seen {
		forms = append(forms, form)
	}
	// The longest first: a form may be the beginning of another.
	slices.SortFunc(forms, func(a, b string) int {
		if len(a) != len(b) {
			return len(b) - len(a)
		}
		return strings.Compare(a, b)
	})
	pairs := make([]string, 0, 2*len(forms))
	for _, form := range forms {
		pairs = append(pairs, form, hidden)
	}
	return &Redactor{forms: forms, whole: strings.NewReplacer(pairs...)}
}

// Replace hides the secrets in a text; in one that was cut (it ends in …) also
// the beginning of a secret that is left at its end.
func (r *Redactor) Replace(text string) string {
	text = r.whole.Replace(text)
	body, cut := strings.CutSuffix(text, cutMark)
	if !cut {
		return text
	}
	longest := 0
	for _, form := range r.forms {
		for n := min(len(form), len(body)); n > longest; n-- {
			if strings.HasSuffix(body, form[:n]) {
				longest = n
			}
		}
	}
	if longest == 0 {
		return text
	}
	return body[:len(body)-longest] + hidden + cutMark
}

// formsOf lists how a secret may look in a text.
func formsOf(plain string) []string {
	escaped := strings.NewReplacer(`\`, `\\`, "\n", `\n`, "\r", `\r`, "\t", `\t`).Replace(plain)
	query := url.QueryEscape(plain)
	percent := strings.ReplaceAll(query, "+", "%20")
	slashed := strings.ReplaceAll(percent, "%2F", "/") // what Python's quote leaves as it is
	forms := []string{
		plain, escaped, strings.ReplaceAll(escaped, `'`, `\'`), strings.ReplaceAll(escaped, `"`, `\"`),
		query, percent, slashed, url.PathEscape(plain), hex.EncodeToString([]byte(plain)),
	}
	if quoted, err := json.Marshal(plain); err == nil {
		forms = append(forms, string(quoted[1:len(quoted)-1]))
	}
	return append(forms, base64Forms(plain)...)
}

// base64Forms lists what a text becomes inside base64 at each of the three
// places it may begin at, without the characters its neighbours have a part in.
func base64Forms(plain string) []string {
	var forms []string
	for _, encoding := range []*base64.Encoding{base64.RawStdEncoding, base64.RawURLEncoding} {
		for offset := range 3 {
			code := encoding.EncodeToString(append(make([]byte, offset), plain...))
			code = code[(offset*8+5)/6 : (offset+len(plain))*8/6]
			if len(code) >= shortestCode {
				forms = append(forms, code)
			}
		}
	}
	return forms
}
