package campaign

import "time"

// What a provider reports of a message; Event.Delivery of an EventDelivery.
const (
	ReportSent      = "sent"      // it left; news only where that was unknown
	ReportDelivered = "delivered" // it arrived
	ReportRead      = "read"      // the contact opened it
	ReportFailed    = "failed"    // it did not arrive; the address may be good
	ReportBounced   = "bounced"   // it did not arrive and the address is dead
	ReportOptOut    = "opt_out"   // the person wants no more messages
	ReportCovered   = "covered"   // of an event that ends a session: the timeline says already why
)

// Progress is how far a message has come by its provider's reports.
type Progress struct {
	Status string    // "", or one of the reports save opt_out
	At     time.Time // by the provider's clock
}

// Hear takes one report and returns the progress after it, and whether the
// report is news. Reports come late, again and in any order, and some are left
// out: read does without delivered. A failure undoes nothing but sent, and what
// is delivered after all undoes the failure; only a bounce, which some servers
// send back long after they took a message, also undoes what was delivered
// before it. An opt-out is always news and no progress.
func (p Progress) Hear(report string, at time.Time) (Progress, bool) {
	news := false
	switch report {
	case ReportOptOut:
		return p, true
	case ReportSent:
		news = p.Status == ""
	case ReportDelivered, ReportRead:
		switch p.Status {
		case ReportBounced:
			news = at.After(p.At)
		case ReportDelivered:
			news = report == ReportRead
		case ReportRead:
		default:
			news = true
		}
	case ReportFailed:
		news = p.Status == "" || p.Status == ReportSent
	case ReportBounced:
		switch p.Status {
		case ReportBounced:
		case ReportDelivered, ReportRead:
			news = !at.Before(p.At)
		default:
			news = true
		}
	}
	if !news {
		return p, false
	}
	return Progress{Status: report, At: at}, true
}

// Heard is what a report means for a contact that no workflow runs: it has not
// begun, or its end has come. Nothing is planned or closed; the timeline shows it,
// and the contact where it can be written to from now on.
func Heard(c *Contact, e *Event, now time.Time) []Decision {
	s := State{Contact: *c}
	if e.Kind == EventLinked {
		s.onLinked(e, now)
		*c = s.Contact
		return s.Decisions
	}
	s.onDelivery(e, now)
	return s.Decisions
}
