package sendgrid

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"strings"

	"carillon/channels"
	"carillon/channels/mailin"
)

// inboundLimit bounds a letter: SendGrid takes messages of 30 MB with all their files.
// https://www.twilio.com/docs/sendgrid/for-developers/parsing-email/setting-up-the-inbound-parse-webhook
const inboundLimit = 30 << 20

// Bounds of a form, beside its size.
const (
	mostFields = 200
	longField  = 1 << 20 // of a field that is no letter, in bytes
)

// form is what Inbound Parse posts: the whole letter in the field email, where
// "POST the raw, full MIME message" is on, or its pieces.
type form struct {
	fields map[string][]byte
	files  []formFile
}

type formFile struct {
	field, name, kind string
	content           []byte
}

// letter reads one request of Inbound Parse.
func (h *hook) letter(r *channels.HookRequest) ([]channels.Report, error) {
	f, err := readForm(r.Header, r.Body)
	if err != nil {
		return nil, err
	}
	var l *mailin.Letter
	if raw, ok := f.fields["email"]; ok {
		if l, err = mailin.Read(raw); err != nil {
			return nil, err
		}
	} else {
		l = f.assemble()
	}
	var envelope struct {
		To   []string `json:"to"`
		From *string  `json:"from"`
	}
	if json.Unmarshal(f.fields["envelope"], &envelope) == nil && envelope.From != nil {
		l.Delivered(*envelope.From, envelope.To)
	}
	return h.box.Reports(l)
}

// readForm reads multipart/form-data. SendGrid's own helper is not used: it
// panics on letters that anybody can send.
func readForm(header http.Header, body []byte) (*form, error) {
	kind, params, err := mime.ParseMediaType(header.Get("Content-Type"))
	if err != nil || kind != "multipart/form-data" || params["boundary"] == "" {
		return nil, fmt.Errorf("%w: not a form of Inbound Parse", channels.ErrMalformed)
	}
	f := &form{fields: map[string][]byte{}}
	parts := multipart.NewReader(bytes.NewReader(body), params["boundary"])
	for range mostFields {
		part, err := parts.NextRawPart()
		if errors.Is(err, io.EOF) {
			return f, nil
		}
		if err != nil {
			return nil, fmt.Errorf("%w: the form of Inbound Parse breaks off", channels.ErrMalformed)
		}
		content, err := io.ReadAll(part)
		if err != nil {
			return nil, fmt.Errorf("%w: the form of Inbound Parse breaks off", channels.ErrMalformed)
		}
		name := part.FormName()
		if part.FileName() != "" || strings.HasPrefix(name, "attachment") && name != "attachments" && name != "attachment-info" {
			f.files = append(f.files, formFile{name, part.FileName(), part.Header.Get("Content-Type"), content})
		} else if _, again := f.fields[name]; name != "" && !again {
			f.fields[name] = content
		}
	}
	return f, nil
}

// assemble makes the letter of its pieces. Their charsets are told beside them.
func (f *form) assemble() *mailin.Letter {
	var charsets map[string]string
	_ = json.Unmarshal(f.fields["charsets"], &charsets) // without it they are recognised
	text := func(name string, isHTML bool) string {
		field := f.fields[name]
		return mailin.Text(field[:min(len(field), longField)], charsets[name], isHTML)
	}
	headers := f.fields["headers"]
	l := &mailin.Letter{Header: mailin.ReadHeader(headers), Text: text("text", false)}
	l.Raw = bytes.Join([][]byte{headers, f.fields["text"]}, []byte("\r\n"))
	if strings.TrimSpace(l.Text) == "" {
		l.Text = text("html", true)
	}
	for name, field := range map[string]string{"From": "from", "To": "to", "Subject": "subject"} {
		if len(l.Header[name]) == 0 && len(f.fields[field]) > 0 {
			l.Header[name] = []string{strings.Join(strings.Fields(text(field, false)), " ")}
		}
	}
	l.Addressed()
	var info map[string]struct {
		Name string `json:"filename"`
		Type string `json:"type"`
	}
	_ = json.Unmarshal(f.fields["attachment-info"], &info) // the files say the same of themselves
	for _, file := range f.files {
		if file.kind == "" {
			file.kind = info[file.field].Type
		}
		if file.name == "" {
			file.name = info[file.field].Name
		}
		if !l.Reported(file.kind, file.content) {
			l.Attach(mailin.File(file.name, file.kind, int64(len(file.content))))
		}
	}
	return l
}
