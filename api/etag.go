package api

import (
	"strconv"
	"strings"

	"carillon/campaign"
)

// Match is the header of a write that must not overwrite somebody else's; embed
// it in the input as Match.
type Match struct {
	IfMatch string `header:"If-Match" doc:"The ETag you have; another version is refused with 412. Without it the write always goes through."`
}

// check reports whether the caller has the version that is there now.
func (m Match) check(version int) error {
	if m.IfMatch == "" {
		return nil
	}
	for tag := range strings.SplitSeq(m.IfMatch, ",") {
		if tag = strings.TrimPrefix(strings.TrimSpace(tag), "W/"); tag == "*" || tag == etag(version) {
			return nil
		}
	}
	return campaign.Errorf(campaign.CodePrecond, "somebody has changed it since: it is at version %d", version)
}

func etag(version int) string { return `"` + strconv.Itoa(version) + `"` }

// tagged is an answer with the version of what it shows.
type tagged[T any] struct {
	ETag string `header:"ETag"`
	Body T
}
