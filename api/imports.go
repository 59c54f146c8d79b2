package api

import (
	"context"
	"encoding/csv"
	"io"
	"net/http"
	"strconv"

	"github.com/danielgtaylor/huma/v2"

	"carillon/campaign"
)

func (s *Server) imports(g huma.API) {
	op(s, g, http.MethodPost, "/campaigns/{id}/imports", "Import contacts", Operator, s.importFile, answers(http.StatusAccepted), uploads,
		describe("Takes a file of contacts as the raw body or as the multipart field `file`, streams it into the store and answers before the rows are processed. "+
			"A file that cannot be read, or lacks a column, is 422. With dry_run nothing is kept but the counts and the errors of the rows; strategies do not run."))
	op(s, g, http.MethodGet, "/campaigns/{id}/imports", "List imports", Viewer,
		func(ctx context.Context, in *campaignPage) (*listed[campaign.Import], error) {
			if _, err := s.Store.Campaign(ctx, in.ID); err != nil {
				return nil, err
			}
			l, err := s.Store.ImportsOf(ctx, in.ID, in.store())
			return listAs(l, showImport), err
		})
	op(s, g, http.MethodGet, "/campaigns/{id}/imports/{import_id}", "Read import", Viewer,
		func(ctx context.Context, in *importPath) (*body[campaign.Import], error) {
			i, err := s.Store.Import(ctx, in.ID, in.ImportID)
			return &body[campaign.Import]{Body: showImport(i)}, err
		})
	op(s, g, http.MethodGet, "/campaigns/{id}/imports/{import_id}/errors", "Download the errors of an import", Viewer, s.importErrors, streams("text/csv"),
		describe("CSV: line,field,value,reason. The line is that of the file; a CSV header is line 1."))
	op(s, g, http.MethodGet, "/campaigns/{id}/imports/{import_id}/failed_rows", "Download the failed rows of an import", Viewer, s.failedRows,
		streams("text/csv", "application/x-ndjson", "application/json"),
		describe("The rows that failed, in the form of the uploaded file, to mend and send again."))
}

// campaignPage is the input of the lists of a campaign.
type campaignPage struct {
	ID string `path:"id"`
	Page
}

type importPath struct {
	ID       string `path:"id"`
	ImportID string `path:"import_id"`
}

// streams documents an answer that is not JSON.
func streams(types ...string) func(*huma.Operation) {
	return func(o *huma.Operation) {
		content := map[string]*huma.MediaType{}
		for _, t := range types {
			content[t] = &huma.MediaType{Schema: &huma.Schema{Type: huma.TypeString, Format: "binary"}}
		}
		if rows := content["application/json"]; rows != nil {
			rows.Schema = &huma.Schema{Type: huma.TypeArray, Items: &huma.Schema{}}
		}
		o.Responses = map[string]*huma.Response{"200": {Description: "OK", Content: content}}
	}
}

// showImport hides the difference between a file that is still arriving and
// one that is being worked on.
func showImport(i campaign.Import) campaign.Import {
	if i.Status == campaign.ImportReceiving {
		i.Status = campaign.ImportProcessing
	}
	return i
}

type importErrorsInput struct {
	ID       string `path:"id"`
	ImportID string `path:"import_id"`
	Warnings bool   `query:"warnings" doc:"Warnings too: rows that were imported all the same."`
}

func (s *Server) importErrors(ctx context.Context, in *importErrorsInput) (*huma.StreamResponse, error) {
	if _, err := s.Store.Import(ctx, in.ID, in.ImportID); err != nil {
		return nil, err
	}
	return s.download(ctx, "text/csv; charset=utf-8", in.ImportID+"-errors.csv", func(w io.Writer) error {
		out := csv.NewWriter(w)
		if err := out.Write([]string{"line", "field", "value", "reason"}); err != nil {
			return err
		}
		err := s.Store.RowErrors(ctx, in.ImportID, func(e campaign.RowError, warning bool) error {
			if warning && !in.Warnings {
				return nil
			}
			return out.Write([]string{strconv.Itoa(e.Line), e.Field, e.Value, e.Reason})
		})
		out.Flush()
		if err != nil {
			return err
		}
		return out.Error()
	}), nil
}

func (s *Server) failedRows(ctx context.Context, in *importPath) (*huma.StreamResponse, error) {
	if _, err := s.Store.Import(ctx, in.ID, in.ImportID); err != nil {
		return nil, err
	}
	header, stored, err := s.Store.ImportHeader(ctx, in.ImportID)
	if err != nil {
		return nil, err
	}
	f := formOf(stored)
	return s.download(ctx, f.contentType, in.ImportID+"-failed."+f.extension, func(w io.Writer) error {
		if err := f.begin(w, header); err != nil {
			return err
		}
		before := ""
		err := s.Store.FailedRows(ctx, in.ImportID, func(_ int, raw string) error {
			_, err := io.WriteString(w, before+raw+f.after)
			before = f.between
			return err
		})
		if err != nil {
			return err
		}
		_, err = io.WriteString(w, f.end)
		return err
	}), nil
}

// form is how the rows of a file are written down again.
type form struct {
	contentType, extension string
	comma                  rune
	start, between         string
	after, end             string
}

// formOf reads what formatOf stored: json, ndjson, or csv and its delimiter.
func formOf(stored string) form {
	switch stored {
	case "json":
		return form{contentType: "application/json", extension: "json", start: "[\n", between: ",\n", end: "\n]\n"}
	case "ndjson":
		return form{contentType: "application/x-ndjson", extension: "ndjson", after: "\n"}
	}
	f := form{contentType: "text/csv; charset=utf-8", extension: "csv", comma: ',', after: "\n"}
	if len(stored) == len("csv;") {
		f.comma = rune(stored[len("csv")])
	}
	return f
}

func (f form) begin(w io.Writer, header []string) error {
	if f.comma == 0 || len(header) == 0 {
		_, err := io.WriteString(w, f.start)
		return err
	}
	out := csv.NewWriter(w)
	out.Comma = f.comma
	if err := out.Write(header); err != nil {
		return err
	}
	out.Flush()
	return out.Error()
}

// download streams a file. Once it has begun, an error can only cut it short:
// it is logged, and the connection is closed so that nobody takes it for whole.
func (s *Server) download(ctx context.Context, contentType, filename string, write func(io.Writer) error) *huma.StreamResponse {
	return &huma.StreamResponse{Body: func(c huma.Context) {
		c.SetHeader("Content-Type", contentType)
		c.SetHeader("Content-Disposition", `attachment; filename="`+filename+`"`)
		if err := write(c.BodyWriter()); err != nil {
			s.Log.Error("download", "request_id", requestID(ctx), "error", err)
			panic(http.ErrAbortHandler)
		}
	}}
}
