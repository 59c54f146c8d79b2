package channels

import (
	"errors"
	"fmt"
	"html"
	"io"
	"reflect"
	"strings"
	"time"

	"github.com/osteele/liquid/expressions"
	"github.com/osteele/liquid/filters"
	"github.com/osteele/liquid/render"
	"github.com/osteele/liquid/tags"
	"github.com/osteele/liquid/values"
	"github.com/osteele/tuesday"
)

var (
	errTooLong   = fmt.Errorf("the message is longer than %d bytes", MaxMessageBytes)
	errTooLarge  = errors.New("a value grows over the limit")
	errTooMany   = fmt.Errorf("more than %d turns of a loop", maxSteps)
	errListItems = fmt.Errorf("a list or range of more than %d items", maxListItems)
)

// moment is the clock of one render: dates are shown in its zone.
type moment struct{ now time.Time }

// limited defines filters that refuse to take or make what is too large.
type limited struct {
	cfg   *render.Config
	names map[string]bool
}

// AddFilter wraps a filter of the library. It takes anything, because the
// library would unroll a range of any length before it called the filter.
func (l limited) AddFilter(name string, fn any) {
	l.names[name] = true
	rf := reflect.ValueOf(fn)
	l.cfg.AddFilter(name, func(args ...any) (any, error) {
		for i, a := range args {
			if safe, ok := a.(values.SafeValue); ok {
				args[i] = safe.Value
			}
			if r, ok := a.(values.Range); ok && r.Len() > maxListItems {
				return nil, errListItems
			}
		}
		out, err := values.Call(rf, args)
		if err != nil {
			return nil, err
		}
		if safe, ok := out.(values.SafeValue); ok {
			return out, checkSize(safe.Value)
		}
		return out, checkSize(out)
	})
}

// checkSize reports a value that is too large to go on with. Lists are measured
// with what they hold, because a list of one text many times is cheap to make.
func checkSize(v any) error {
	if weigh(v) > MaxMessageBytes {
		return errTooLarge
	}
	return nil
}

func weigh(v any) int {
	switch v := v.(type) {
	case string:
		return len(v)
	case []byte:
		return len(v)
	case dict:
		n := 16 * len(v)
		for _, item := range v {
			n += weigh(item)
		}
		return n
	}
	rv := reflect.ValueOf(v)
	if rv.Kind() != reflect.Slice {
		return 8
	}
	if rv.Len() > maxListItems {
		return MaxMessageBytes + 1
	}
	n := 0
	for i := range rv.Len() {
		if n += 16 + weigh(rv.Index(i).Interface()); n > MaxMessageBytes {
			break
		}
	}
	return n
}

// newConfig makes the language of templates: standard Liquid without files,
// with limits, with dates in the render's zone.
func newConfig(asHTML bool, at *moment, names map[string]bool) *render.Config {
	cfg := render.NewConfig()
	cfg.TemplateStore = nil
	tags.AddStandardTags(&cfg)
	cfg.UnregisterTag("include")
	cfg.UnregisterTag("render")
	cfg.AddTag("cycle", cycleTag)
	cfg.AddTag(turnTag, turn)
	cfg.AddBlock(boundTag).Renderer(func(w io.Writer, ctx render.Context) error {
		if err := ctx.RenderChildren(&limitedWriter{w: w}); err != nil {
			return err
		}
		return nil
	})
	if asHTML {
		cfg.SetAutoEscapeReplacer(render.HtmlEscaper)
	}
	l := limited{&cfg, names}
	filters.AddStandardFilters(l)
	l.AddFilter("date", at.date)
	l.AddFilter("replace", replace)
	l.AddFilter("join", join)
	l.AddFilter("safe", func(v any) any { return mark(v, asHTML) })
	l.AddFilter("escape", func(s string) any { return mark(html.EscapeString(s), asHTML) })
	l.AddFilter("escape_once", func(s string) any { return mark(html.EscapeString(html.UnescapeString(s)), asHTML) })
	l.AddFilter("newline_to_br", func(s string) any {
		if asHTML {
			s = html.EscapeString(s)
		}
		return mark(strings.ReplaceAll(s, "\n", "<br />\n"), asHTML)
	})
	return &cfg
}

// mark says that a value is HTML already; in a text nothing is escaped anyway.
func mark(v any, asHTML bool) any {
	if asHTML {
		return values.SafeValue{Value: v}
	}
	return v
}

// date formats a date, a moment (shown in the render's zone), seconds since
// 1970, or "now". An empty value stays empty.
func (m *moment) date(v any, format func(string) string) (string, error) {
	zone := m.now.Location()
	var t time.Time
	switch v := v.(type) {
	case nil:
		return "", nil
	case time.Time:
		t = v.In(zone)
	case int:
		t = time.Unix(int64(v), 0).In(zone)
	case string:
		var err error
		if v = strings.TrimSpace(v); v == "" {
			return "", nil
		}
		if t, err = m.parse(v); err != nil {
			return "", err
		}
	default:
		return "", fmt.Errorf("%v is not a date", v)
	}
	f := format("%Y-%m-%d")
	if len(f) > 200 {
		return "", errTooLarge
	}
	return tuesday.Strftime(f, t)
}

func (m *moment) parse(s string) (time.Time, error) {
	zone := m.now.Location()
	if s == "now" || s == "today" {
		return m.now, nil
	}
	if t, err := time.Parse(time.RFC3339Nano, s); err == nil {
		return t.In(zone), nil
	}
	for _, layout := range []string{time.DateOnly, "2006-01-02T15:04:05", time.DateTime, "2006-01-02 15:04", "2006-01-02T15:04"} {
		if t, err := time.ParseInLocation(layout, s, zone); err == nil {
			return t, nil
		}
	}
	t, err := values.ParseDate(s)
	if err != nil {
		return t, fmt.Errorf("%q is not a date", s)
	}
	return t, nil
}

// replace and join know what they would make before they make it: two values
// below the limit can make one of their product.
func replace(s, from, to string) (string, error) {
	if n := strings.Count(s, from); len(s)+n*(len(to)-len(from)) > MaxMessageBytes {
		return "", errTooLarge
	}
	return strings.ReplaceAll(s, from, to), nil
}

func join(list []any, separator func(string) string) (string, error) {
	sep := separator(" ")
	if weigh(list)+len(list)*len(sep) > MaxMessageBytes {
		return "", errTooLarge
	}
	var parts []string
	for _, v := range list {
		if v != nil {
			parts = append(parts, fmt.Sprint(v))
		}
	}
	return strings.Join(parts, sep), nil
}

// What compile puts into a template: a counter into loops, a bound around what
// is captured; and the variable, of a name no template can write, they work on.
const (
	turnTag  = "turn"
	boundTag = "bound"
	runVar   = " run"
)

// turn counts one turn of a loop.
func turn(string) (func(io.Writer, render.Context) error, error) {
	return func(_ io.Writer, ctx render.Context) error {
		r, ok := ctx.Get(runVar).(*run)
		if !ok {
			return nil
		}
		if r.turns++; r.turns > maxSteps {
			return errTooMany
		}
		return r.ctx.Err()
	}, nil
}

// cycleTag is the library's, without its data race between two renders.
func cycleTag(args string) (func(io.Writer, render.Context) error, error) {
	stmt, err := expressions.ParseStatement(expressions.CycleStatementSelector, args)
	if err != nil {
		return nil, err
	}
	group, texts := stmt.Group, stmt.Values
	return func(w io.Writer, ctx render.Context) error {
		loop, _ := ctx.Get("forloop").(map[string]any)
		seen, ok := loop[".cycles"].(map[string]int)
		if !ok {
			return errors.New("cycle is used outside a loop")
		}
		n := seen[group]
		seen[group] = n + 1
		_, err := io.WriteString(w, texts[n%len(texts)])
		return err
	}, nil
}

// limitedWriter passes on what is written, up to the limit.
type limitedWriter struct {
	w io.Writer
	n int
}

// Write refuses what would go over the limit.
func (l *limitedWriter) Write(p []byte) (int, error) {
	if l.n += len(p); l.n > MaxMessageBytes {
		return 0, errTooLong
	}
	return l.w.Write(p)
}
