package bird

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"carillon/channels"
)

// problem is an error of the Channels API.
type problem struct {
	Code    string              `json:"code"`
	Message string              `json:"message"`
	Details map[string][]string `json:"details"`
}

func (p *problem) text() string {
	text := orElse(p.Message, p.Code)
	for _, field := range slices.Sorted(maps.Keys(p.Details)) {
		text += fmt.Sprintf("; %s: %s", field, strings.Join(p.Details[field], ", "))
	}
	return text
}

// classify says how an answer other than an acceptance ends the send:
// https://docs.bird.com/api/channels-api/api-reference/messaging/errors
func (s *sender) classify(resp *http.Response, raw []byte) *channels.Failure {
	var p problem
	status := resp.StatusCode
	theirs := json.Unmarshal(raw, &p) == nil && (p.Code != "" || p.Message != "")
	f := channels.Fail(class(status, &p, theirs), strconv.Itoa(status), "Bird answers %d without an error of its own", status)
	if theirs {
		f = channels.Fail(f.Class, orElse(p.Code, f.Code), "Bird: %s", s.redact(p.text()))
	}
	f.Code = s.redact(f.Code)
	if f.Retry() {
		f.RetryAfter = channels.RetryAfter(resp.Header, s.now())
	}
	return f
}

func class(status int, p *problem, theirs bool) channels.Class {
	about := strings.ToLower(p.Message)
	for field := range p.Details {
		about += " " + strings.ToLower(field)
	}
	switch {
	case status < 300:
		return channels.Unknown
	case status < 400:
		return channels.Config
	case status == http.StatusTooManyRequests:
		return channels.Throttled // Bird says that it did not take it
	case status == http.StatusRequestTimeout:
		return channels.Retryable
	case status == http.StatusUnauthorized, status == http.StatusPaymentRequired, status == http.StatusForbidden:
		return channels.Config
	case status == http.StatusNotFound && (strings.Contains(about, "project") || strings.Contains(about, "template")):
		return channels.Template
	case status == http.StatusNotFound:
		return channels.Config // the workspace or the channel
	case status < 500 && (strings.Contains(about, "template") || strings.Contains(about, "project") || strings.Contains(about, "locale")):
		return channels.Template
	case status < 500 && (strings.Contains(about, "identifiervalue") || strings.Contains(about, "receiver")):
		return channels.Recipient
	case status < 500:
		return channels.Invalid
	case theirs, status == http.StatusServiceUnavailable:
		return channels.Retryable
	default:
		return channels.Unknown // a proxy answers; a look-up will tell
	}
}
