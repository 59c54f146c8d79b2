package channels

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"carillon/campaign"
)

// Registry is the providers of this build. It is made once, by package
// channels/all, and safe for concurrent use.
type Registry struct {
	// AllowPrivate lets settings name private addresses; set it before use.
	AllowPrivate bool

	providers []Provider
}

// NewRegistry makes a registry. Of two providers of one name the later stays,
// so that a test can put a fake in place of a real one.
func NewRegistry(providers ...Provider) *Registry {
	r := &Registry{}
	for _, p := range providers {
		name := p.Describe().Provider
		r.providers = slices.DeleteFunc(r.providers, func(q Provider) bool { return q.Describe().Provider == name })
		r.providers = append(r.providers, p)
	}
	return r
}

// Provider returns the provider with the name, and whether this build has it.
func (r *Registry) Provider(name string) (Provider, bool) {
	for _, p := range r.providers {
		if p.Describe().Provider == name {
			return p, true
		}
	}
	return nil, false
}

// Providers describes the providers of this build.
func (r *Registry) Providers() []Description {
	out := make([]Description, 0, len(r.providers))
	for _, p := range r.providers {
		out = append(out, p.Describe())
	}
	return out
}

// Channels describes the nine channels in the manual's order, each with the
// providers that carry it in this build.
func (r *Registry) Channels() []ChannelInfo {
	out := make([]ChannelInfo, 0, len(campaign.Channels))
	for _, ch := range campaign.Channels {
		info := describeChannel(ch)
		for _, d := range r.Providers() {
			if d.Serves(ch) {
				info.Providers = append(info.Providers, d.Provider)
			}
		}
		out = append(out, info)
	}
	return out
}

// Validate reports every setting and secret of an integration that is missing,
// unknown or not allowed. A secret counts as there when it is in secrets or
// stored already under the integration's SecretNames.
func (r *Registry) Validate(i campaign.Integration, secrets map[string]campaign.Secret) error {
	p, ok := r.Provider(i.Provider)
	if !ok {
		return campaign.Invalid("provider", "this build has no provider %q; it has %s", i.Provider, strings.Join(r.names(), ", "))
	}
	d := p.Describe()
	var problems []campaign.FieldError
	add := func(field, format string, args ...any) {
		problems = append(problems, campaign.FieldError{Field: field, Message: fmt.Sprintf(format, args...)})
	}
	for _, name := range slices.Sorted(maps.Keys(i.Settings)) {
		if !slices.ContainsFunc(d.Settings, func(f Field) bool { return f.Name == name }) {
			add("settings."+name, "%s has no such setting", d.Provider)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(secrets)) {
		if !slices.ContainsFunc(d.Secrets, func(f Field) bool { return f.Name == name }) {
			add("secrets."+name, "%s has no such secret", d.Provider)
		}
	}
	for _, f := range d.Settings {
		switch v := i.Settings[f.Name]; {
		case v == "" && f.Required:
			add("settings."+f.Name, "%s needs it", d.Provider)
		case v != "" && len(f.Values) > 0 && !slices.Contains(f.Values, v):
			add("settings."+f.Name, "%q is not one of %s", v, strings.Join(f.Values, ", "))
		case v != "":
			if problem := f.check(v, r.AllowPrivate); problem != "" {
				add("settings."+f.Name, "%s", problem)
			}
		}
	}
	for _, f := range d.Secrets {
		if f.Required && secrets[f.Name] == "" && !slices.Contains(i.SecretNames, f.Name) {
			add("secrets."+f.Name, "%s needs it", d.Provider)
		}
	}
	if len(problems) == 0 {
		return nil
	}
	return &campaign.Error{Code: campaign.CodeInvalid, Message: "the integration is not valid", Fields: problems}
}

// Open makes the sender of an integration. An integration this build cannot
// use is a [*Failure] of class Config.
func (r *Registry) Open(i campaign.Integration, d Deps) (Sender, error) {
	p, ok := r.Provider(i.Provider)
	if !ok {
		return nil, Fail(Config, "no_provider", "this build has no provider %q", i.Provider)
	}
	return p.Open(i, d)
}

func (r *Registry) names() []string {
	var names []string
	for _, p := range r.providers {
		names = append(names, p.Describe().Provider)
	}
	return names
}
