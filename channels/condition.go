package channels

import (
	"context"
	"fmt"
	"strings"

	"github.com/osteele/liquid/expressions"
)

// Condition reports whether a Liquid expression such as parameters.paid != true
// holds. Missing variables are nil, and only nil and false are not true. The
// empty expression holds. An error is a [*TemplateError].
func (r *Renderer) Condition(ctx context.Context, expr string, in Input) (holds bool, err error) {
	if strings.TrimSpace(expr) == "" {
		return true, nil
	}
	const field = "send_if"
	e, err := r.condition(field, expr)
	if err != nil {
		return false, err
	}
	m := r.text.Get().(*machine)
	defer r.text.Put(m)
	m.at.now = in.Now.In(in.zone())
	defer recovered(field, &err)
	v, err := e.Evaluate(expressions.NewContext(variables(&in), m.cfg.Config.Config))
	if err != nil {
		return false, &TemplateError{Field: field, Message: err.Error()}
	}
	return v != nil && v != false, ctx.Err()
}

func (r *Renderer) condition(field, source string) (expressions.Expression, error) {
	return cached(&r.mu, r.conditions, field, source, r.compileCondition)
}

// compileCondition parses a bare expression such as: parameters.paid != true.
func (r *Renderer) compileCondition(field, source string) (e expressions.Expression, err error) {
	if strings.Contains(source, "{{") || strings.Contains(source, "{%") {
		return nil, &TemplateError{Field: field, Message: "an expression without braces, such as: parameters.paid != true"}
	}
	if len(source) > MaxTemplateBytes {
		return nil, &TemplateError{Field: field, Message: fmt.Sprintf("longer than %d bytes", MaxTemplateBytes)}
	}
	defer func() {
		if p := recover(); p != nil {
			e, err = nil, &TemplateError{Field: field, Message: fmt.Sprint(p)}
		}
	}()
	if name := unknownFilter(source, r.filters); name != "" {
		return nil, &TemplateError{Field: field, Message: fmt.Sprintf("there is no filter %q", name)}
	}
	if e, err = expressions.Parse(source); err != nil {
		return nil, &TemplateError{Field: field, Message: err.Error()}
	}
	return e, nil
}
