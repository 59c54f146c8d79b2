// Package examples is the four example campaigns, as the files they are:
// Files holds <name>/bundle.yaml, the code beside it and contacts.csv.
package examples

import "embed"

// Files are the examples' files.
//
//go:embed debt pre-collection sales feedback
var Files embed.FS

// Names are the examples, the simplest first.
var Names = [...]string{"debt", "pre-collection", "sales", "feedback"}
