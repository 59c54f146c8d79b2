package bundle

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"path"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"carillon/campaign"
)

// Read reads the text of a bundle. Its form and the records' own rules are
// checked; the error is a [*campaign.Error] that names all problems at once,
// each with its path in the bundle, such as stages[2].delivery.template, and
// its line.
func Read(text []byte) (*Bundle, error) {
	b, root, err := decode(text)
	if err != nil {
		return nil, err
	}
	b.places = root
	if found := b.check(); len(found) > 0 {
		return nil, b.Problems(found)
	}
	return b, nil
}

// Load reads a bundle from a file, and the code that lies in files beside or
// below it.
func Load(files fs.FS, name string) (*Bundle, error) {
	text, err := fs.ReadFile(files, name)
	if err != nil {
		return nil, err
	}
	b, root, err := decode(text)
	if err != nil {
		return nil, err
	}
	b.places, b.files = root, map[int]string{}
	var found []campaign.FieldError
	for i := range b.Strategies {
		s := &b.Strategies[i]
		if s.CodeFile == "" {
			continue
		}
		code, problem := codeOf(files, path.Dir(name), s)
		if problem != "" {
			found = append(found, campaign.FieldError{Field: "strategies[" + strconv.Itoa(i) + "].code_file", Message: problem})
			code = "#" // that there is none is no second problem
		}
		b.files[i] = s.CodeFile
		s.Code, s.CodeFile = code, ""
	}
	if found = append(found, b.check()...); len(found) > 0 {
		return nil, b.Problems(found)
	}
	return b, nil
}

// codeOf reads the file of a strategy's code, or says what is wrong with it.
func codeOf(files fs.FS, dir string, s *Strategy) (code, problem string) {
	name := path.Join(dir, s.CodeFile)
	if s.Code != "" {
		return "", "code is there already: give one of the two"
	}
	if !fs.ValidPath(name) || path.IsAbs(s.CodeFile) {
		return "", fmt.Sprintf("%q does not lie beside or below the bundle", s.CodeFile)
	}
	text, err := fs.ReadFile(files, name)
	if err != nil {
		return "", fmt.Sprintf("there is no file %q beside the bundle", s.CodeFile)
	}
	return strings.TrimPrefix(string(text), "\ufeff"), ""
}

// Problems makes an error of problems, each with its line and column in the
// text the bundle was read from. Problems of code keep those in the code.
func (b *Bundle) Problems(found []campaign.FieldError) error {
	for i := range found {
		if f := &found[i]; f.Line == 0 {
			f.Line, f.Column = b.places.of(f.Field)
		}
	}
	return &campaign.Error{Code: campaign.CodeInvalid, Message: "the bundle is not valid", Fields: found}
}

// decode reads the form: YAML, known keys, values of the right types.
func decode(text []byte) (b *Bundle, root places, err error) {
	defer func() {
		if recover() != nil { // the library panics on some texts
			b, err = nil, campaign.Invalid("bundle", "this is not YAML")
		}
	}()
	if len(text) > MaxBytes {
		return nil, places{}, campaign.Errorf(campaign.CodeTooLarge, "a bundle has at most %d bytes", MaxBytes)
	}
	var doc, more yaml.Node
	reader := yaml.NewDecoder(strings.NewReader(string(text)))
	if err := reader.Decode(&doc); err != nil {
		return nil, places{}, campaign.Invalid("bundle", "this is not YAML: %s", strings.TrimPrefix(err.Error(), "yaml: "))
	}
	if reader.Decode(&more) == nil {
		return nil, places{}, campaign.Invalid("bundle", "line %d: a bundle is one document", more.Line)
	}
	root = places{doc.Content[0]}
	r := typed{}
	value := r.value(doc.Content[0], bundleType, "")
	if len(r.found) > 0 {
		return nil, root, (&Bundle{places: root}).Problems(r.found)
	}
	raw, err := json.Marshal(value)
	if err != nil {
		return nil, root, fmt.Errorf("read a bundle: %w", err)
	}
	b = &Bundle{}
	if err := json.Unmarshal(raw, b); err != nil {
		return nil, root, fmt.Errorf("read a bundle: %w", err)
	}
	return b, root, nil
}

// Locate returns the line and column of a path in the text of a bundle, or of
// the nearest place on the way to it; 0 if the text is no YAML.
func Locate(text []byte, path string) (line, column int) {
	var doc yaml.Node
	if yaml.Unmarshal(text, &doc) != nil || len(doc.Content) == 0 {
		return 0, 0
	}
	return places{doc.Content[0]}.of(path)
}

// places finds where in a text a path is.
type places struct{ root *yaml.Node }

// of returns the line and column of the nearest place on the way to the path.
func (p places) of(at string) (line, column int) {
	node := p.root
	if node == nil {
		return 0, 0
	}
	line, column = node.Line, node.Column
	for at != "" {
		node, at = step(node, at)
		if node == nil {
			return line, column
		}
		line, column = node.Line, node.Column
	}
	return line, column
}

// step goes one key or index along the path.
func step(node *yaml.Node, at string) (*yaml.Node, string) {
	if node.Kind == yaml.AliasNode {
		node = node.Alias
	}
	if rest, ok := strings.CutPrefix(at, "["); ok {
		text, rest, _ := strings.Cut(rest, "]")
		i, err := strconv.Atoi(text)
		if err != nil || node.Kind != yaml.SequenceNode || i >= len(node.Content) {
			return nil, ""
		}
		return node.Content[i], strings.TrimPrefix(rest, ".")
	}
	if node.Kind != yaml.MappingNode {
		return nil, ""
	}
	for i := 0; i+1 < len(node.Content); i += 2 {
		rest, ok := strings.CutPrefix(at, node.Content[i].Value)
		if !ok || rest != "" && rest[0] != '.' && rest[0] != '[' {
			continue
		}
		if rest = strings.TrimPrefix(rest, "."); rest == "" {
			return node.Content[i], "" // the key: it is what a person looks for
		}
		return node.Content[i+1], rest
	}
	return nil, ""
}
