package whatsapp

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"carillon/campaign"
	"carillon/channels"
)

// approved is a template of the account.
type approved struct {
	Name       string `json:"name"`
	Language   string `json:"language"`
	Status     string `json:"status"`
	Components []struct {
		Type string `json:"type"`
		Text string `json:"text"`
	} `json:"components"`
}

// CheckTemplate implements [channels.TemplateChecker]: the account must have the
// template, in the delivery's language, approved, with as many variables in its
// body as the stage gives. Without waba_id nothing is asked.
func (s *sender) CheckTemplate(ctx context.Context, d campaign.Delivery) error {
	if s.account == "" {
		return nil
	}
	var answer struct {
		Data []approved `json:"data"`
	}
	q := url.Values{"name": {d.TemplateName}, "fields": {"name,language,status,components"}, "limit": {"100"}}
	if failure := s.call(ctx, http.MethodGet, url.PathEscape(s.account)+"/message_templates?"+q.Encode(), nil, &answer); failure != nil {
		return failure
	}
	code := orElse(d.Language, s.language)
	var known []string
	for _, t := range answer.Data {
		if t.Name != d.TemplateName { // Meta finds by a part of the name
			continue
		}
		if t.Language != code {
			known = append(known, t.Language)
			continue
		}
		if t.Status != "APPROVED" {
			return channels.Fail(channels.Template, "not_approved", "the template %s (%s) is %s", t.Name, code, strings.ToLower(t.Status))
		}
		return t.fits(d.Variables)
	}
	if len(known) > 0 {
		return channels.Fail(channels.Template, "no_language", "the template %s is there in %s, not in %s", d.TemplateName, strings.Join(known, ", "), code)
	}
	return channels.Fail(channels.Template, "no_template", "the account has no template %s", d.TemplateName)
}

var placeholder = regexp.MustCompile(`{{\s*([A-Za-z0-9_]+)\s*}}`)

// fits compares the variables of the template's body with the stage's.
func (t *approved) fits(variables map[string]string) error {
	var wants []string
	for _, c := range t.Components {
		if c.Type != "BODY" {
			continue
		}
		for _, m := range placeholder.FindAllStringSubmatch(c.Text, -1) {
			if !slices.Contains(wants, m[1]) {
				wants = append(wants, m[1])
			}
		}
	}
	var missing, unknown []string
	for _, name := range wants {
		if _, ok := variables[name]; !ok {
			missing = append(missing, name)
		}
	}
	for name := range variables {
		if !slices.Contains(wants, name) && !strings.HasPrefix(name, "header") && !strings.HasPrefix(name, "button_") {
			unknown = append(unknown, name)
		}
	}
	slices.SortFunc(unknown, byNumber)
	switch {
	case len(missing) > 0:
		return channels.Fail(channels.Template, "variables", "the template %s wants the variables %s; the stage lacks %s", t.Name, strings.Join(wants, ", "), strings.Join(missing, ", "))
	case len(unknown) > 0:
		return channels.Fail(channels.Template, "variables", "the template %s has no variable %s", t.Name, strings.Join(unknown, ", "))
	default:
		return nil
	}
}

func byNumber(a, b string) int {
	x, errX := strconv.Atoi(a)
	y, errY := strconv.Atoi(b)
	if errX == nil && errY == nil {
		return x - y
	}
	return strings.Compare(fmt.Sprint(a), fmt.Sprint(b))
}
