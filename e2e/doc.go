// Package e2e tells, as tests, what users of Carillon see: the real binary,
// the real Temporal dev server, real Python, SQLite or PostgreSQL, and real
// kills. Nothing here looks inside: everything goes over REST.
package e2e
