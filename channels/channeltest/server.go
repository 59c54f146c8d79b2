package channeltest

import (
	"net/http"
	"testing"

	"carillon/channels/fault"
)

// Server is a fake provider on this machine, with faults to order.
type Server = fault.Server

// Fault is what goes wrong with one request to a [Server].
type Fault = fault.Fault

// NewServer starts a fake with the handler; it ends with the test.
func NewServer(t testing.TB, handler http.Handler) *Server {
	t.Helper()
	return fault.NewServer(t, handler)
}
