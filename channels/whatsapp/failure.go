package whatsapp

import (
	"encoding/json"
	"net/http"
	"strconv"

	"carillon/channels"
)

// problem is an error of the Graph API, and of a failed status.
type problem struct {
	Code    int     `json:"code"`
	Subcode int     `json:"error_subcode"`
	Title   string  `json:"title"`
	Message string  `json:"message"`
	Data    details `json:"error_data"`
}

// details is the text in error_data, which the Graph API also fills otherwise.
type details string

// UnmarshalJSON takes the text or nothing.
func (d *details) UnmarshalJSON(b []byte) error {
	var data struct {
		Details string `json:"details"`
	}
	if json.Unmarshal(b, &data) == nil {
		*d = details(data.Details)
	}
	return nil
}

func (p *problem) text() string {
	return orElse(string(p.Data), orElse(p.Message, p.Title))
}

// missing reports that nothing is there by the number's id, or that the token may
// not see it: "Object with ID … does not exist, cannot be loaded due to missing
// permissions". Every message would meet that.
func (p *problem) missing() bool { return p.Code == 100 && p.Subcode == 33 }

// classify says how an answer other than an acceptance ends the send.
func (s *sender) classify(resp *http.Response, raw []byte) *channels.Failure {
	var body struct {
		Error *problem `json:"error"`
	}
	status := resp.StatusCode
	theirs := json.Unmarshal(raw, &body) == nil && body.Error != nil
	f := channels.Fail(statusClass(status, theirs), strconv.Itoa(status), "Meta answers %d without an error of its own", status)
	if theirs {
		f = channels.Fail(class(status, body.Error.Code), strconv.Itoa(body.Error.Code), "Meta: %s", s.redact(body.Error.text()))
		if body.Error.missing() && status >= 400 {
			f.Class = channels.Config
		}
	}
	if f.Retry() {
		f.RetryAfter = channels.RetryAfter(resp.Header, s.now())
	}
	return f
}

// class is that of an error code, decided by the list at
// https://developers.facebook.com/docs/whatsapp/cloud-api/support/error-codes;
// an unknown code is taken by its HTTP status. 131048 says that people have
// blocked the number too often: it lasts for hours, and every further message
// makes it worse, so a person looks at the number before it goes on. 131030, of a
// number for tests, says nothing against the address.
func class(status, code int) channels.Class {
	switch {
	case status < 300: // a status that is no error must not be read as one
		return channels.Unknown
	case status < 400, status == http.StatusUnauthorized:
		return channels.Config
	case status == http.StatusTooManyRequests:
		return channels.Throttled
	case code == 0 && status >= 500: // no code at all
		return statusClass(status, true)
	case code >= 200 && code <= 299, code >= 133000 && code < 134000 && code != 133016:
		return channels.Config
	}
	switch code {
	case 4, 80007, 130429, 131056, 133016:
		return channels.Throttled
	case 1, 2, 131000, 131016, 131053, 131057:
		return channels.Retryable
	case 0, 3, 10, 33, 190, 368, 131005, 131031, 131037, 131042, 131045, 131048:
		return channels.Config
	case 132000, 132001, 132005, 132007, 132012, 132015, 132016:
		return channels.Template
	case 130472, 130497, 131030, 131047, 131049:
		return channels.Policy
	case 131050:
		return channels.OptOut
	case 131021, 131026:
		return channels.Recipient
	case 100, 131008, 131009, 131051, 131052:
		return channels.Invalid
	}
	return statusClass(status, true)
}

func statusClass(status int, theirs bool) channels.Class {
	switch {
	case status < 300:
		return channels.Unknown
	case status < 400, status == http.StatusUnauthorized, status == http.StatusForbidden, status == http.StatusNotFound, status == http.StatusPaymentRequired:
		return channels.Config
	case status == http.StatusTooManyRequests:
		return channels.Throttled
	case status == http.StatusRequestTimeout:
		return channels.Retryable
	case status < 500:
		return channels.Invalid
	case theirs, status == http.StatusServiceUnavailable:
		return channels.Retryable // Meta says that it did not take it
	default:
		return channels.Unknown // a proxy answers, and nobody knows for what
	}
}
