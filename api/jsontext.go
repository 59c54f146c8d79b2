package api

import (
	"bytes"
	"fmt"

	"github.com/danielgtaylor/huma/v2"

	"carillon/store"
)

// jsonFormat reads JSON that fits to keep.
var jsonFormat = huma.Format{
	Marshal: huma.DefaultJSONFormat.Marshal,
	Unmarshal: func(text []byte, v any) error {
		if nesting(text) > maxNesting {
			return fmt.Errorf("nested deeper than %d", maxNesting)
		}
		// Here and not only at the store's door: ids are made of texts.
		return huma.DefaultJSONFormat.Unmarshal(store.CleanJSON(bytes.ToValidUTF8(text, []byte("\uFFFD"))), v)
	},
}

// maxNesting is what an import allows too: databases and Python give up before
// a text gets large.
const maxNesting = 64

// nesting is how deep a JSON text goes.
func nesting(text []byte) int {
	depth, deepest, quoted := 0, 0, false
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '{', c == '[':
			depth++
			deepest = max(deepest, depth)
		case c == '}', c == ']':
			depth--
		}
	}
	return deepest
}
