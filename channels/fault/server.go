// Package fault is what the fakes of providers are made of: a server that
// misbehaves to order, and webhooks that do. It imports neither a test library
// nor anything of ours, so that a fake may run in a program too.
package fault

import (
	"context"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"slices"
	"sync"
	"time"
)

// Owner ends what it was given when it ends itself: a test, or a command.
type Owner interface{ Cleanup(ended func()) }

// Server is a fake provider on this machine, with faults to order. Its handler
// is the provider as it works; a fault comes before it or after it.
type Server struct {
	URL     string // where it answers, such as http://127.0.0.1:43210
	handler http.Handler
	http    *http.Server
	serving sync.WaitGroup

	mu     sync.Mutex
	faults []Fault
	always *Fault
	calls  int
	held   int
}

// Fault is what goes wrong with one request. The zero Fault is none.
type Fault struct {
	Method string            // of requests with this method only; "" is any
	Status int               // answered at once; the provider does nothing
	Header map[string]string // of that answer
	Body   string
	Drop   bool          // the provider does all it does, and the connection ends without an answer
	Reset  bool          // the connection ends before the provider did anything
	Hold   bool          // no answer ever comes; the provider does all it does
	Slow   time.Duration // the provider does all it does, and answers so much later
}

// NewServer starts a fake with the handler on a free port of this machine; it
// ends with its owner. It panics where no port can be had.
func NewServer(o Owner, handler http.Handler) *Server {
	l, err := Listen("127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	s := &Server{handler: handler}
	s.http = &http.Server{Handler: http.HandlerFunc(s.serve), ReadHeaderTimeout: time.Minute, ErrorLog: log.New(io.Discard, "", 0)}
	s.Serve(l)
	o.Cleanup(s.Close)
	return s
}

// Listen opens an address of this machine, and no other.
func Listen(address string) (net.Listener, error) {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return nil, fmt.Errorf("listen on %s: %w", address, err)
	}
	if ip := net.ParseIP(host); ip == nil || !ip.IsLoopback() {
		return nil, fmt.Errorf("listen on %s: a fake listens on loopback addresses only, such as 127.0.0.1:0", address)
	}
	return (&net.ListenConfig{}).Listen(context.Background(), "tcp", address)
}

// Serve answers at one more address, which becomes the URL.
func (s *Server) Serve(l net.Listener) {
	s.URL = "http://" + l.Addr().String()
	s.serving.Go(func() { _ = s.http.Serve(l) }) // ends with Close
}

// Close ends the server and every connection to it. A second time does nothing.
func (s *Server) Close() {
	_ = s.http.Close()
	s.serving.Wait()
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

// Held counts the requests that wait for an answer that never comes.
func (s *Server) Held() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.held
}

func (s *Server) next(method string) Fault {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls++
	for i, f := range s.faults {
		if f.Method == "" || f.Method == method {
			s.faults = slices.Delete(s.faults, i, i+1)
			return f
		}
	}
	if s.always != nil && (s.always.Method == "" || s.always.Method == method) {
		return *s.always
	}
	return Fault{}
}

func (s *Server) hold(n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.held += n
}

func (s *Server) serve(w http.ResponseWriter, r *http.Request) {
	f := s.next(r.Method)
	switch {
	case f.Status != 0:
		for name, value := range f.Header {
			w.Header().Set(name, value)
		}
		w.WriteHeader(f.Status)
		_, _ = io.WriteString(w, f.Body) // some statuses allow no body
	case f.Drop, f.Reset, f.Hold:
		if !f.Reset {
			s.handler.ServeHTTP(&nowhere{header: http.Header{}}, r)
		}
		if f.Hold {
			s.hold(1)
			<-r.Context().Done()
			s.hold(-1)
		}
		panic(http.ErrAbortHandler) // closes the connection, and is not logged
	case f.Slow > 0:
		answer := &nowhere{header: w.Header(), status: http.StatusOK}
		s.handler.ServeHTTP(answer, r)
		select {
		case <-time.After(f.Slow):
		case <-r.Context().Done():
		}
		w.WriteHeader(answer.status)
		_, _ = w.Write(answer.body)
	default:
		s.handler.ServeHTTP(w, r)
	}
}

// nowhere is where an answer goes that nobody gets, or gets later.
type nowhere struct {
	header http.Header
	status int
	body   []byte
}

// Header implements [http.ResponseWriter].
func (n *nowhere) Header() http.Header { return n.header }

// WriteHeader implements [http.ResponseWriter].
func (n *nowhere) WriteHeader(status int) { n.status = status }

// Write implements [http.ResponseWriter].
func (n *nowhere) Write(b []byte) (int, error) {
	n.body = append(n.body, b...)
	return len(b), nil
}
