package channels

import (
	"bytes"
	"encoding/json"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"carillon/campaign"
)

// variables is what a template may write, by name.
func variables(in *Input) map[string]any {
	c, zone := &in.Contact, in.zone()
	vars := map[string]any{
		"name":        c.Name,
		"email":       c.Email,
		"phone":       c.Phone,
		"object_id":   c.ObjectID,
		"external_id": c.ExternalID,
		"language":    c.Language,
		"timezone":    zone.String(),
		"parameters":  bind(c.Parameters),
		"results":     bind(c.Results),
		"params":      bind(in.Communication.Params),
		"campaign": dict{
			"id": in.Campaign.ID, "name": in.Campaign.Name, "description": in.Campaign.Description, "timezone": in.Campaign.Timezone,
		},
		"stage": dict{"name": in.Stage.Name, "description": in.Stage.Description},
		"today": in.Now.In(zone).Format(time.DateOnly),
	}
	// A link that does not exist is missing, rather than an empty one.
	if in.UnsubscribeURL != "" {
		vars["unsubscribe_url"] = in.UnsubscribeURL
	}
	if in.TelegramLink != "" {
		vars[TelegramLinkVariable] = in.TelegramLink
	}
	return vars
}

// dict is a dictionary in a template; loops go through it in the keys' order.
type dict map[string]any

// Len counts the pairs.
func (d dict) Len() int { return len(d) }

// Index returns the i-th pair.
func (d dict) Index(i int) any {
	k := slices.Sorted(maps.Keys(d))[i]
	return []any{k, d[k]}
}

// String writes the dictionary as JSON, where a template writes all of it.
func (d dict) String() string {
	b, err := json.Marshal(map[string]any(d))
	if err != nil {
		return ""
	}
	return string(b)
}

// bind decodes a free dictionary with its date tags as plain text.
func bind(d campaign.Dict) dict {
	out := make(dict, len(d))
	for k, raw := range d {
		dec := json.NewDecoder(bytes.NewReader(campaign.Plain(raw)))
		dec.UseNumber()
		var v any
		if dec.Decode(&v) == nil {
			out[k] = value(v)
		}
	}
	return out
}

func value(v any) any {
	switch v := v.(type) {
	case map[string]any:
		for k := range v {
			v[k] = value(v[k])
		}
		return dict(v)
	case []any:
		for i := range v {
			v[i] = value(v[i])
		}
		return v
	case json.Number:
		return number(v.String())
	default:
		return v
	}
}

// number keeps the digits: one that Go's numbers would not write back is text.
func number(s string) any {
	if !strings.ContainsAny(s, ".eE") {
		if n, err := strconv.Atoi(s); err == nil {
			return n
		}
		return s
	}
	if f, err := strconv.ParseFloat(s, 64); err == nil && len(s) <= 16 {
		return f
	}
	return s
}

// leads reports whether a path leads to a value.
func leads(vars map[string]any, path []string) bool {
	var at any = dict(vars)
	for _, key := range path {
		switch v := at.(type) {
		case dict:
			next, ok := v[key]
			if !ok {
				return key == "size"
			}
			at = next
		case []any:
			i, err := strconv.Atoi(key)
			switch {
			case err == nil && i < len(v):
				at = v[i]
			case len(v) > 0 && (key == "first" || key == "last"):
				at = v[map[string]int{"first": 0, "last": len(v) - 1}[key]]
			default:
				return key == "size"
			}
		default:
			_, text := v.(string)
			return text && key == "size"
		}
	}
	return true
}

// allow sets an optional path to nil where it is missing, so that the template
// may ask about it.
func allow(vars map[string]any, path []string) {
	at := dict(vars)
	for i, key := range path {
		next, ok := at[key]
		if !ok {
			if len(path) > 1 && i == 0 {
				return // a name of the template's own
			}
			if i == len(path)-1 {
				at[key] = nil
				return
			}
			next = dict{}
			at[key] = next
		}
		if at, ok = next.(dict); !ok {
			return
		}
	}
}

// fill sets a path to nil where it is missing, so that a preview can go on;
// false if it cannot.
func fill(vars map[string]any, path []string) bool {
	if len(path) > 1 {
		if _, ok := vars[path[0]]; !ok {
			return false
		}
	}
	allow(vars, path)
	return leads(vars, path)
}
