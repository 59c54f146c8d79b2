package api

import (
	"context"
	"errors"
	"net/http"
	"strings"

	"github.com/labstack/echo/v4"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"

	"carillon/campaign"
	"carillon/store"
	"carillon/workflows"
)

// Problem is the body of every answer that is an error (RFC 9457).
type Problem struct {
	Type      string         `json:"type" example:"about:blank"`
	Title     string         `json:"title" example:"Unprocessable Entity"`
	Status    int            `json:"status" example:"422"`
	Detail    string         `json:"detail" example:"the stage is not valid"`
	Code      string         `json:"code" example:"invalid" doc:"What went wrong, for programs."`
	Errors    []FieldProblem `json:"errors" doc:"The fields that are wrong, if it is about fields."`
	RequestID string         `json:"request_id" example:"rq_7h2k0s9d1f3g5j6k8m9n"`

	cause error // goes to the log, never out
}

// FieldProblem names one field that is wrong and says what to do.
type FieldProblem struct {
	Field   string `json:"field" example:"delivery.template"`
	Message string `json:"message" example:"channel email needs it"`
	Code    string `json:"code,omitempty"`
	Line    int    `json:"line,omitempty"`
	Column  int    `json:"column,omitempty"`
}

// Error returns the detail.
func (p *Problem) Error() string { return p.Detail }

// Unwrap returns the cause, for the log.
func (p *Problem) Unwrap() error { return p.cause }

// GetStatus returns the HTTP status.
func (p *Problem) GetStatus() int { return p.Status }

// ContentType makes every error application/problem+json.
func (p *Problem) ContentType(string) string { return problemType }

// GetHeaders asks the client to come back where that helps.
func (p *Problem) GetHeaders() http.Header {
	if p.Status == http.StatusTooManyRequests || p.Status == http.StatusServiceUnavailable {
		return http.Header{"Retry-After": {"5"}}
	}
	return nil
}

const problemType = "application/problem+json"

// problem makes a problem of a status.
func problem(status int, code, detail string, fields ...FieldProblem) *Problem {
	if fields == nil {
		fields = []FieldProblem{}
	}
	return &Problem{Type: "about:blank", Title: http.StatusText(status), Status: status, Detail: detail, Code: code, Errors: fields}
}

var statusOf = map[campaign.Code]int{
	campaign.CodeInvalid:     http.StatusUnprocessableEntity,
	campaign.CodeNotFound:    http.StatusNotFound,
	campaign.CodeConflict:    http.StatusConflict,
	campaign.CodePrecond:     http.StatusPreconditionFailed,
	campaign.CodeUnsupported: http.StatusUnsupportedMediaType,
	campaign.CodeTooLarge:    http.StatusRequestEntityTooLarge,
	campaign.CodeUnavailable: http.StatusServiceUnavailable,
}

// codes names the statuses that do not come from a campaign.Error.
var codes = map[int]string{
	http.StatusBadRequest:            "unreadable",
	http.StatusUnauthorized:          "unauthorized",
	http.StatusForbidden:             "forbidden",
	http.StatusNotFound:              string(campaign.CodeNotFound),
	http.StatusMethodNotAllowed:      "method_not_allowed",
	http.StatusNotAcceptable:         "not_acceptable",
	http.StatusRequestTimeout:        "timeout",
	http.StatusConflict:              string(campaign.CodeConflict),
	http.StatusPreconditionFailed:    string(campaign.CodePrecond),
	http.StatusPreconditionRequired:  string(campaign.CodePrecond),
	http.StatusRequestEntityTooLarge: string(campaign.CodeTooLarge),
	http.StatusUnsupportedMediaType:  string(campaign.CodeUnsupported),
	http.StatusUnprocessableEntity:   string(campaign.CodeInvalid),
	http.StatusTooManyRequests:       "rate_limited",
	http.StatusServiceUnavailable:    string(campaign.CodeUnavailable),
}

func internal(err error) *Problem {
	p := problem(http.StatusInternalServerError, "internal", "internal error")
	p.cause = err
	return p
}

// fail turns an error into the problem the caller is answered with. An error
// that nobody classified is "internal error"; its text only goes to the log.
// Handlers that are registered with op may return any error as it is.
func fail(err error) *Problem {
	if p, ok := errors.AsType[*Problem](err); ok {
		c := *p
		return &c
	}
	if e, ok := errors.AsType[*campaign.Error](err); ok {
		p := problem(statusOf[e.Code], string(e.Code), e.Message)
		for _, f := range e.Fields {
			p.Errors = append(p.Errors, FieldProblem{Field: f.Field, Message: f.Message, Line: f.Line, Column: f.Column})
		}
		return p
	}
	if e, ok := errors.AsType[*echo.HTTPError](err); ok && codes[e.Code] != "" {
		return problem(e.Code, codes[e.Code], strings.ToLower(http.StatusText(e.Code)))
	}
	switch {
	case errors.Is(err, store.ErrNotFound):
		return problem(http.StatusNotFound, "not_found", "there is no such record")
	case errors.Is(err, store.ErrConflict):
		return problem(http.StatusConflict, "conflict", "the record is not in the state this needs, or its name is taken")
	case isTooLarge(err):
		return problem(http.StatusRequestEntityTooLarge, "too_large", "the body is too large")
	case errors.Is(err, context.Canceled):
		p := problem(http.StatusServiceUnavailable, "unavailable", "the request was abandoned")
		p.cause = err
		return p
	}
	if p := failTemporal(err); p != nil {
		p.cause = err
		return p
	}
	return internal(err)
}

// failTemporal reads the errors of the Temporal client; nil for others.
func failTemporal(err error) *Problem {
	if e, ok := errors.AsType[*temporal.ApplicationError](err); ok {
		return refused(e)
	}
	if _, ok := errors.AsType[*client.WorkflowUpdateServiceTimeoutOrCanceledError](err); ok {
		return problem(http.StatusServiceUnavailable, "unavailable", "the contact did not answer in time; the request may still be carried out")
	}
	var (
		notFound    *serviceerror.NotFound
		exists      *serviceerror.AlreadyExists
		started     *serviceerror.WorkflowExecutionAlreadyStarted
		invalid     *serviceerror.InvalidArgument
		exhausted   *serviceerror.ResourceExhausted
		failed      *serviceerror.FailedPrecondition
		unavailable *serviceerror.Unavailable
		deadline    *serviceerror.DeadlineExceeded
	)
	switch {
	case errors.As(err, &notFound):
		return problem(http.StatusNotFound, "not_found", "the workflow does not run")
	case errors.As(err, &exists), errors.As(err, &started), errors.As(err, &failed):
		return problem(http.StatusConflict, "conflict", "the workflow is not in the state this needs")
	case errors.As(err, &invalid):
		return problem(http.StatusBadRequest, "unreadable", "the workflow engine does not accept this")
	case errors.As(err, &exhausted):
		return problem(http.StatusTooManyRequests, "rate_limited", "too much at once; try again")
	case errors.As(err, &unavailable), errors.As(err, &deadline), errors.Is(err, context.DeadlineExceeded):
		return problem(http.StatusServiceUnavailable, "unavailable", "the workflow engine is away; try again")
	default:
		return nil
	}
}

// refused is an update the workflow's validator did not accept.
func refused(e *temporal.ApplicationError) *Problem {
	switch e.Type() {
	case workflows.RefusedConflict:
		return problem(http.StatusConflict, "conflict", e.Message())
	case workflows.RefusedInvalid:
		var field string
		if e.HasDetails() && e.Details(&field) == nil {
			return problem(http.StatusUnprocessableEntity, "invalid", "the input is not valid", FieldProblem{Field: field, Message: e.Message()})
		}
		return problem(http.StatusUnprocessableEntity, "invalid", e.Message())
	default:
		return nil
	}
}

func isTooLarge(err error) bool {
	_, ok := errors.AsType[*http.MaxBytesError](err)
	return ok
}
