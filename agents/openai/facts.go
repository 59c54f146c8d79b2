package openai

import (
	"bytes"
	"encoding/json"
	"strings"

	"carillon/campaign"
)

// facts are what instructions may name of a contact, each text on one line. Some
// come from the contact, in a form or in an earlier session: they are not to look
// like headings and rules of the instructions they stand in.
func facts(c campaign.Contact, m campaign.Communication) (campaign.Contact, campaign.Communication) {
	for _, text := range []*string{&c.Name, &c.Email, &c.Phone, &c.ObjectID, &c.ExternalID, &c.Language, &c.Timezone} {
		*text = oneLine(*text)
	}
	c.Parameters, c.Results, m.Params = flat(c.Parameters), flat(c.Results), flat(m.Params)
	return c, m
}

func flat(d campaign.Dict) campaign.Dict {
	out := make(campaign.Dict, len(d))
	for name, raw := range d {
		out[oneLine(name)] = flatJSON(raw)
	}
	return out
}

// flatJSON puts the texts in a value on one line; numbers stay as they are written.
func flatJSON(raw json.RawMessage) json.RawMessage {
	if bytes.IndexByte(raw, '\\') < 0 { // no line ends without one
		return raw
	}
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	var v any
	if d.Decode(&v) != nil {
		return raw
	}
	out, err := json.Marshal(flatValue(v))
	if err != nil {
		return raw
	}
	return out
}

func flatValue(v any) any {
	switch v := v.(type) {
	case string:
		return oneLine(v)
	case []any:
		for i := range v {
			v[i] = flatValue(v[i])
		}
	case map[string]any:
		for k := range v {
			v[k] = flatValue(v[k])
		}
	}
	return v
}

// oneLine leaves spaces within a line as they are.
func oneLine(text string) string {
	if strings.ContainsAny(text, "\n\r\v\f\u0085\u2028\u2029") {
		return strings.Join(strings.Fields(text), " ")
	}
	return text
}
