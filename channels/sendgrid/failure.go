package sendgrid

import (
	"encoding/json"
	"net/http"
	"strconv"
	"strings"

	"github.com/sendgrid/rest"

	"carillon/channels"
)

// problem is one of the errors SendGrid answers with.
type problem struct {
	Message string `json:"message"`
	Field   string `json:"field"`
}

// classify says how an answer other than an acceptance ends the send. See
// https://www.twilio.com/docs/sendgrid/api-reference/how-to-use-the-sendgrid-v3-api/responses
func (s *sender) classify(resp *rest.Response) *channels.Failure {
	status := resp.StatusCode
	var body struct {
		Errors []problem `json:"errors"`
	}
	theirs := json.Unmarshal([]byte(resp.Body), &body) == nil && len(body.Errors) > 0
	var first problem
	if theirs {
		first = body.Errors[0]
	}
	f := channels.Fail(class(status, first, theirs), strconv.Itoa(status), "%s", s.redact(reason(status, first, s.host)))
	if f.Retry() {
		f.RetryAfter = channels.RetryAfter(http.Header(resp.Headers), s.now())
	}
	return f
}

func class(status int, p problem, theirs bool) channels.Class {
	message := strings.ToLower(p.Message)
	switch {
	case status < 300: // 200 is sandbox mode or a server that is not SendGrid
		return channels.Unknown
	case status < 400:
		return channels.Config
	case status == http.StatusBadRequest || status == http.StatusUnprocessableEntity:
		switch {
		case p.Field == "from" || strings.HasPrefix(p.Field, "from.") || strings.Contains(message, "verified sender"):
			return channels.Config
		case strings.HasPrefix(p.Field, "personalizations.") && strings.Contains(p.Field, ".to"):
			return channels.Recipient
		}
		return channels.Invalid
	case status == http.StatusForbidden && strings.Contains(message, "too many"):
		return channels.Throttled // "Too many bad requests. Temporary block."
	case status == http.StatusTooManyRequests:
		return channels.Throttled
	case status == http.StatusRequestTimeout:
		return channels.Retryable
	}
	switch status {
	// What is the same for every message is the integration's fault and must not
	// use up contacts: the key, the account, the address of the API, the region.
	case http.StatusUnauthorized, http.StatusPaymentRequired, http.StatusForbidden, http.StatusNotFound, http.StatusMethodNotAllowed,
		http.StatusNotAcceptable, http.StatusProxyAuthRequired, http.StatusGone, http.StatusUnavailableForLegalReasons:
		return channels.Config
	}
	switch {
	case status < 500:
		return channels.Invalid
	case theirs || status == http.StatusServiceUnavailable:
		return channels.Retryable // SendGrid says that it did not take it
	default:
		return channels.Unknown // a proxy answers, and nobody knows for what
	}
}

// reason says what happened for a person to read.
func reason(status int, p problem, host string) string {
	if p.Message == "" {
		name := http.StatusText(status)
		if name == "" {
			name = "an unknown status"
		}
		return host + " answers " + strconv.Itoa(status) + " (" + name + ") without saying why"
	}
	if p.Field != "" {
		return "SendGrid: " + p.Field + ": " + p.Message
	}
	return "SendGrid: " + p.Message
}
