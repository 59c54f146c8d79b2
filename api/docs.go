package api

import (
	"bytes"
	"cmp"
	"encoding/json"
	"html/template"
	"slices"
	"strings"

	"github.com/danielgtaylor/huma/v2"
)

// reference is the OpenAPI document as the page at /docs shows it.
type reference struct {
	Title, Version, Description string
	Resources                   []resource
}

type resource struct {
	Name       string
	Operations []operation
}

type operation struct {
	ID, Method, Path, Summary, Description string
	Params                                 []param
	Request                                []example
	Answers                                []example
	Errors                                 string
}

type param struct{ Name, In, Type, Doc string }

type example struct{ Title, Kind, Text string }

func newReference(doc *huma.OpenAPI) reference {
	out := reference{Title: doc.Info.Title, Version: doc.Info.Version, Description: doc.Info.Description}
	byTag := map[string][]operation{}
	for path, item := range doc.Paths {
		for _, o := range operationsOf(item) {
			tag := "other"
			if len(o.Tags) > 0 {
				tag = o.Tags[0]
			}
			byTag[tag] = append(byTag[tag], newOperation(path, o))
		}
	}
	for tag, operations := range byTag {
		slices.SortFunc(operations, func(a, b operation) int {
			return cmp.Or(cmp.Compare(a.Path, b.Path), cmp.Compare(a.Method, b.Method))
		})
		out.Resources = append(out.Resources, resource{tag, operations})
	}
	slices.SortFunc(out.Resources, func(a, b resource) int { return cmp.Compare(a.Name, b.Name) })
	return out
}

func newOperation(path string, o *huma.Operation) operation {
	out := operation{ID: o.OperationID, Method: o.Method, Path: path, Summary: o.Summary, Description: o.Description}
	for _, p := range o.Parameters {
		if p.Schema != nil {
			out.Params = append(out.Params, param{p.Name, p.In, strings.TrimSpace(p.Schema.Type + " " + p.Schema.Format), p.Description})
		}
	}
	if o.RequestBody != nil {
		out.Request = examplesOf("Request", o.RequestBody.Content)
	}
	var errors []string
	for status, r := range o.Responses {
		if status >= "400" {
			errors = append(errors, status)
			continue
		}
		out.Answers = append(out.Answers, examplesOf(strings.TrimSpace(status+" "+r.Description), r.Content)...)
		if len(r.Content) == 0 {
			out.Answers = append(out.Answers, example{Title: status + " " + r.Description})
		}
	}
	slices.Sort(errors)
	slices.SortFunc(out.Answers, func(a, b example) int { return cmp.Compare(a.Title, b.Title) })
	out.Errors = strings.Join(errors, " ")
	return out
}

func examplesOf(title string, content map[string]*huma.MediaType) []example {
	var out []example
	for kind, m := range content {
		e := example{Title: title, Kind: kind}
		if m.Example != nil {
			var b bytes.Buffer
			enc := json.NewEncoder(&b)
			enc.SetEscapeHTML(false)
			enc.SetIndent("", "  ")
			if enc.Encode(m.Example) == nil {
				e.Text = b.String()
			}
		}
		out = append(out, e)
	}
	slices.SortFunc(out, func(a, b example) int { return cmp.Compare(a.Kind, b.Kind) })
	return out
}

// docsPage loads nothing: it is one page of HTML with its style inside.
var docsPage = template.Must(template.New("docs").Parse(`<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>{{.Title}} REST reference</title>
<style>
:root{color-scheme:light dark;--line:#8884;--soft:#8881}
body{font:15px/1.5 system-ui,sans-serif;margin:0;display:grid;grid-template-columns:15rem minmax(0,60rem);gap:2rem}
nav{position:sticky;top:0;align-self:start;max-height:100vh;overflow:auto;padding:1.5rem 0 1.5rem 1.5rem;box-sizing:border-box}
nav a{display:block;text-decoration:none;color:inherit;padding:.1rem 0}nav a:hover{text-decoration:underline}
main{padding:1.5rem 1.5rem 5rem 0}h1{margin-top:0}h2{border-bottom:1px solid var(--line);margin-top:2.5rem;padding-bottom:.2rem}
details{border:1px solid var(--line);border-radius:6px;margin:.5rem 0}summary{padding:.5rem .75rem;cursor:pointer}
details>div{padding:0 .75rem .75rem}code,pre{font:13px/1.45 ui-monospace,monospace}
pre{background:var(--soft);padding:.75rem;border-radius:6px;overflow:auto;max-height:28rem}
table{border-collapse:collapse;width:100%}td{border-top:1px solid var(--line);padding:.25rem .5rem .25rem 0;vertical-align:top}
.m{display:inline-block;min-width:4rem;font-weight:700}.what{opacity:.75;margin-left:.5rem}
@media(max-width:50rem){body{display:block}nav{position:static;padding:1rem;columns:2}main{padding:1rem}}
</style></head><body>
<nav><strong>{{.Title}}</strong>{{range .Resources}}<a href="#{{.Name}}">{{.Name}}</a>{{end}}<a href="/openapi.json">openapi.json</a></nav>
<main><h1>{{.Title}} REST reference</h1><p>{{.Description}}</p><p>Version {{.Version}}. Errors are <code>application/problem+json</code>.</p>
{{range .Resources}}<h2 id="{{.Name}}">{{.Name}}</h2>
{{range .Operations}}<details id="{{.ID}}"><summary><code><span class="m">{{.Method}}</span> {{.Path}}</code><span class="what">{{.Summary}}</span></summary><div>
<p>{{.Description}}</p>
{{if .Params}}<table>{{range .Params}}<tr><td><code>{{.Name}}</code></td><td>{{.In}}</td><td>{{.Type}}</td><td>{{.Doc}}</td></tr>{{end}}</table>{{end}}
{{range .Request}}<h4>{{.Title}} <code>{{.Kind}}</code></h4>{{if .Text}}<pre>{{.Text}}</pre>{{end}}{{end}}
{{range .Answers}}<h4>{{.Title}} <code>{{.Kind}}</code></h4>{{if .Text}}<pre>{{.Text}}</pre>{{end}}{{end}}
{{if .Errors}}<p>Errors: {{.Errors}}</p>{{end}}
</div></details>{{end}}{{end}}
</main></body></html>
`))
