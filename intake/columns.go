package intake

import (
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"
)

// column is what the values under one name become.
type column struct {
	name   string // as it is spelled in the file, without surrounding space
	target string // the system field or the parameter; empty when the column is left out
	system bool
	typed  *typed // nil when the campaign gives the target no type
}

// columns knows what every column name of a file means. Names are compared by their letters and digits alone.
type columns struct {
	mapping  map[string]string
	typed    map[string]*typed
	needed   []string // the system fields every row must have
	required []string // the typed parameters every row must have a value for
	zones    map[string]bool
	names    map[string]column
	partial  bool
}

// remembered is how many names and zones of a file are kept: more are looked up again and again, not held in memory.
const remembered = 1000

func newColumns(o Options) (*columns, error) {
	c := &columns{
		mapping: make(map[string]string, len(o.Mapping)),
		typed:   make(map[string]*typed, len(o.Fields)),
		needed:  []string{"name", "email", "phone", "object_id", "external_id"},
		zones:   make(map[string]bool),
		names:   make(map[string]column),
		partial: o.Partial,
	}
	if o.Partial {
		c.needed = []string{"object_id", "external_id"}
	}
	for from, to := range o.Mapping {
		if key := plain(from); key != "" {
			c.mapping[key] = strings.TrimSpace(to)
		}
	}
	zone := o.Timezone
	if zone == nil {
		zone = time.UTC
	}
	for _, f := range o.Fields {
		t, err := newTyped(f, zone)
		if err != nil {
			return nil, fmt.Errorf("field %s: %w", f.Name, err)
		}
		c.typed[plain(f.Name)] = t
		if f.Required && !o.Partial && systemField(plain(f.Name)) == "" {
			c.required = append(c.required, f.Name)
		}
	}
	return c, nil
}

// of says what becomes of the column with the given name.
func (c *columns) of(name string) column {
	if col, ok := c.names[name]; ok {
		return col
	}
	if len(c.names) == remembered || len(name) > MaxID {
		return c.meaning(name)
	}
	name = strings.Clone(name) // the name alone, not the row it is a part of
	c.names[name] = c.meaning(name)
	return c.names[name]
}

func (c *columns) meaning(name string) column {
	name = strings.TrimSpace(name)
	col := column{name: name, target: name}
	if to, ok := c.mapping[plain(name)]; ok {
		col.target = to
	}
	key := plain(col.target)
	if field := systemField(key); field != "" {
		col.target, col.system = field, true
	}
	if t := c.typed[key]; t != nil {
		col.typed = t
		if !col.system {
			col.target = t.field.Name
		}
	}
	return col
}

// header reads a CSV header. Two columns with one meaning would hide each other's values, so they are refused.
func (c *columns) header(names []string) ([]column, error) {
	all := make([]column, 0, len(names))
	first := make(map[string]string, len(names))
	var twice []string
	for _, name := range names {
		col := c.of(name)
		all = append(all, col)
		if col.target == "" {
			continue
		}
		key := plain(col.target)
		if other, ok := first[key]; ok {
			twice = append(twice, pair(other, col.name))
			continue
		}
		first[key] = col.name
	}
	if len(twice) > 0 {
		return nil, unreadable("the header has columns of the same name: %s", cut(strings.Join(twice, ", ")))
	}
	var missing []string
	for _, name := range slices.Concat(c.needed, c.required) {
		if _, ok := first[plain(name)]; !ok {
			missing = append(missing, name)
		}
	}
	if len(missing) > 0 {
		return nil, &HeaderError{Missing: missing}
	}
	return all, nil
}

// known counts the names that mean something to us: what the delimiter is sniffed by.
func (c *columns) known(names []string) int {
	count := 0
	for _, name := range names {
		if col := c.of(name); col.system || col.typed != nil {
			count++
		}
	}
	return count
}

func pair(a, b string) string {
	if a == b {
		return a
	}
	return a + " and " + b
}

// systemField is the system field with the given plain name, or nothing.
func systemField(plain string) string {
	switch plain {
	case "name", "email", "phone", "timezone", "language":
		return plain
	case "objectid":
		return "object_id"
	case "externalid":
		return "external_id"
	case "telegramchatid":
		return "telegram_chat_id"
	}
	return ""
}

// plain takes case, spaces, underscores and hyphens out of a name. A name of nothing else stays as it is.
func plain(name string) string {
	p := strings.Map(func(r rune) rune {
		if r == '_' || r == '-' || unicode.IsSpace(r) {
			return -1
		}
		return unicode.ToLower(r)
	}, name)
	if p == "" {
		return name
	}
	return p
}
