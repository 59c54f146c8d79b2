package api

import (
	"reflect"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"carillon/campaign"
)

// newRegistry makes the schemas of the document. Package campaign knows nothing
// of OpenAPI, so what its types look like in JSON is told here.
func newRegistry() huma.Registry {
	r := huma.NewMapRegistry("#/components/schemas/", namer())
	alias(r, reflect.TypeFor[campaign.Duration](), reflect.TypeFor[durationText]())
	alias(r, reflect.TypeFor[campaign.Outcome](), reflect.TypeFor[outcomeText]())
	alias(r, reflect.TypeFor[campaign.Secret](), reflect.TypeFor[secretText]())
	alias(r, reflect.TypeFor[campaign.Dict](), reflect.TypeFor[freeDict]())
	alias(r, reflect.TypeFor[campaign.Status](), reflect.TypeFor[statusText]())
	alias(r, reflect.TypeFor[campaign.ContactStatus](), reflect.TypeFor[contactStatusText]())
	alias(r, reflect.TypeFor[campaign.Channel](), reflect.TypeFor[channelText]())
	alias(r, reflect.TypeFor[campaign.StrategyType](), reflect.TypeFor[strategyTypeText]())
	alias(r, reflect.TypeFor[Role](), reflect.TypeFor[roleText]())
	return r
}

func alias(r huma.Registry, t, as reflect.Type) { r.RegisterTypeAlias(t, as) }

// namer names schemas by their type, and by package and type where two packages
// have a type of one name.
func namer() func(reflect.Type, string) string {
	taken := map[string]reflect.Type{}
	names := map[reflect.Type]string{}
	return func(t reflect.Type, hint string) string {
		for t.Kind() == reflect.Pointer {
			t = t.Elem()
		}
		if name, ok := names[t]; ok {
			return name
		}
		name := huma.DefaultSchemaNamer(t, hint)
		if t.Name() == "" {
			return name
		}
		if other, ok := taken[name]; ok && other != t && t.Kind() == reflect.Struct {
			pkg := t.PkgPath()[strings.LastIndex(t.PkgPath(), "/")+1:]
			name = strings.ToUpper(pkg[:1]) + pkg[1:] + name
		}
		if t.Kind() == reflect.Struct {
			taken[name], names[t] = t, name
		}
		return name
	}
}

type (
	durationText      struct{}
	outcomeText       struct{}
	secretText        struct{}
	freeDict          struct{}
	statusText        struct{}
	contactStatusText struct{}
	channelText       struct{}
	strategyTypeText  struct{}
	roleText          struct{}
)

// Schema describes a duration.
func (durationText) Schema(huma.Registry) *huma.Schema {
	return &huma.Schema{
		Type: huma.TypeString, Pattern: `^(\d+d)?(\d+(\.\d+)?(h|ms|m|s))*$`, PatternDescription: "a duration such as 90s, 72h or 3d",
		Description: `A span of time such as 90s, 72h or 3d; "" is not set.`, Examples: []any{"72h"},
	}
}

// Schema describes an outcome.
func (outcomeText) Schema(huma.Registry) *huma.Schema {
	return &huma.Schema{Type: huma.TypeString, Nullable: true, Enum: []any{"success", "failure", "", nil}, Examples: []any{nil}}
}

// Schema describes a secret, which can be written but not read.
func (secretText) Schema(huma.Registry) *huma.Schema {
	return &huma.Schema{Type: huma.TypeString, Format: "password", WriteOnly: true, Nullable: true, Examples: []any{"s3cret"}}
}

// Schema describes a free dictionary.
func (freeDict) Schema(huma.Registry) *huma.Schema {
	return &huma.Schema{Type: huma.TypeObject, AdditionalProperties: true, Examples: []any{map[string]any{"amount": 120}}}
}

// Schema describes a campaign's status.
func (statusText) Schema(huma.Registry) *huma.Schema {
	return enum(campaign.Draft, campaign.Running, campaign.Paused, campaign.Stopped)
}

// Schema describes a contact's status.
func (contactStatusText) Schema(huma.Registry) *huma.Schema {
	return enum(campaign.ContactPending, campaign.ContactActive, campaign.ContactCompleted, campaign.ContactNeedsAttention, campaign.ContactStopped)
}

// Schema describes a channel; "" is not known yet.
func (channelText) Schema(huma.Registry) *huma.Schema {
	return enum(append(append([]campaign.Channel{}, campaign.Channels...), "")...)
}

// Schema describes a strategy's type.
func (strategyTypeText) Schema(huma.Registry) *huma.Schema {
	return enum(campaign.DataLoad, campaign.Aggregation, campaign.AgentAnswer)
}

// Schema describes a role.
func (roleText) Schema(huma.Registry) *huma.Schema { return enum(Admin, Manager, Operator, Viewer) }

func enum[T ~string](values ...T) *huma.Schema {
	s := &huma.Schema{Type: huma.TypeString}
	for _, v := range values {
		s.Enum = append(s.Enum, string(v))
	}
	return s
}

// addNulls says of every record inside a record that it may be null where it is
// a pointer and always there: huma tells that of plain values only.
func addNulls(r huma.Registry) {
	for name, s := range r.Map() {
		t := r.TypeFromRef("#/components/schemas/" + name)
		if t == nil || t.Kind() != reflect.Struct {
			continue
		}
		for _, f := range reflect.VisibleFields(t) {
			field, opts, _ := strings.Cut(f.Tag.Get("json"), ",")
			p := s.Properties[field]
			if f.Type.Kind() == reflect.Pointer && p != nil && p.Ref != "" && !strings.Contains(opts, "omit") {
				s.Properties[field] = &huma.Schema{OneOf: []*huma.Schema{p, {Type: "null"}}, Description: p.Description}
			}
		}
	}
}
