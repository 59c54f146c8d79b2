package channeltest

import (
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
)

// Server is a fake provider on this machine, with faults to order. Its handler
// is the provider as it works; a fault comes before it or after it.
type Server struct {
	*httptest.Server
	handler http.Handler

	mu     sync.Mutex
	faults []Fault
	always *Fault
	calls  int
}

// Fault is what goes wrong with one request.
type Fault struct {
	Status int               // answered at once; the provider does nothing
	Header map[string]string // of that answer
	Body   string
	Drop   bool // the provider does all it does, and the connection ends without an answer
	Reset  bool // the connection ends before the provider did anything
	Hold   bool // no answer ever comes; the provider does all it does
}

// NewServer starts a fake with the handler; it ends with the test.
func NewServer(t testing.TB, handler http.Handler) *Server {
	t.Helper()
	s := &Server{handler: handler}
	s.Server = httptest.NewServer(http.HandlerFunc(s.serve))
	t.Cleanup(func() {
		s.CloseClientConnections()
		s.Close()
	})
	return s
}

// Fail orders faults for the next requests, one each.
func (s *Server) Fail(faults ...Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = append(s.faults, faults...)
}

// Always orders a fault for every request from now on; nil mends it.
func (s *Server) Always(f *Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.always, s.faults = f, nil
}

// Calls counts the requests that arrived.
func (s *Server) Calls() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.calls
}

func (s *Server) next() Fault {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls++
	if len(s.faults) > 0 {
		f := s.faults[0]
		s.faults = s.faults[1:]
		return f
	}
	if s.always != nil {
		return *s.always
	}
	return Fault{}
}

func (s *Server) serve(w http.ResponseWriter, r *http.Request) {
	f := s.next()
	switch {
	case f.Status != 0:
		for name, value := range f.Header {
			w.Header().Set(name, value)
		}
		w.WriteHeader(f.Status)
		_, _ = w.Write([]byte(f.Body)) // some statuses allow no body
	case f.Drop, f.Reset, f.Hold:
		if !f.Reset {
			s.handler.ServeHTTP(httptest.NewRecorder(), r)
		}
		if f.Hold {
			<-r.Context().Done()
		}
		panic(http.ErrAbortHandler) // closes the connection, and is not logged
	default:
		s.handler.ServeHTTP(w, r)
	}
}
