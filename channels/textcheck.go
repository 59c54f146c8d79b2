package channels

import "carillon/campaign"

// TextChecker is a [Provider] whose company refuses some plain texts.
type TextChecker interface {
	// CheckText says why the text would be refused as a message inside a session, in
	// the company's own measure: a [*Failure] of class [Invalid]; nil if it may go.
	// It uses no network. Send makes the same check.
	CheckText(text string) error
}

// CheckText says why no provider of the channel would take a plain text inside a
// session, as a [*Failure] of class [Invalid]; nil if it may go.
func (r *Registry) CheckText(ch campaign.Channel, text string) error {
	var refused error
	for _, p := range r.providers {
		if !p.Describe().Serves(ch) {
			continue
		}
		checker, ok := p.(TextChecker)
		if !ok {
			continue
		}
		if refused = checker.CheckText(text); refused == nil {
			return nil
		}
	}
	return refused
}
