package strategies

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"carillon/campaign"
	"carillon/strategies/sandbox"
)

// The descriptors of a worker. Every frame on the control socket is a big-endian length and that many bytes of JSON;
// a worker's frame is a header line followed by the contact, which is thus never decoded here.
const (
	controlFD = 3
	framesCap = 4 << 20 // a batch is cut into frames of about this size
	batchCap  = 200
)

var errFrame = errors.New("a frame is too large")

// reply is a worker's header.
type reply struct {
	T        string          `json:"t"` // sandbox hello waiting ok err retire
	ID       uint64          `json:"id,omitempty"`
	US       int64           `json:"us,omitempty"`
	Logs     [][2]string     `json:"logs,omitempty"`
	Error    *Error          `json:"error,omitempty"`
	Problems []Problem       `json:"problems,omitempty"`
	Retire   bool            `json:"retire,omitempty"`
	Python   string          `json:"python,omitempty"`
	Sandbox  *sandbox.Report `json:"sandbox,omitempty"`
	body     []byte
}

func readFrame(r io.Reader) ([]byte, error) {
	var size [4]byte
	if _, err := io.ReadFull(r, size[:]); err != nil {
		return nil, err
	}
	n := binary.BigEndian.Uint32(size[:])
	if n > frameLimit {
		return nil, fmt.Errorf("%w: %d bytes", errFrame, n)
	}
	frame := make([]byte, n)
	_, err := io.ReadFull(r, frame)
	return frame, err
}

func writeFrame(w io.Writer, payload []byte) error {
	if len(payload) > frameLimit {
		return fmt.Errorf("%w: %d bytes", errFrame, len(payload))
	}
	frame := make([]byte, 4, 4+len(payload))
	binary.BigEndian.PutUint32(frame, uint32(len(payload)))
	_, err := w.Write(append(frame, payload...))
	return err
}

func parseReply(frame []byte) (reply, error) {
	var r reply
	head, body, found := bytes.Cut(frame, []byte{'\n'})
	if !found {
		return r, errors.New("a frame has no header line")
	}
	if err := json.Unmarshal(head, &r); err != nil {
		return r, fmt.Errorf("read a header: %w", err)
	}
	if len(body) > 0 {
		if !json.Valid(body) {
			return r, errors.New("a contact is not JSON")
		}
		if string(body) != "null" {
			r.body = body
		}
	}
	return r, nil
}

// redact hides what must not be shown of a run.
func (r *reply) redact(hide *campaign.Redactor) {
	if hide == nil {
		return
	}
	for i := range r.Logs {
		r.Logs[i][1] = hide.Replace(r.Logs[i][1])
	}
	if e := r.Error; e != nil {
		e.Message, e.Traceback = hide.Replace(e.Message), hide.Replace(e.Traceback)
	}
	for i := range r.Problems {
		r.Problems[i].Message = hide.Replace(r.Problems[i].Message)
	}
}

// result turns the answer to a call into its result.
func (r reply) result() Result {
	out := Result{Duration: time.Duration(r.US) * time.Microsecond, Err: r.Error, Contact: r.body}
	for _, l := range r.Logs {
		out.Logs = append(out.Logs, Log{Level: l[0], Message: l[1]})
	}
	if r.T == "err" && out.Err == nil {
		out.Err = &Error{Kind: KindWorkerCrashed, Type: "Protocol", Message: "the worker gave an error without saying which"}
	}
	return out
}

type bindFrame struct {
	T           string  `json:"t"`
	TZ          string  `json:"tz"`
	ResultLimit int     `json:"result_limit"`
	Grace       float64 `json:"grace"`
}

type sourceFrame struct {
	T        string   `json:"t"` // load check
	ID       uint64   `json:"id"`
	Key      string   `json:"key"`
	Type     Type     `json:"type"`
	Function string   `json:"function"`
	Filename string   `json:"filename"`
	Code     string   `json:"code"`
	Stages   []string `json:"stages"`
	Deadline float64  `json:"deadline"`
	CPU      float64  `json:"cpu"`
	Wall     float64  `json:"wall"`
}

type cancelFrame struct {
	T   string   `json:"t"`
	IDs []uint64 `json:"ids"`
}

// runFrame writes the frame of some calls by hand, so that no contact is decoded.
func runFrame(j Job, l limits, calls []*pending) []byte {
	size := 300 + len(j.Kwargs)
	for _, p := range calls {
		size += p.size()
	}
	b := make([]byte, 4, size)
	b = fmt.Appendf(b, `{"t":"run","key":%s,"deadline":%g,"cpu":%g,"wall":%g,"count":%d`,
		quoted(j.Source.Key), l.deadline.Seconds(), l.cpu.Seconds(), l.block.Seconds(), len(calls))
	b = field(b, "shared", j.Kwargs)
	b = append(b, `,"calls":[`...)
	for i, p := range calls {
		if i > 0 {
			b = append(b, ',')
		}
		b = fmt.Appendf(b, `{"id":%d,"now":"%s"`, p.id, p.call.Now.UTC().Truncate(time.Microsecond).Format(time.RFC3339Nano))
		b = field(b, "contact", p.call.Contact)
		b = field(b, "existing", p.call.Existing)
		b = field(b, "results", p.call.SessionResults)
		b = field(b, "message", p.call.Message)
		b = field(b, "kwargs", p.call.Kwargs)
		b = append(b, '}')
	}
	b = append(b, "]}"...)
	binary.BigEndian.PutUint32(b, uint32(len(b)-4))
	return b
}

func field(b []byte, name string, value json.RawMessage) []byte {
	if len(value) == 0 {
		return b
	}
	b = append(b, ',', '"')
	b = append(b, name...)
	b = append(b, '"', ':')
	return append(b, value...)
}

func quoted(s string) []byte {
	b, err := json.Marshal(s)
	if err != nil {
		return []byte(`""`)
	}
	return b
}
