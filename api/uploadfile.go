package api

import (
	"encoding/json"
	"errors"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"carillon/campaign"
	"carillon/intake"
	"carillon/store"
)

// importRow is a row as the store keeps it until it is processed.
func importRow(row intake.Row) store.ImportRow {
	out := store.ImportRow{Line: row.Line, Raw: row.Raw}
	for _, p := range row.Problems {
		e := campaign.RowError{Line: row.Line, Field: p.Field, Value: p.Value, Reason: p.Reason}
		if p.Severity == intake.SeverityError {
			out.Errs = append(out.Errs, e)
		} else {
			out.Warn = append(out.Warn, e)
		}
	}
	if len(out.Errs) == 0 {
		out.Row = &campaign.Row{Line: row.Line, Fields: row.Fields, Parameters: row.Parameters}
	}
	return out
}

// formatOf is the form of the file in a word, for failed_rows; see formOf.
func formatOf(r *intake.Reader) string {
	if r.Format() == "csv" {
		return "csv" + string(rune(r.Delimiter()))
	}
	return r.Format()
}

// intakeOptions are how the campaign's files are read.
func intakeOptions(c *campaign.Campaign, mapping string) (intake.Options, error) {
	o := intake.Options{Timezone: c.Location()}
	for _, f := range c.Fields {
		o.Fields = append(o.Fields, intake.Field{Name: f.Name, Type: f.Type, Format: f.Format, Values: f.Values, Required: f.Required})
	}
	if strings.HasPrefix(strings.TrimSpace(mapping), "{") {
		if err := json.Unmarshal([]byte(mapping), &o.Mapping); err != nil {
			return o, campaign.Invalid("mapping", "an object of column to field, or a:b,c:d")
		}
	} else if mapping != "" {
		o.Mapping = map[string]string{}
		for pair := range strings.SplitSeq(mapping, ",") {
			from, to, ok := strings.Cut(pair, ":")
			if !ok || strings.TrimSpace(from) == "" {
				return o, campaign.Invalid("mapping", "%q is not column:field", pair)
			}
			o.Mapping[strings.TrimSpace(from)] = strings.TrimSpace(to)
		}
	}
	if _, err := intake.Open(strings.NewReader("{}"), o); err != nil {
		return o, campaign.Invalid("fields", "the campaign's %v", err)
	}
	return o, nil
}

// uploaded is the file in a request.
type uploaded struct {
	body              io.Reader
	name, contentType string
}

// openUpload finds the file: the body itself, or its part "file".
func openUpload(ctx huma.Context) (uploaded, error) {
	header := ctx.Header("Content-Type")
	kind, params, err := mime.ParseMediaType(header)
	if header != "" && err != nil {
		return uploaded{}, campaign.Errorf(campaign.CodeUnsupported, "the Content-Type cannot be read")
	}
	switch kind {
	case "multipart/form-data":
		return openPart(multipart.NewReader(ctx.BodyReader(), params["boundary"]))
	case "", "text/csv", "text/plain", "application/csv", "application/octet-stream", "application/vnd.ms-excel",
		"application/json", "application/x-ndjson", "application/ndjson", "application/jsonl":
		return uploaded{body: ctx.BodyReader(), contentType: header}, nil
	default:
		return uploaded{}, campaign.Errorf(campaign.CodeUnsupported,
			"send text/csv, application/x-ndjson, application/json or multipart/form-data with a part named file, not %s", kind)
	}
}

func openPart(form *multipart.Reader) (uploaded, error) {
	for {
		part, err := form.NextPart()
		switch {
		case errors.Is(err, io.EOF):
			return uploaded{}, campaign.Invalid("file", "the form has no part named file")
		case err != nil:
			return uploaded{}, unreadable(err)
		case part.FormName() == "file":
			return uploaded{body: part, name: part.FileName(), contentType: part.Header.Get("Content-Type")}, nil
		}
	}
}

// unreadable is what the caller is told of a file that cannot be taken in.
func unreadable(err error) error {
	if h, ok := errors.AsType[*intake.HeaderError](err); ok {
		e := &campaign.Error{Code: campaign.CodeInvalid, Message: h.Error()}
		for _, name := range h.Missing {
			e.Fields = append(e.Fields, campaign.FieldError{Field: name, Message: "the file has no such column"})
		}
		return e
	}
	if f, ok := errors.AsType[*intake.FormatError](err); ok {
		return &campaign.Error{Code: campaign.CodeInvalid, Message: f.Error(), Fields: []campaign.FieldError{{Field: "file", Message: f.Reason}}}
	}
	if isTooLarge(err) {
		return err
	}
	p := problem(http.StatusBadRequest, "unreadable", "the upload broke off or cannot be read")
	p.cause = err
	return p
}
