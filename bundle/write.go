package bundle

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Write writes the bundle: the same bundle always as the same text, texts of
// several lines as blocks, keys in the order of the types.
func (b *Bundle) Write() ([]byte, error) {
	raw, err := json.Marshal(b)
	if err != nil {
		return nil, fmt.Errorf("write a bundle: %w", err)
	}
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.UseNumber()
	node, err := nodeOf(dec)
	if err != nil {
		return nil, fmt.Errorf("write a bundle: %w", err)
	}
	var out bytes.Buffer
	enc := yaml.NewEncoder(&out)
	enc.SetIndent(2)
	if err := enc.Encode(node); err != nil {
		return nil, fmt.Errorf("write a bundle: %w", err)
	}
	return out.Bytes(), enc.Close()
}

// nodeOf reads the next JSON value as YAML, in its own order.
func nodeOf(dec *json.Decoder) (*yaml.Node, error) {
	token, err := dec.Token()
	if err != nil {
		return nil, err
	}
	switch v := token.(type) {
	case json.Delim:
		return collection(dec, v)
	case string:
		return text(v), nil
	case json.Number:
		tag := "!!int"
		if strings.ContainsAny(v.String(), ".eE") {
			tag = "!!float"
		}
		return &yaml.Node{Kind: yaml.ScalarNode, Tag: tag, Value: v.String()}, nil
	case bool:
		return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!bool", Value: fmt.Sprint(v)}, nil
	default:
		return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!null", Value: "null"}, nil
	}
}

func collection(dec *json.Decoder, open json.Delim) (*yaml.Node, error) {
	n := &yaml.Node{Kind: yaml.SequenceNode, Tag: "!!seq"}
	if open == '{' {
		n = &yaml.Node{Kind: yaml.MappingNode, Tag: "!!map"}
	}
	flat := true
	for dec.More() {
		item, err := nodeOf(dec)
		if err != nil {
			return nil, err
		}
		n.Content = append(n.Content, item)
		flat = flat && (item.Kind == yaml.ScalarNode && item.Style != yaml.LiteralStyle || item.Kind == yaml.SequenceNode && item.Style == yaml.FlowStyle)
	}
	if _, err := dec.Token(); err != nil && err != io.EOF {
		return nil, err
	}
	if n.Kind == yaml.SequenceNode && flat {
		n.Style = yaml.FlowStyle
	}
	if n.Kind == yaml.MappingNode {
		inWeekOrder(n)
	}
	return n, nil
}

var week = []string{"mon", "tue", "wed", "thu", "fri", "sat", "sun"}

// inWeekOrder puts the days of a week as people read them.
func inWeekOrder(n *yaml.Node) {
	type pair struct {
		day         int
		key, values *yaml.Node
	}
	var pairs []pair
	for i := 0; i < len(n.Content); i += 2 {
		day := slices.Index(week, n.Content[i].Value)
		if day < 0 {
			return
		}
		pairs = append(pairs, pair{day, n.Content[i], n.Content[i+1]})
	}
	slices.SortStableFunc(pairs, func(a, b pair) int { return a.day - b.day })
	for i, p := range pairs {
		n.Content[2*i], n.Content[2*i+1] = p.key, p.values
	}
}

// text is a scalar that is read back as the same text. Several lines are a block
// where YAML can say them so.
func text(s string) *yaml.Node {
	n := &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: s}
	if strings.Contains(s, "\n") {
		n.Style = yaml.LiteralStyle
	}
	for _, style := range []yaml.Style{n.Style, yaml.DoubleQuotedStyle} {
		n.Style = style
		if same(n) {
			break
		}
	}
	return n
}

// same reports whether the scalar, indented as in a bundle, is read back as it is.
func same(n *yaml.Node) bool {
	written, err := yaml.Marshal(&yaml.Node{Kind: yaml.MappingNode, Content: []*yaml.Node{{Kind: yaml.ScalarNode, Value: "a"}, {
		Kind: yaml.SequenceNode, Content: []*yaml.Node{{Kind: yaml.MappingNode, Content: []*yaml.Node{{Kind: yaml.ScalarNode, Value: "b"}, n}}},
	}}})
	if err != nil {
		return false
	}
	var back struct{ A []struct{ B any } }
	if yaml.Unmarshal(written, &back) != nil || len(back.A) != 1 {
		return false
	}
	return back.A[0].B == n.Value
}
