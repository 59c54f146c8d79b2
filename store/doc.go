// Package store keeps everything Carillon must not forget, in SQLite or in PostgreSQL, behind the role interfaces of
// roles.go and the role_ files. One SQL text serves both; what differs is in dialect.go and in migrations/.
//
// Three things hold everywhere. Every write that a killed process may repeat is idempotent by the id it is given.
// Times are UTC and whole microseconds. A function given to a method (change, guard) runs inside the transaction, may
// run again when the database asks for it, and so must not do I/O.
//
// It imports campaign and the database drivers, nothing else of ours.
package store
