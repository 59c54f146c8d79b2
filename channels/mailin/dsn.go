package mailin

import (
	"bytes"
	"fmt"
	"regexp"
	"strings"

	"carillon/campaign"
	"carillon/channels"
)

// returned is what a delivery report (RFC 3464) says became of a message of ours.
// Anybody may write one: it counts only for the message whose Message-ID it
// returns, which nobody knows but who got it, and so it names no address itself.
func (m Mailbox) returned(l *Letter, r channels.Report) ([]channels.Report, error) {
	action, status, why := verdict(l.Status)
	if action == "" {
		return nil, fmt.Errorf("%w: the delivery report says nothing of a recipient", channels.ErrMalformed)
	}
	r.Kind, r.Status, r.Suppress, r.Reason = channels.ReportStatus, channels.StatusNoted, "", strings.TrimSpace(status+" "+why)
	switch {
	case action == "delivered":
		r.Status = campaign.ReportDelivered
	case action != "failed": // delayed, relayed, expanded
	case strings.HasPrefix(status, "5.") && dead(status):
		r.Status, r.Suppress = campaign.ReportBounced, "bounced"
	default: // the server gave up, and the address may be good
		r.Status = campaign.ReportFailed
	}
	ids := l.Returned.ids("Message-Id")
	ids = append(ids, l.threads()...)
	if len(ids) > 0 {
		r.ProviderMessageID, r.CorrelationKey = ids[0], m.ours(ids)
	}
	r.Key = l.key("")
	return []channels.Report{r}, nil
}

// dead reports whether a permanent failure is the address's fault: not a full
// mailbox, a message too large or a rule against it (RFC 3463). The same codes in
// the answer to a send have the same meaning, see package smtp.
func dead(status string) bool {
	for _, prefix := range []string{"5.2.2", "5.2.3", "5.3.", "5.5.", "5.6.", "5.7.", "5.4.7"} {
		if status == prefix || strings.HasPrefix(status, prefix) && strings.HasSuffix(prefix, ".") {
			return false
		}
	}
	return true
}

var statusCode = regexp.MustCompile(`\b[245]\.\d{1,3}\.\d{1,3}\b`)

// verdict is the worst that a report says of any recipient: a message of ours
// has one, and a list behind it may have many.
func verdict(status []byte) (action, code, why string) {
	groups := bytes.Split(bytes.ReplaceAll(status, []byte("\r\n"), []byte("\n")), []byte("\n\n"))
	for _, group := range groups[:min(len(groups), 100)] {
		h := ReadHeader(bytes.TrimLeft(group, "\n"))
		a := strings.ToLower(strings.TrimSpace(first(h.first("Action"))))
		if a == "" || severity(a) <= severity(action) {
			continue
		}
		action, code = a, statusCode.FindString(h.first("Status"))
		_, text, found := strings.Cut(h.words("Diagnostic-Code"), ";")
		if !found {
			text = h.words("Diagnostic-Code")
		}
		why = clip(strings.TrimSpace(text), 500)
		if found := statusCode.FindString(why); found != "" && (code == "" || strings.HasSuffix(code, ".0.0")) {
			code = found // the server's own is more exact
		}
	}
	return action, code, why
}

func severity(action string) int {
	switch action {
	case "":
		return 0
	case "failed":
		return 3
	case "delayed":
		return 2
	default:
		return 1
	}
}
