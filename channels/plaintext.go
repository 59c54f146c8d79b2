package channels

import (
	"regexp"
	"strings"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"
)

// PlainText is an HTML message as text, for readers that show no HTML:
// paragraphs, list items, and the address of every link.
func PlainText(source string) string {
	var out strings.Builder
	var href string
	var label int // where the text of the open link begins
	skip := 0
	z := html.NewTokenizer(strings.NewReader(source))
	for {
		kind := z.Next()
		if kind == html.ErrorToken {
			break
		}
		t := z.Token()
		switch kind {
		case html.TextToken:
			if skip == 0 {
				out.WriteString(spaces.ReplaceAllString(t.Data, " "))
			}
		case html.StartTagToken, html.SelfClosingTagToken:
			if unseen(t.DataAtom) && kind == html.StartTagToken {
				skip++
			}
			switch t.DataAtom {
			case atom.A:
				href, label = attribute(t, "href"), out.Len()
			case atom.Li:
				out.WriteString("\n- ")
			case atom.Td, atom.Th:
				out.WriteByte(' ')
			case atom.Img:
				if skip == 0 {
					out.WriteString(attribute(t, "alt"))
				}
			default:
				out.WriteString(breaks(t.DataAtom))
			}
		case html.EndTagToken:
			if unseen(t.DataAtom) && skip > 0 {
				skip--
			}
			if t.DataAtom == atom.A && href != "" {
				if text := strings.TrimSpace(out.String()[label:]); text != href && !strings.HasPrefix(href, "#") {
					out.WriteString(" (" + href + ")")
				}
				href = ""
			}
			if t.DataAtom != atom.Br && t.DataAtom != atom.Li {
				out.WriteString(breaks(t.DataAtom))
			}
		default:
		}
	}
	lines := strings.Split(out.String(), "\n")
	for i := range lines {
		lines[i] = strings.TrimSpace(lines[i])
	}
	return strings.TrimSpace(blank.ReplaceAllString(strings.Join(lines, "\n"), "\n\n"))
}

var (
	spaces = regexp.MustCompile(`[\t\n\f\r ]+`)
	blank  = regexp.MustCompile(`\n{3,}`)
)

// unseen are the elements whose text nobody is shown.
func unseen(a atom.Atom) bool {
	return a == atom.Script || a == atom.Style || a == atom.Head || a == atom.Title || a == atom.Template
}

// breaks is the line break before and after an element.
func breaks(a atom.Atom) string {
	switch a {
	case atom.P, atom.H1, atom.H2, atom.H3, atom.H4, atom.H5, atom.H6, atom.Ul, atom.Ol, atom.Table, atom.Blockquote, atom.Pre, atom.Hr:
		return "\n\n"
	case atom.Br, atom.Div, atom.Tr, atom.Section, atom.Article, atom.Header, atom.Footer:
		return "\n"
	default:
		return ""
	}
}

func attribute(t html.Token, name string) string {
	for _, a := range t.Attr {
		if a.Key == name {
			return strings.TrimSpace(a.Val)
		}
	}
	return ""
}
