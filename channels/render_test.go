package channels_test

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"carillon/campaign"
	"carillon/channels"
)

func input(t *testing.T, template string) channels.Input {
	t.Helper()
	zone, err := time.LoadLocation("Europe/Berlin")
	require.NoError(t, err)
	return channels.Input{
		Campaign: campaign.Campaign{ID: "c1", Name: "Autumn", Timezone: "Europe/Berlin"},
		Stage:    campaign.Stage{Name: "reminder"},
		Delivery: campaign.Delivery{Channel: campaign.Email, Template: template},
		Contact: campaign.Contact{
			Name: "Ada & <b>Bob</b>", Email: "ada@example.com", Phone: "+14155550100", ObjectID: "o1", ExternalID: "e1",
			Parameters: dict(t, `{
				"amount": 12.5, "account": 900719925474099312345, "zeros": "00120", "paid": false, "lines": "a<\nb", "empty": "", "nothing": null,
				"due": {"$d": "2026-12-24"}, "at": {"$dt": "2026-12-24T22:30:00Z"}, "amount due": 7,
				"items": [{"title": "tea", "price": 2}, {"title": "cake", "price": 3}], "address": {"city": "Köln", "zip": "50667"}
			}`),
			Results: dict(t, `{"score": 3}`),
		},
		Communication: campaign.Communication{ID: "ct_1-1", Params: dict(t, `{"code": "X1"}`)},
		Now:           time.Date(2026, 12, 1, 23, 30, 0, 0, time.UTC),
		Zone:          zone, UnsubscribeURL: "https://x.example/u/1?a=1&b=2",
	}
}

func dict(t *testing.T, s string) (d campaign.Dict) {
	t.Helper()
	require.NoError(t, json.Unmarshal([]byte(s), &d))
	return d
}

func TestRender(t *testing.T) {
	t.Parallel()
	r := channels.NewRenderer()
	for _, tc := range []struct{ name, format, template, want string }{
		{"system fields", "", "{{ email }} {{ phone }} {{ object_id }} {{ external_id }}", "ada@example.com +14155550100 o1 e1"},
		{"a text is not escaped", "", "Hello {{ name }}", "Hello Ada & <b>Bob</b>"},
		{"html is escaped", "html", "<p>{{ name }}</p>", "<p>Ada &amp; &lt;b&gt;Bob&lt;/b&gt;</p>"},
		{"a link in html is escaped", "html", `<a href="{{ unsubscribe_url }}">`, `<a href="https://x.example/u/1?a=1&amp;b=2">`},
		{"safe opts out", "html", "{{ name | safe }}", "Ada & <b>Bob</b>"},
		{"safe is known in a text", "text", "{{ name | safe }}", "Ada & <b>Bob</b>"},
		{"escape does not escape twice", "html", "{{ name | escape }}", "Ada &amp; &lt;b&gt;Bob&lt;/b&gt;"},
		{"a filter after escape is escaped again", "html", "{{ '<' | escape | upcase }}", "&amp;LT;"},
		{"line breaks in html stay markup", "html", "{{ parameters.lines | newline_to_br }}", "a&lt;<br />\nb"},
		{"what is captured is escaped once if it is safe", "html", "{% capture x %}<i>{{ name }}</i>{% endcapture %}{{ x | safe }}", "<i>Ada &amp; &lt;b&gt;Bob&lt;/b&gt;</i>"},
		{"results, params, campaign, stage", "", "{{ results.score }} {{ params.code }} {{ campaign.name }} {{ stage.name }}", "3 X1 Autumn reminder"},
		{"big numbers and zeros keep their digits", "", "{{ parameters.account }} {{ parameters.zeros }} {{ parameters.amount }}", "900719925474099312345 00120 12.5"},
		{"names with spaces", "", `{{ parameters["amount due"] }}`, "7"},
		{"nested values and lists", "", "{{ parameters.address.city }} {{ parameters.items[1].title }} {{ parameters.items.size }}", "Köln cake 2"},
		{"a dictionary is shown as JSON", "", "{{ parameters.address }}", `{"city":"Köln","zip":"50667"}`},
		{"date tags are shown plainly", "", "{{ parameters.due }} {{ parameters.at }}", "2026-12-24 2026-12-24T22:30:00Z"},
		{"a date is formatted", "", "{{ parameters.due | date: '%d.%m.%Y' }}", "24.12.2026"},
		{"a datetime is formatted in the zone", "", "{{ parameters.at | date: '%d.%m.%Y %H:%M' }}", "24.12.2026 23:30"},
		{"today and now are the render's, in the zone", "", "{{ today }} {{ 'now' | date: '%d %H:%M' }}", "2026-12-02 02 00:30"},
		{"dates compare as texts", "", "{% if parameters.due > today %}later{% endif %}", "later"},
		{"null is written as nothing", "", "[{{ parameters.nothing }}{{ parameters.empty }}{{ parameters.nothing | date: '%d' }}]", "[]"},
		{"a default stands in for a missing variable", "", "{{ parameters.nick | default: 'friend' }} {{ parameters.a.b | upcase | default: name }}", "friend Ada & <b>Bob</b>"},
		{"a template may ask about a missing variable", "", "{% if parameters.vip %}vip{% elsif parameters.x.y == 1 %}y{% else %}no{% endif %}{% unless telegram_link %}!{% endunless %}", "no!"},
		{"a branch not taken needs nothing", "", "{% if parameters.paid %}{{ parameters.missing }}{% endif %}ok", "ok"},
		{"a missing list is empty", "", "none{% for x in parameters.nope %}{{ x }}{% endfor %}", "none"},
		{"an assigned default", "", "{% assign nick = parameters.nick | default: 'friend' %}{{ nick }}", "friend"},
		{"loops, cycle, break", "", "{% for i in parameters.items %}{% cycle 'a', 'b' %}{{ forloop.index }}{{ i.title }}{% if i.price == 3 %}{% break %}{% endif %}{% endfor %}", "a1teab2cake"},
		{"a loop over a dictionary is in order", "", "{% for p in parameters.address %}{{ p[0] }}={{ p[1] }} {% endfor %}", "city=Köln zip=50667 "},
		{"trim marks work beside counted loops", "", "{% for i in (1..3) -%}\n {{ i }}\n{%- endfor %}", "123"},
		{"raw stays raw", "", "{% raw %}{{ name }}{% for %}{% endraw %}{% comment %}{{ x | y }}{% endcomment %}", "{{ name }}{% for %}"},
		{"a long range may be cut", "", "{% for i in (1..1000000) limit: 3 %}{{ i }}{% endfor %}", "123"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			in := input(t, tc.template)
			in.Delivery.Format = tc.format
			out, err := r.Render(t.Context(), in)
			require.NoError(t, err)
			require.Equal(t, tc.want, out.Body)
			require.Equal(t, tc.format == "html", out.HTML)
			again, err := r.Render(t.Context(), in)
			require.NoError(t, err)
			require.Equal(t, out, again)
		})
	}
}

func TestRenderMissingVariable(t *testing.T) {
	t.Parallel()
	r := channels.NewRenderer()
	for _, tc := range []struct {
		name, template, want string
		line                 int
	}{
		{"a parameter", "Hello\n{{ name }} {{ parameters.amonut }}", "parameters.amonut", 2},
		{"a top-level name", "{{ nam }}", "nam", 1},
		{"in brackets", `{{ parameters["last name"] | upcase }}`, "parameters.last name", 1},
		{"in a list", "{{ parameters.items[0].title }} {{ parameters.items[5].title }}", "parameters.items.5.title", 1},
		{"in a range", "{{ (1..parameters.count) | join }}", "parameters.count", 1},
		{"deep", "{{ parameters.address.street }}", "parameters.address.street", 1},
		{"inside blocks", "{% if parameters.paid == false %}\n{% for i in parameters.items %}\n{{ i.title }}\n{{ i.colour }}{% endfor %}{% endif %}", "i.colour", 4},
		{"as an argument", "{{ name | append: parameters.tail }}", "parameters.tail", 1},
		{"a link there is none of", "{{ telegram_link }}", "telegram_link", 1},
		{"assigned without a default", "{% assign x = parameters.nick %}{{ x }}", "parameters.nick", 1},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			_, err := r.Render(t.Context(), input(t, tc.template))
			var missing *channels.MissingVariable
			require.ErrorAs(t, err, &missing)
			require.Equal(t, tc.want, missing.Name)
			require.Equal(t, tc.line, missing.Line)
			require.Equal(t, "template", missing.Field)
		})
	}
}

func TestRenderRefuses(t *testing.T) {
	t.Parallel()
	r := channels.NewRenderer()
	double := "{% assign s = 'aaaaaaaaaa' %}" + strings.Repeat("{% assign s = s | append: s %}", 60)
	for _, tc := range []struct {
		name, template, want string
		line                 int
	}{
		{"a block that is not closed", "a\nb\n{% if name %}", "unterminated", 3},
		{"a stray end", "\n{% endif %}", "endif", 2},
		{"an object that is not closed", "Hello\n{{ name ", "{{ is not closed", 2},
		{"a tag that is not closed", "Hello {% if x ", "{% is not closed", 1},
		{"raw that is not closed", "\n{% raw %}{{ name }}", "raw is not closed", 2},
		{"an unknown filter", "\n{{ name | shout }}", `no filter "shout"`, 2},
		{"an unknown tag", "{% frobnicate %}", "undefined tag", 1},
		{"bad syntax", "{{ name == }}", "syntax error", 1},
		{"words of Shopify's Liquid", "\n{% if parameters.empty == blank %}{% endif %}", "blank is not known", 2},
		{"a file", `{% include "/etc/passwd" %}`, "undefined tag", 1},
		{"another file", `{% render "x" %}`, "undefined tag", 1},
		{"a date that is none", "{{ name | date: '%d' }}", "is not a date", 1},
		{"a filter that panics", "{{ 'abc' | slice: 2, -1 }}", "", 0},
		{"a loop bomb", "{% for i in (1..1000000) %}{% endfor %}", "turns of a loop", 1},
		{"a nested loop bomb", "{% for i in (1..1000) %}{% for j in (1..1000) %}{% for k in (1..1000) %}{% endfor %}{% endfor %}{% endfor %}", "turns of a loop", 1},
		{"a loop bomb inside if", "{% if true %}{% for i in (1..99999999) %}{% endfor %}{% endif %}", "turns of a loop", 1},
		{"a table bomb", "{% tablerow i in (1..99999999) %}{% endtablerow %}", "longer than", 1},
		{"a range given to a filter", "{{ (1..9000000000000) | join }}", "list or range", 1},
		{"huge output", "{% for i in (1..50000) %}" + strings.Repeat("x", 100) + "{% endfor %}", "longer than", 1},
		{"huge output in a table", "{% tablerow i in (1..50000) %}" + strings.Repeat("x", 100) + "{% endtablerow %}", "longer than", 1},
		{"a huge capture", "{% capture x %}{% for i in (1..50000) %}" + strings.Repeat("x", 100) + "{% endfor %}{% endcapture %}", "longer than", 1},
		{"captures that double", strings.Repeat("{% capture s %}{{ s }}{{ s }}aaaaaaaaaa{% endcapture %}", 60), "", 0},
		{"texts that double", double, "over the limit", 1},
		{"replace makes a product", "{% assign s = 'aaaaaaaaaa' %}" + strings.Repeat("{% assign s = s | replace: 'a', s %}", 30), "over the limit", 1},
		{"lists that double", "{% assign l = 'a b c d' | split: ' ' %}" + strings.Repeat("{% assign l = l | concat: l %}", 60), "over the limit", 1},
		{"a list of one long text", "{% capture s %}{% for i in (1..9000) %}" + strings.Repeat("x", 100) + "{% endfor %}{% endcapture %}{% assign l = 'a b' | split: ' ' | concat: parameters.items | map: 'x' %}{{ l | join: s }}", "over the limit", 1},
		{"a wide date", "{{ today | date: '%999999999d' }}", "field width", 1},
		{"a long template", strings.Repeat("x", channels.MaxTemplateBytes+1), "longer than", 0},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			began := time.Now()
			in := input(t, tc.template)
			in.Contact.Parameters["s"] = json.RawMessage(`"a"`)
			_, err := r.Render(t.Context(), in)
			require.Error(t, err)
			require.Less(t, time.Since(began), 10*time.Second)
			if tc.want == "" {
				return
			}
			var bad *channels.TemplateError
			require.ErrorAs(t, err, &bad)
			require.Contains(t, bad.Message, tc.want)
			require.Equal(t, tc.line, bad.Line)
			require.NotContains(t, bad.Message, "Liquid error")
		})
	}
}

func TestRenderStopsWithItsContext(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := channels.NewRenderer().Render(ctx, input(t, "{% for i in (1..10) %}{% endfor %}"))
	require.ErrorIs(t, err, context.Canceled)
}

func TestRenderDelivery(t *testing.T) {
	t.Parallel()
	r := channels.NewRenderer()
	in := input(t, "<p>{{ name }}</p>")
	in.Delivery.Format, in.Delivery.Subject = "html", "Invoice for {{ parameters.line }}\r\nBcc: {{ name }}"
	in.Contact.Parameters["line"] = json.RawMessage(`"a\nb"`)
	in.Delivery.Variables = map[string]string{"1": "{{ name }}", "2": "{{ parameters.due | date: '%d.%m.' }}"}
	out, err := r.Render(t.Context(), in)
	require.NoError(t, err)
	require.Equal(t, channels.Rendered{
		Subject: "Invoice for a b Bcc: Ada & <b>Bob</b>", Body: "<p>Ada &amp; &lt;b&gt;Bob&lt;/b&gt;</p>", HTML: true,
		Variables: map[string]string{"1": "Ada & <b>Bob</b>", "2": "24.12."},
	}, out)

	in.Delivery.Variables["2"] = "{{ params.nope }}"
	_, err = r.Render(t.Context(), in)
	require.EqualError(t, err, "line 1 of the variables.2: the contact has no params.nope")

	in = input(t, "{{ 'now' | date: '%H:%M' }}")
	in.Zone, in.Contact.Timezone = nil, "Asia/Tokyo"
	out, err = r.Render(t.Context(), in)
	require.NoError(t, err)
	require.Equal(t, "08:30", out.Body)
}

func TestPreviewGoesOn(t *testing.T) {
	t.Parallel()
	r := channels.NewRenderer()
	in := input(t, "Hello {{ name }}, {{ parameters.a }} and\n{{ parameters.b.c }}: {{ nam }}")
	in.Delivery.Subject = "{{ broken"
	out, warnings := r.Preview(t.Context(), in)
	require.Equal(t, "Hello Ada & <b>Bob</b>,  and\n: ", out.Body)
	require.Equal(t, []campaign.FieldError{
		{Field: "subject", Message: "{{ is not closed on its line", Line: 1},
		{Field: "template", Message: "the contact has no parameters.a", Line: 1},
		{Field: "template", Message: "the contact has no parameters.b.c", Line: 2},
		{Field: "template", Message: "the contact has no nam", Line: 2},
	}, warnings)

	_, warnings = r.Preview(t.Context(), input(t, "{% for i in parameters.items %}{{ i.x }}{% endfor %}"))
	require.Equal(t, []campaign.FieldError{{Field: "template", Message: "the contact has no i.x", Line: 1}}, warnings)
	_, warnings = r.Preview(t.Context(), input(t, "fine"))
	require.Empty(t, warnings)
	require.NotNil(t, warnings)
}

func TestCheckNamesFieldAndLine(t *testing.T) {
	t.Parallel()
	stage := campaign.Stage{
		SendIf:   "parameters.paid ==",
		Delivery: campaign.Delivery{Subject: "{{ name | nope }}", Template: "fine {{ parameters.unknown }}"},
		Alternatives: []campaign.Alternative{
			{Delivery: campaign.Delivery{Variables: map[string]string{"1": "\n{% if %}"}}},
		},
	}
	var fields []string
	for _, e := range channels.NewRenderer().Check(stage) {
		fields = append(fields, fmt.Sprintf("%s:%d", e.Field, e.Line))
	}
	require.Equal(t, []string{"delivery.subject:1", "alternatives[0].delivery.variables.1:2", "send_if:0"}, fields)
}

func TestCondition(t *testing.T) {
	t.Parallel()
	r := channels.NewRenderer()
	for _, tc := range []struct {
		name, expr string
		want       bool
	}{
		{"no condition", " ", true},
		{"not paid", "parameters.paid != true", true},
		{"paid", "parameters.paid", false},
		{"a missing variable is nil", "parameters.nope == nil", true},
		{"a missing path is not true", "parameters.nope.deeper", false},
		{"a missing name is not more than anything", "nope > 5", false},
		{"numbers", "parameters.amount > 10 and results.score == 3", true},
		{"dates", "parameters.due >= today", true},
		{"filters", "parameters.items.size == 2", true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			got, err := r.Condition(t.Context(), tc.expr, input(t, ""))
			require.NoError(t, err)
			require.Equal(t, tc.want, got)
		})
	}
	for _, bad := range []string{"{{ parameters.paid }}", "parameters.paid ==", "name | nope", "(((", "(1..99999999999) | join"} {
		_, err := r.Condition(t.Context(), bad, input(t, ""))
		var e *channels.TemplateError
		require.ErrorAs(t, err, &e, bad)
		require.Equal(t, "send_if", e.Field)
	}
}

func TestRendererIsUsedByManyAtOnce(t *testing.T) {
	t.Parallel()
	r := channels.NewRenderer()
	var wg sync.WaitGroup
	for n := range 8 {
		in := input(t, "{% for i in (1..3) %}{% cycle 'a', 'b' %}{{ parameters.nick | default: name }}{% endfor %}{{ 'now' | date: '%S' }}")
		in.Contact.Name, in.Now = fmt.Sprint(n), in.Now.Add(time.Duration(n)*time.Second)
		wg.Go(func() {
			for i := range 200 {
				out, err := r.Render(context.WithoutCancel(t.Context()), in)
				if want := fmt.Sprintf("a%[1]db%[1]da%[1]d0%[1]d", n); err != nil || out.Body != want {
					t.Errorf("got %q, %v; want %q", out.Body, err, want)
					return
				}
				in.Delivery.Subject = fmt.Sprintf("%d %d", n, i) // fills the cache
			}
		})
	}
	wg.Wait()
}

func BenchmarkRender(b *testing.B) {
	r := channels.NewRenderer()
	in := channels.Input{
		Contact:  campaign.Contact{Name: "Ada", Parameters: campaign.Dict{"amount": json.RawMessage("12.5")}},
		Delivery: campaign.Delivery{Subject: "Hi {{ name }}", Template: "Hello {{ name }}, you owe {{ parameters.amount }}"},
	}
	for b.Loop() {
		if _, err := r.Render(b.Context(), in); err != nil {
			b.Fatal(err)
		}
	}
}
