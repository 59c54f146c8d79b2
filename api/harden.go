package api

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humaecho"
	"github.com/labstack/echo/v4"
)

// harden replaces what huma would answer: its errors echo the input and show
// the text of causes. Huma keeps both as package variables, so it is done once.
var harden = sync.OnceFunc(func() {
	huma.DefaultArrayNullable = false
	huma.NewErrorWithContext = func(ctx huma.Context, status int, msg string, errs ...error) huma.StatusError {
		p := fromHuma(status, msg, errs)
		if ctx != nil {
			p.RequestID = humaecho.UnwrapV4(ctx).Response().Header().Get(echo.HeaderXRequestID)
		}
		return p
	}
	huma.NewError = func(status int, msg string, errs ...error) huma.StatusError { return fromHuma(status, msg, errs) }
})

func fromHuma(status int, msg string, errs []error) *Problem {
	for _, err := range errs {
		if isTooLarge(err) {
			return problem(http.StatusRequestEntityTooLarge, "too_large", "the body is too large")
		}
	}
	if msg == "cannot read request body" {
		status, errs = http.StatusBadRequest, nil
	}
	if status >= http.StatusInternalServerError || codes[status] == "" && status >= http.StatusBadRequest {
		return internal(fmt.Errorf("%s: %w", msg, errors.Join(errs...)))
	}
	p := problem(status, codes[status], msg)
	for _, err := range errs {
		f := FieldProblem{Message: "is not valid"}
		if d, ok := err.(huma.ErrorDetailer); ok {
			detail := d.ErrorDetail()
			f.Field, f.Message = located(detail.Location, plainly(detail.Message))
		}
		p.Errors = append(p.Errors, f)
	}
	return p
}

// located names the field of a problem. Huma puts a missing field down to what
// it is missing from; we name the field itself.
func located(location, message string) (field, text string) {
	if name, ok := strings.CutPrefix(message, "expected required property "); ok {
		if name, ok = strings.CutSuffix(name, " to be present"); ok {
			location, message = location+"."+name, "is required"
		}
	}
	return strings.TrimPrefix(strings.TrimPrefix(location, "body."), "form."), message
}

// plainly keeps Go's own words, and the input in them, out of a message.
func plainly(message string) string {
	switch {
	case strings.HasPrefix(message, "json: "):
		return "a value of another type belongs here"
	case strings.HasPrefix(message, "invalid character "), message == "unexpected end of JSON input", strings.HasPrefix(message, "exceeded max depth"):
		return "this is not JSON"
	}
	return message
}
