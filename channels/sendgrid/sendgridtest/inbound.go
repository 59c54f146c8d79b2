package sendgridtest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"mime/multipart"
	"net/http"
	"net/textproto"
	"slices"
	"time"

	"carillon/channels/fault"
)

// Upload is a file of a letter, as Inbound Parse posts it.
type Upload struct {
	Name, Type string
	Content    []byte
}

// Receive sets the address of Inbound Parse.
func (s *Server) Receive(address string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.inbound = address
}

// Deliver posts a letter that came in from a sender ("" is the null one) for
// addresses, as it travelled.
func (s *Server) Deliver(raw []byte, from string, to ...string) {
	s.PostForm(RawForm(raw, from, to...))
}

// PostForm posts a form of Inbound Parse, signed, if its address is set.
func (s *Server) PostForm(contentType string, body []byte) {
	s.mu.Lock()
	address := s.inbound
	s.mu.Unlock()
	if address == "" {
		return
	}
	s.Hooks.Send(fault.Webhook{URL: address, Type: contentType, Body: body, Signed: func(h http.Header, _ string, body []byte, at time.Time) {
		s.Signer.Sign(h, body, at)
	}})
}

// RawForm is what Inbound Parse posts with "POST the raw, full MIME message" on:
// https://www.twilio.com/docs/sendgrid/for-developers/parsing-email/setting-up-the-inbound-parse-webhook
func RawForm(raw []byte, from string, to ...string) (contentType string, body []byte) {
	return write(map[string]string{
		"email": string(raw), "envelope": envelope(from, to), "to": "whoever the letter says", "from": "whoever it says", "subject": "as it says",
		"dkim": "{@example.com : pass}", "SPF": "pass", "sender_ip": "127.0.0.1", "charsets": `{"to":"UTF-8","from":"UTF-8","subject":"UTF-8"}`,
	}, nil)
}

// ParsedForm is what it posts otherwise: the letter in pieces. Fields are those
// of the reference: headers, text, html, charsets and so on; the rest is filled in.
func ParsedForm(fields map[string]string, files []Upload, from string, to ...string) (contentType string, body []byte) {
	all := map[string]string{
		"envelope": envelope(from, to), "attachments": fmt.Sprint(len(files)), "dkim": "none", "SPF": "pass", "sender_ip": "127.0.0.1", "spam_score": "0.1",
		"charsets": `{"to":"UTF-8","from":"UTF-8","subject":"UTF-8","text":"UTF-8","html":"UTF-8"}`,
	}
	info := map[string]map[string]string{}
	for i, f := range files {
		info[fmt.Sprintf("attachment%d", i+1)] = map[string]string{"filename": f.Name, "name": f.Name, "type": f.Type}
	}
	if len(files) > 0 {
		b, err := json.Marshal(info)
		if err != nil {
			panic(err) // texts
		}
		all["attachment-info"] = string(b)
	}
	maps.Copy(all, fields)
	return write(all, files)
}

func envelope(from string, to []string) string {
	b, err := json.Marshal(map[string]any{"from": from, "to": to})
	if err != nil {
		panic(err) // texts
	}
	return string(b)
}

// write writes multipart/form-data. Nothing fails that goes into memory.
func write(fields map[string]string, files []Upload) (contentType string, body []byte) {
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		if err := w.WriteField(name, fields[name]); err != nil {
			panic(err)
		}
	}
	for i, f := range files {
		part, err := w.CreatePart(textproto.MIMEHeader{
			"Content-Disposition": {fmt.Sprintf(`form-data; name="attachment%d"; filename=%q`, i+1, f.Name)}, "Content-Type": {f.Type},
		})
		if err != nil {
			panic(err)
		}
		if _, err := part.Write(f.Content); err != nil {
			panic(err)
		}
	}
	if err := w.Close(); err != nil {
		panic(err)
	}
	return w.FormDataContentType(), b.Bytes()
}
