package api

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"mime/multipart"
	"net/http"
	"strconv"
	"strings"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humaecho"
	"github.com/labstack/echo/v4"

	"carillon/campaign"
)

// checkCode asks the runner what is wrong with code; without one, nothing is.
func (s *Server) checkCode(ctx context.Context, r CheckRequest) ([]CodeProblem, error) {
	if s.Runner == nil {
		return nil, nil
	}
	return s.Runner.Check(ctx, r)
}

// vet reports everything that keeps a strategy from being saved.
func (s *Server) vet(ctx context.Context, v *campaign.Strategy) error {
	if err := v.Validate(); err != nil {
		return err
	}
	problems, err := s.checkCode(ctx, CheckRequest{Type: v.Type, Function: v.Function, Code: v.Code})
	if err != nil {
		return err
	}
	out := &campaign.Error{Code: campaign.CodeInvalid, Message: "the code has errors"}
	for _, p := range problems {
		if p.Severity == SeverityError {
			out.Fields = append(out.Fields, campaign.FieldError{Field: "code", Message: p.Message, Line: p.Line, Column: p.Column})
		}
	}
	if len(out.Fields) == 0 {
		return nil
	}
	return out
}

// CheckBody is code to check.
type CheckBody struct {
	Type     campaign.StrategyType `json:"type" example:"data_load"`
	Function string                `json:"function,omitempty" example:"run"`
	Code     string                `json:"code" example:"def run(contact, existing_contact, logger):\n    return contact\n"`
}

// Checked says what is wrong with code; OK if no problem is an error.
type Checked struct {
	OK       bool          `json:"ok"`
	Problems []CodeProblem `json:"problems"`
}

func (s *Server) checkStrategy(ctx context.Context, in *struct{ Body CheckBody }) (*body[Checked], error) {
	if s.Runner == nil {
		return nil, errNoRunner
	}
	if len(in.Body.Code) > campaign.MaxStrategyBytes {
		return nil, campaign.Invalid("code", "%d bytes; the limit is %d", len(in.Body.Code), campaign.MaxStrategyBytes)
	}
	r := CheckRequest{Type: in.Body.Type, Function: in.Body.Function, Code: in.Body.Code}
	if r.Function == "" {
		r.Function = r.Type.DefaultFunction()
	}
	problems, err := s.Runner.Check(ctx, r)
	if err != nil {
		return nil, err
	}
	out := Checked{OK: true, Problems: append([]CodeProblem{}, problems...)}
	for _, p := range problems {
		out.OK = out.OK && p.Severity != SeverityError
	}
	return &body[Checked]{out}, nil
}

var errNoRunner = campaign.Errorf(campaign.CodeUnavailable, "this process runs no strategies")

type codeOutput struct {
	ContentType string `header:"Content-Type"`
	ETag        string `header:"ETag"`
	Disposition string `header:"Content-Disposition"`
	Body        []byte
}

func (s *Server) readCode(ctx context.Context, in *struct {
	ID         string `path:"id"`
	StrategyID string `path:"strategy_id"`
},
) (*codeOutput, error) {
	v, err := s.Store.Strategy(ctx, in.ID, in.StrategyID)
	if err != nil {
		return nil, err
	}
	return &codeOutput{
		ContentType: "text/x-python; charset=utf-8", ETag: etag(v.Version), Body: []byte(v.Code),
		Disposition: `attachment; filename="` + string(v.Type) + `.py"`,
	}, nil
}

// answersText documents an answer that is not JSON.
func answersText(kind string) func(*huma.Operation) {
	return func(o *huma.Operation) {
		o.Responses = map[string]*huma.Response{"200": {Description: "OK", Content: map[string]*huma.MediaType{
			kind: {Schema: &huma.Schema{Type: huma.TypeString}},
		}}}
	}
}

func (s *Server) listVersions(ctx context.Context, in *struct {
	ID         string `path:"id"`
	StrategyID string `path:"strategy_id"`
},
) (*listed[campaign.Strategy], error) {
	if _, err := s.Store.Strategy(ctx, in.ID, in.StrategyID); err != nil {
		return nil, err
	}
	versions, err := s.Store.StrategyVersions(ctx, in.ID, in.StrategyID)
	if err != nil {
		return nil, err
	}
	return listOf(storeList(versions)), nil
}

type rollbackInput struct {
	StrategyRef
	Body struct {
		Version int `json:"version" minimum:"1" example:"3"`
	}
}

func (s *Server) rollback(ctx context.Context, in *rollbackInput) (*tagged[campaign.Strategy], error) {
	versions, err := s.Store.StrategyVersions(ctx, in.ID, in.StrategyID)
	if err != nil {
		return nil, err
	}
	for _, old := range versions {
		if old.Version == in.Body.Version {
			if old.Quarantined {
				return nil, campaign.Errorf(campaign.CodeConflict,
					"version %d ended too many worker processes and is quarantined; return to another version, or save a corrected one", old.Version)
			}
			return s.changeStrategy(ctx, &in.StrategyRef, "rollback", func(v *campaign.Strategy) {
				v.Code, v.Function = old.Code, old.Function
			})
		}
	}
	return nil, campaign.Invalid("version", "the strategy has no version %d", in.Body.Version)
}

// asForm also takes a strategy as a form, with its code in the part file: the
// form is turned into the JSON that the operation reads.
func (s *Server) asForm(o *huma.Operation) {
	text := &huma.Schema{Type: huma.TypeString}
	o.RequestBody = &huma.RequestBody{Content: map[string]*huma.MediaType{"multipart/form-data": {Schema: &huma.Schema{
		Type: huma.TypeObject, Required: []string{"file"},
		Properties: map[string]*huma.Schema{
			"file": {Type: huma.TypeString, Format: "binary"}, "name": text, "type": text, "function": text,
			"network": {Type: huma.TypeBoolean},
		},
	}}}}
	o.Middlewares = append(o.Middlewares, func(ctx huma.Context, next func(huma.Context)) {
		r := humaecho.UnwrapV4(ctx).Request()
		if !strings.HasPrefix(r.Header.Get(echo.HeaderContentType), echo.MIMEMultipartForm) {
			next(ctx)
			return
		}
		text, err := formAsJSON(r)
		if err != nil {
			s.write(ctx, fail(err))
			return
		}
		r.Header.Set(echo.HeaderContentType, echo.MIMEApplicationJSON)
		r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(text)), int64(len(text))
		next(ctx)
	})
}

// formAsJSON reads a form part by part, so that nothing is left on disk.
func formAsJSON(r *http.Request) ([]byte, error) {
	parts, err := r.MultipartReader()
	if err != nil {
		return nil, readError(err)
	}
	fields := map[string]any{}
	for {
		part, err := parts.NextPart()
		switch {
		case errors.Is(err, io.EOF) && len(fields) > 0:
			return json.Marshal(fields)
		case err != nil:
			return nil, readError(err)
		}
		if err := addPart(fields, part); err != nil {
			return nil, err
		}
	}
}

func addPart(fields map[string]any, part *multipart.Part) error {
	name := part.FormName()
	if len(fields) >= 20 {
		return campaign.Invalid(name, "the form has too many parts")
	}
	text, err := io.ReadAll(io.LimitReader(part, campaign.MaxStrategyBytes+1))
	if err != nil {
		return readError(err)
	}
	if len(text) > campaign.MaxStrategyBytes {
		return campaign.Invalid(name, "more than %d bytes", campaign.MaxStrategyBytes)
	}
	switch name {
	case "file":
		fields["code"] = strings.TrimPrefix(string(text), "\ufeff")
	case "network":
		b, err := strconv.ParseBool(string(text))
		if err != nil {
			return campaign.Invalid(name, "true or false")
		}
		fields[name] = b
	default:
		fields[name] = string(text)
	}
	return nil
}
