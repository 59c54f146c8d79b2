package channels_test

import (
	"testing"

	"carillon/channels"
)

func FuzzRender(f *testing.F) {
	for _, s := range []string{
		"{{ name | upcase | slice: 1, 2 }}", "{% for i in parameters.items reversed limit: 2 offset: 1 %}{{ i.title }}{% else %}x{% endfor %}",
		"{% case name %}{% when 'a', 'b' %}x{% else %}y{% endcase %}", "{% capture x %}{{ parameters['a b'] }}{% endcapture %}{{ x | split: '' | join: ',' }}",
		"{% tablerow i in (1..3) cols: 2 %}{{ i }}{% endtablerow %}", "{{ 'now' | date: '%Y' | plus: 1 | divided_by: 0 }}", "{% cycle 'a': 'b', 'c' %}",
		"{%- if a.b and c contains d or 1.5 >= 2 -%}{% raw %}{{{% endraw %}{% endif %}", "{{ parameters.items | map: 'price' | sum | round: 2 | json }}",
	} {
		f.Add(s)
	}
	r := channels.NewRenderer()
	f.Fuzz(func(t *testing.T, s string) {
		in := input(t, s)
		in.Delivery.Format = "html"
		out, err := r.Render(t.Context(), in)
		if err == nil && len(out.Body) > channels.MaxMessageBytes {
			t.Fatal("the message is over the limit")
		}
		_, _ = r.Preview(t.Context(), in)
		_, _ = r.Condition(t.Context(), s, in)
	})
}
