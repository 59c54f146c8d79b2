package channels

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/osteele/liquid/expressions"
	"github.com/osteele/liquid/render"

	"carillon/campaign"
)

// renderTime bounds one template.
const renderTime = 2 * time.Second

// cacheSize is how many compiled templates a Renderer keeps.
const cacheSize = 512

// Input is what a message is rendered from.
type Input struct {
	Campaign       campaign.Campaign
	Stage          campaign.Stage
	Delivery       campaign.Delivery
	Contact        campaign.Contact
	Communication  campaign.Communication
	Now            time.Time
	Zone           *time.Location // nil: the contact's, else the campaign's
	UnsubscribeURL string         // "": there is none
	TelegramLink   string         // "": there is none
}

func (in *Input) zone() *time.Location {
	if in.Zone != nil {
		return in.Zone
	}
	if campaign.ValidZone(in.Contact.Timezone) {
		if loc, err := time.LoadLocation(in.Contact.Timezone); err == nil {
			return loc
		}
	}
	return in.Campaign.Location()
}

// Rendered is the text of one message.
type Rendered struct {
	Subject   string            `json:"subject"`
	Body      string            `json:"body"`
	HTML      bool              `json:"html"`
	Variables map[string]string `json:"variables"`
}

// Renderer makes messages of Liquid templates. It is safe for concurrent use.
//
// A template may ask about a variable that is missing ({% if parameters.vip %},
// {{ parameters.nick | default: "friend" }}), but may not write one. In HTML
// every value is escaped; {{ … | safe }} opts out, and is needed to write what
// {% capture %} holds, which is escaped already.
type Renderer struct {
	grammar *render.Config // compiles; never renders
	filters map[string]bool
	turn    render.Node
	bound   *render.BlockNode
	text    sync.Pool // of *machine
	html    sync.Pool

	mu         sync.Mutex
	templates  map[string]*template
	conditions map[string]expressions.Expression
}

// machine is the language with its own clock: one render at a time.
type machine struct {
	cfg *render.Config
	at  *moment
}

// run is one render: who may stop it, and how far its loops have turned.
type run struct {
	ctx   context.Context
	turns int
}

// NewRenderer makes a Renderer.
func NewRenderer() *Renderer {
	r := &Renderer{filters: map[string]bool{}, templates: map[string]*template{}, conditions: map[string]expressions.Expression{}}
	r.grammar = newConfig(false, &moment{}, r.filters)
	nodes, err := r.grammar.Compile("{% "+turnTag+" %}{% "+boundTag+" %}{% end"+boundTag+" %}", start("own"))
	if err != nil {
		panic(err) // a constant of ours
	}
	parts := nodes.(*render.SeqNode).Children
	r.turn, r.bound = parts[0], parts[1].(*render.BlockNode)
	r.text.New = func() any { return newMachine(false) }
	r.html.New = func() any { return newMachine(true) }
	return r
}

func newMachine(asHTML bool) *machine {
	at := &moment{}
	return &machine{cfg: newConfig(asHTML, at, map[string]bool{}), at: at}
}

// Render renders the delivery's subject, template and variables. A variable
// that the contact lacks is a [*MissingVariable], any other fault of a template
// a [*TemplateError]; either way the communication is to be skipped. When ctx
// ends, its error is returned.
func (r *Renderer) Render(ctx context.Context, in Input) (Rendered, error) {
	var out Rendered
	err := r.each(&in, &out, func(field, source string, asHTML bool) (string, error) {
		return r.one(ctx, field, source, asHTML, variables(&in), &in)
	})
	return out, err
}

// Preview renders as Render does but goes on over every fault: a missing
// variable is left empty, a template that cannot be rendered too, and each is
// a warning that names its field.
func (r *Renderer) Preview(ctx context.Context, in Input) (Rendered, []campaign.FieldError) {
	var out Rendered
	warnings := []campaign.FieldError{}
	_ = r.each(&in, &out, func(field, source string, asHTML bool) (string, error) {
		vars := variables(&in)
		for range 100 {
			text, err := r.one(ctx, field, source, asHTML, vars, &in)
			if err == nil {
				return text, nil
			}
			warnings = append(warnings, FieldError(err))
			missing, ok := errors.AsType[*MissingVariable](err)
			if !ok || !fill(vars, missing.path) {
				return "", nil
			}
		}
		return "", nil
	})
	return out, warnings
}

// Check reports every template of a stage that cannot be parsed, and its
// send_if, with the line.
func (r *Renderer) Check(s campaign.Stage) []campaign.FieldError {
	var found []campaign.FieldError
	delivery := func(at string, d campaign.Delivery) {
		_ = r.each(&Input{Delivery: d}, &Rendered{}, func(field, source string, _ bool) (string, error) {
			if _, err := r.template(field, source); err != nil {
				e := FieldError(err)
				e.Field = at + "." + e.Field
				found = append(found, e)
			}
			return "", nil
		})
	}
	delivery("delivery", s.Delivery)
	for i, a := range s.Alternatives {
		delivery(fmt.Sprintf("alternatives[%d].delivery", i), a.Delivery)
	}
	if s.SendIf != "" {
		if _, err := r.condition("send_if", s.SendIf); err != nil {
			found = append(found, FieldError(err))
		}
	}
	return found
}

// each calls do for every template of the delivery, in a fixed order, and
// keeps what it returns.
func (r *Renderer) each(in *Input, out *Rendered, do func(field, source string, asHTML bool) (string, error)) error {
	d := &in.Delivery
	out.HTML = d.Format == "html"
	out.Variables = make(map[string]string, len(d.Variables))
	var err error
	if out.Subject, err = do("subject", d.Subject, false); err != nil {
		return err
	}
	out.Subject = strings.Join(strings.Fields(out.Subject), " ") // a header is one line
	if out.Body, err = do("template", d.Template, out.HTML); err != nil {
		return err
	}
	for _, name := range slices.Sorted(maps.Keys(d.Variables)) {
		if out.Variables[name], err = do("variables."+name, d.Variables[name], false); err != nil {
			return err
		}
	}
	return nil
}

// one renders one template.
func (r *Renderer) one(ctx context.Context, field, source string, asHTML bool, vars map[string]any, in *Input) (text string, err error) {
	if source == "" {
		return "", nil
	}
	t, err := r.template(field, source)
	if err != nil {
		return "", err
	}
	pool := &r.text
	if asHTML {
		pool = &r.html
	}
	m := pool.Get().(*machine)
	defer pool.Put(m)
	m.at.now = in.Now.In(in.zone())
	cfg := *m.cfg
	cfg.StrictVariables = true

	limited, cancel := context.WithTimeout(ctx, renderTime)
	defer cancel()
	for _, path := range t.optional {
		allow(vars, path)
	}
	vars[runVar] = &run{ctx: limited}
	defer recovered(field, &err)
	var buf bytes.Buffer
	rerr := render.Render(t.root, &limitedWriter{w: &buf}, vars, cfg)
	if rerr == nil {
		return buf.String(), nil
	}
	if ctx.Err() != nil {
		return "", fmt.Errorf("render the %s: %w", field, ctx.Err())
	}
	if undefined, ok := errors.AsType[expressions.InterpreterError](rerr); ok && undefined == "undefined variable" {
		ref := t.missing(rerr.LineNumber(), vars)
		return "", &MissingVariable{Name: ref.String(), Field: field, Line: rerr.LineNumber(), path: ref.path}
	}
	return "", templateError(field, rerr)
}

// template returns the compiled template from the cache or compiles it.
func (r *Renderer) template(field, source string) (*template, error) {
	return cached(&r.mu, r.templates, field, source, r.compile)
}

// cached keeps what compile makes. A full cache forgets any one entry.
func cached[T any](mu *sync.Mutex, in map[string]T, field, source string, compile func(field, source string) (T, error)) (T, error) {
	key := field + "\x00" + source
	mu.Lock()
	t, ok := in[key]
	mu.Unlock()
	if ok {
		return t, nil
	}
	t, err := compile(field, source)
	if err != nil {
		return t, err
	}
	mu.Lock()
	defer mu.Unlock()
	if len(in) >= cacheSize {
		for k := range in {
			delete(in, k)
			break
		}
	}
	in[key] = t
	return t, nil
}

// recovered turns a panic of the library, which a filter given odd arguments
// ends in, into an error of the template.
func recovered(field string, err *error) {
	switch p := recover().(type) {
	case nil:
	case interface{ Cause() error }:
		*err = &TemplateError{Field: field, Message: p.Cause().Error()}
	default:
		*err = &TemplateError{Field: field, Message: fmt.Sprint(p)}
	}
}

// FieldError puts an error of Render or Condition into the form REST answers with.
func FieldError(err error) campaign.FieldError {
	if e, ok := errors.AsType[*MissingVariable](err); ok {
		return campaign.FieldError{Field: e.Field, Message: "the contact has no " + e.Name, Line: e.Line}
	}
	if e, ok := errors.AsType[*TemplateError](err); ok {
		return campaign.FieldError{Field: e.Field, Message: e.Message, Line: e.Line}
	}
	return campaign.FieldError{Message: err.Error()}
}
