package channels

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/osteele/liquid/parser"
	"github.com/osteele/liquid/render"
)

// Limits of a template and of what it makes.
const (
	MaxTemplateBytes = 256 << 10 // of the source
	MaxMessageBytes  = 1 << 20   // of the message, and of every value on the way to it
	maxSteps         = 100_000   // turns of all loops together
	maxListItems     = 10_000    // of a list or range that a filter takes or makes
)

// TemplateError says where a template cannot be used, and why.
type TemplateError struct {
	Field   string // such as template, subject or variables.amount
	Line    int    // counted from 1; 0 if no single line is to blame
	Message string
}

// Error names the field and the line.
func (e *TemplateError) Error() string {
	if e.Line > 0 {
		return fmt.Sprintf("line %d of the %s: %s", e.Line, e.Field, e.Message)
	}
	return fmt.Sprintf("the %s: %s", e.Field, e.Message)
}

// MissingVariable says that a template writes a variable the contact does not have.
type MissingVariable struct {
	Name  string // such as parameters.amount
	Field string
	Line  int
	path  []string
}

// Error names the variable.
func (e *MissingVariable) Error() string {
	return fmt.Sprintf("line %d of the %s: the contact has no %s", e.Line, e.Field, e.Name)
}

// template is a compiled template; it never changes and may be rendered by many at once.
type template struct {
	root     render.Node
	refs     []reference
	optional [][]string // paths the template asks about, shortest first
	locals   []string   // names it sets itself
}

// reference is one variable a template mentions.
type reference struct {
	line int
	path []string
}

func (r reference) String() string { return strings.Join(r.path, ".") }

// word finds what an expression consists of: texts, to be passed over, and
// variables with their properties.
var word = regexp.MustCompile(`"[^"]*"|'[^']*'|[A-Za-z_][\w-]*(?:\s*\.\s*[A-Za-z_][\w-]*|\[\s*(?:"[^"]*"|'[^']*'|\d+)\s*\])*`)

var property = regexp.MustCompile(`"[^"]*"|'[^']*'|[A-Za-z_][\w-]*|\d+`)

var filterName = regexp.MustCompile(`\|\s*([A-Za-z_]\w*)`)

var withDefault = regexp.MustCompile(`\|\s*default\b`)

var literal = regexp.MustCompile(`"[^"]*"|'[^']*'`)

// keywords are words of the language, not variables.
var keywords = []string{"and", "or", "contains", "in", "true", "false", "nil", "null", "reversed", "limit", "offset", "cols", "forloop"}

// compile parses a template and finds what the library lets pass: an object
// that is never closed, a filter that does not exist.
func (r *Renderer) compile(field, source string) (t *template, err error) {
	if len(source) > MaxTemplateBytes {
		return nil, &TemplateError{Field: field, Message: fmt.Sprintf("longer than %d bytes", MaxTemplateBytes)}
	}
	defer func() {
		if p := recover(); p != nil {
			t, err = nil, &TemplateError{Field: field, Message: fmt.Sprint(p)}
		}
	}()
	t = &template{}
	if err := t.survey(field, parser.Scan(source, start(field), nil), r.filters); err != nil {
		return nil, err
	}
	root, perr := r.grammar.Compile(source, start(field))
	if perr != nil {
		return nil, templateError(field, perr)
	}
	r.bind(root)
	t.root = root
	return t, nil
}

// survey walks the tokens of the source for the variables and filters in it.
func (t *template) survey(field string, tokens []parser.Token, filters map[string]bool) error {
	open, openLine := "", 0 // inside raw or comment
	for _, tok := range tokens {
		if open != "" {
			if tok.Type == parser.TagTokenType && tok.Name == "end"+open {
				open = ""
			}
			continue
		}
		switch tok.Type {
		case parser.TextTokenType:
			for _, delimiter := range []string{"{{", "{%"} {
				if before, _, ok := strings.Cut(tok.Source, delimiter); ok {
					return &TemplateError{Field: field, Line: tok.SourceLoc.LineNo + strings.Count(before, "\n"), Message: delimiter + " is not closed on its line"}
				}
			}
		case parser.ObjTokenType:
			if err := t.mention(field, tok, filters); err != nil {
				return err
			}
		case parser.TagTokenType:
			if tok.Name == "raw" || tok.Name == "comment" {
				open, openLine = tok.Name, tok.SourceLoc.LineNo
				continue
			}
			if err := t.mention(field, tok, filters); err != nil {
				return err
			}
		default: // trim marks
		}
	}
	if open != "" {
		return &TemplateError{Field: field, Line: openLine, Message: open + " is not closed"}
	}
	slices.SortStableFunc(t.optional, func(a, b []string) int { return len(a) - len(b) })
	return nil
}

// mention notes the variables of one object or tag. A variable that a tag asks
// about, or that has a default, is optional: the template knows it may be missing.
func (t *template) mention(field string, tok parser.Token, filters map[string]bool) error {
	args := tok.Args
	if name := unknownFilter(args, filters); name != "" {
		return &TemplateError{Field: field, Line: tok.SourceLoc.LineNo, Message: fmt.Sprintf("there is no filter %q", name)}
	}
	asks := tok.Type == parser.TagTokenType || withDefault.MatchString(args)
	switch tok.Name {
	case "assign", "capture":
		name, value, _ := strings.Cut(args, "=")
		t.locals = append(t.locals, strings.TrimSpace(name))
		args, asks = value, withDefault.MatchString(value)
	case "for", "tablerow":
		name, list, _ := strings.Cut(args, " in ")
		t.locals = append(t.locals, strings.TrimSpace(name))
		args = list
	case "cycle":
		return nil
	}
	for _, at := range word.FindAllStringIndex(args, -1) {
		before, text, after := strings.TrimSpace(args[:at[0]]), args[at[0]:at[1]], strings.TrimSpace(args[at[1]:])
		if text[0] == '"' || text[0] == '\'' || slices.Contains(keywords, text) ||
			strings.HasSuffix(before, "|") || strings.HasPrefix(after, ":") ||
			strings.HasSuffix(before, ".") && !strings.HasSuffix(before, "..") {
			continue
		}
		if text == "blank" || text == "empty" {
			return &TemplateError{Field: field, Line: tok.SourceLoc.LineNo, Message: text + ` is not known here: write == nil or == ""`}
		}
		ref := reference{line: tok.SourceLoc.LineNo}
		for _, p := range property.FindAllString(text, -1) {
			ref.path = append(ref.path, strings.Trim(p, `"'`))
		}
		t.refs = append(t.refs, ref)
		if asks {
			t.optional = append(t.optional, ref.path)
		}
	}
	return nil
}

// unknownFilter returns the first filter of an expression that does not exist.
func unknownFilter(expr string, filters map[string]bool) string {
	for _, m := range filterName.FindAllStringSubmatch(literal.ReplaceAllString(expr, "''"), -1) {
		if !filters[m[1]] {
			return m[1]
		}
	}
	return ""
}

// bind puts a counter at the head of every loop's body and a limit around
// everything captured, so that no template outgrows its render.
func (r *Renderer) bind(n render.Node) {
	each := func(nodes []render.Node) {
		for _, n := range nodes {
			r.bind(n)
		}
	}
	switch n := n.(type) {
	case *render.SeqNode:
		each(n.Children)
	case *render.BlockNode:
		each(n.Body)
		for _, c := range n.Clauses {
			r.bind(c)
		}
		switch n.Name {
		case "for", "tablerow":
			n.Body = append([]render.Node{r.turn}, n.Body...)
		case "capture":
			bound := *r.bound
			bound.Body = n.Body
			n.Body = []render.Node{&bound}
		}
	}
}

// start is where a field's source begins. Without a path the library would
// blame the outermost block for every error inside it.
func start(field string) parser.SourceLoc { return parser.SourceLoc{Pathname: field, LineNo: 1} }

// missing returns the variable that was not there when the template failed on
// the line. The library does not say which, so it is the first that leads
// nowhere, names the template sets itself coming last.
func (t *template) missing(line int, vars map[string]any) reference {
	var found []reference
	for _, ref := range t.refs {
		if !leads(vars, ref.path) {
			found = append(found, ref)
		}
	}
	for _, fits := range []func(reference) bool{
		func(ref reference) bool { return ref.line == line && !slices.Contains(t.locals, ref.path[0]) },
		func(ref reference) bool { return ref.line == line && len(ref.path) > 1 },
		func(reference) bool { return true },
	} {
		if i := slices.IndexFunc(found, fits); i >= 0 {
			return found[i]
		}
	}
	return reference{line: line, path: []string{"variable"}}
}

// templateError takes the library's wording off an error.
func templateError(field string, err parser.Error) *TemplateError {
	e := &TemplateError{Field: field, Line: err.LineNumber(), Message: err.Error()}
	if cause := err.Cause(); cause != nil {
		e.Message = cause.Error()
	}
	e.Message = strings.TrimPrefix(e.Message, fmt.Sprintf("Liquid error (line %d): ", e.Line))
	e.Message = strings.TrimSuffix(e.Message, " in "+field)
	return e
}
