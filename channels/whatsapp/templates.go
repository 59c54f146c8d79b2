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
		Type    string `json:"type"`
		Format  string `json:"format"` // of a header: TEXT, IMAGE, VIDEO, DOCUMENT
		Text    string `json:"text"`
		Buttons []struct {
			Type string `json:"type"`
			URL  string `json:"url"`
		} `json:"buttons"`
	} `json:"components"`
}

// templatePages bounds what is read of the templates of a name: of 100 each.
const templatePages = 20

// CheckTemplate implements [channels.TemplateChecker]: the account must have the
// template, in the delivery's language, approved, with the variables that the
// stage gives to its body, its header and its buttons. Without waba_id nothing is
// asked.
func (s *sender) CheckTemplate(ctx context.Context, d campaign.Delivery) error {
	if s.account == "" {
		return nil
	}
	found, failure := s.templates(ctx, d.TemplateName)
	if failure != nil {
		return failure
	}
	code := orElse(d.Language, s.language)
	var known []string
	for i := range found {
		t := &found[i]
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

// templates lists the account's templates with a name, and those it is a part of.
func (s *sender) templates(ctx context.Context, name string) ([]approved, *channels.Failure) {
	q := url.Values{"name": {name}, "fields": {"name,language,status,components"}, "limit": {"100"}}
	var found []approved
	for range templatePages {
		var page struct {
			Data   []approved `json:"data"`
			Paging struct {
				Cursors struct {
					After string `json:"after"`
				} `json:"cursors"`
				Next string `json:"next"`
			} `json:"paging"`
		}
		if failure := s.call(ctx, http.MethodGet, url.PathEscape(s.account)+"/message_templates?"+q.Encode(), nil, &page); failure != nil {
			return nil, failure
		}
		found = append(found, page.Data...)
		if page.Paging.Next == "" || page.Paging.Cursors.After == "" { // the last page has a cursor too
			break
		}
		q.Set("after", page.Paging.Cursors.After)
	}
	return found, nil
}

var placeholder = regexp.MustCompile(`{{\s*([A-Za-z0-9_]+)\s*}}`)

// around names the variables that the template's header and buttons want.
func (t *approved) around() []string {
	var wants []string
	for _, c := range t.Components {
		switch {
		case c.Type == "HEADER" && (c.Format == "IMAGE" || c.Format == "VIDEO" || c.Format == "DOCUMENT"):
			wants = append(wants, "header_"+strings.ToLower(c.Format))
		case c.Type == "HEADER" && placeholder.MatchString(c.Text):
			wants = append(wants, "header")
		}
		for i, b := range c.Buttons {
			if b.Type == "URL" && placeholder.MatchString(b.URL) {
				wants = append(wants, "button_"+strconv.Itoa(i))
			}
		}
	}
	return wants
}

// fits compares the template's variables with the stage's.
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
	all := slices.Concat(wants, t.around())
	for _, name := range all {
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
		return channels.Fail(channels.Template, "variables", "the template %s wants the variables %s; the stage lacks %s", t.Name, strings.Join(all, ", "), strings.Join(missing, ", "))
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
