package channels

import (
	"context"
	"maps"

	"carillon/campaign"
)

// CheckText reports why a text cannot be parsed, with the line.
func (r *Renderer) CheckText(field, source string) []campaign.FieldError {
	if _, err := r.template(field, source); err != nil {
		return []campaign.FieldError{FieldError(err)}
	}
	return nil
}

// RenderText writes a text that belongs to no delivery, without escaping. Its
// errors are those of [Renderer.Render].
func (r *Renderer) RenderText(ctx context.Context, field, source string, t campaign.TextInput) (string, error) {
	in := Input{Campaign: t.Campaign, Contact: t.Contact, Communication: t.Communication, Now: t.Now}
	vars := variables(&in)
	maps.Copy(vars, bind(t.Also))
	return r.one(ctx, field, source, false, vars, &in)
}
