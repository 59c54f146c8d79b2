// Package campaign is the language of the house: every record and status, its
// validation, and every decision that can be a pure function of them (which
// communication is due, which alternative is drawn, what a session's status
// means, what a strategy changed, what a contact does next).
//
// It imports the standard library only and does no I/O: no clock, no network,
// no files, no database. Its JSON form is frozen by the goldens in testdata:
// it is what REST answers, what Temporal's history holds and what Python sees.
package campaign
