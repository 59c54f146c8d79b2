package mailin

import (
	"strings"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"

	"carillon/channels"
)

// fromHTML is the text of an HTML letter, without what mail programs mark as
// quoted; all of it if nothing else is there.
func fromHTML(source string) string {
	if text := channels.PlainText(unquoted(source)); text != "" {
		return text
	}
	return channels.PlainText(source)
}

// unquoted takes the elements out in which mail programs put what they quote.
// Where Outlook begins to quote it opens no element around it: all that follows goes.
func unquoted(source string) string {
	var out strings.Builder
	var in atom.Atom // the element that is being left out
	depth := 0
	z := html.NewTokenizer(strings.NewReader(source))
	for {
		kind := z.Next()
		if kind == html.ErrorToken {
			return out.String()
		}
		raw := string(z.Raw())
		t := z.Token()
		switch {
		case in != 0 && kind == html.StartTagToken && t.DataAtom == in:
			depth++
		case in != 0 && kind == html.EndTagToken && t.DataAtom == in:
			if depth--; depth == 0 {
				in = 0
			}
		case in != 0:
		case kind == html.StartTagToken && ends(t):
			return out.String()
		case kind == html.StartTagToken && quotes(t):
			in, depth = t.DataAtom, 1
		default:
			out.WriteString(raw)
		}
	}
}

// quotes reports the element of a quotation: of Gmail, Apple Mail, Thunderbird,
// Yahoo and Proton.
func quotes(t html.Token) bool {
	switch t.DataAtom {
	case atom.Blockquote:
		return strings.EqualFold(value(t, "type"), "cite") || hasClass(t, "gmail_quote", "protonmail_quote")
	case atom.Div:
		return hasClass(t, "gmail_quote", "gmail_extra", "yahoo_quoted", "moz-cite-prefix", "protonmail_quote", "gmail_attr")
	default:
		return false
	}
}

// ends reports where a quotation begins that reaches to the end: of Outlook.
func ends(t html.Token) bool {
	switch value(t, "id") {
	case "divRplyFwdMsg", "appendonsend", "x_divRplyFwdMsg", "x_appendonsend", "mail-editor-reference-message-container", "OLK_SRC_BODY_SECTION":
		return true
	default:
		return false
	}
}

func hasClass(t html.Token, names ...string) bool {
	for _, class := range strings.Fields(value(t, "class")) {
		for _, name := range names {
			if class == name {
				return true
			}
		}
	}
	return false
}

func value(t html.Token, name string) string {
	for _, a := range t.Attr {
		if a.Key == name {
			return strings.TrimSpace(a.Val)
		}
	}
	return ""
}
