package api

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"html/template"
	"net/http"
	"sync"

	"github.com/danielgtaylor/huma/v2"
	"github.com/labstack/echo/v4"

	"carillon/channels"
	"carillon/store"
)

// unsubscribing registers the page behind the link in a message. It takes no
// key and no cookie: the token is all there is to know.
func (s *Server) unsubscribing(g huma.API) {
	u := &unsubscribing{server: s}
	s.echo.GET("/u/:token", u.page)
	s.echo.POST("/u/:token", u.post)
	responses := func(done string) map[string]*huma.Response {
		html := map[string]*huma.MediaType{"text/html": {Schema: &huma.Schema{Type: huma.TypeString}}}
		return map[string]*huma.Response{
			"200": {Description: done, Content: html}, "404": {Description: "Not a link of ours", Content: html}, "503": problemResponse(g, "Come again"),
		}
	}
	for _, o := range []*huma.Operation{
		{Method: http.MethodGet, OperationID: "unsubscribe-page", Summary: "Ask whether to unsubscribe", Responses: responses("A page with one button; nothing is changed")},
		{Method: http.MethodPost, OperationID: "unsubscribe", Summary: "Unsubscribe with one click (RFC 8058)", Responses: responses("Unsubscribed, now or before")},
	} {
		o.Path, o.Tags, o.Parameters = "/u/{token}", []string{"hooks"}, []*huma.Param{pathParam("token")}
		g.OpenAPI().AddOperation(o)
	}
}

// linkSecret is what signs links and the addresses of answers; it is read once.
type linkSecret struct {
	mu     sync.Mutex
	secret []byte
}

// read returns the secret, nil if the store has no key to keep it with: then no
// link was ever made.
func (l *linkSecret) read(ctx context.Context, s Store) ([]byte, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.secret == nil {
		secret, err := s.WorkspaceSecret(ctx, channels.UnsubscribeSecret)
		if errors.Is(err, store.ErrNoKey) {
			return nil, nil
		} else if err != nil {
			return nil, err
		}
		l.secret = secret
	}
	return l.secret, nil
}

// unsubscribing answers the links.
type unsubscribing struct {
	server *Server
}

// read verifies a token; false if it is not ours.
func (u *unsubscribing) read(ctx context.Context, token string) (channels.Unsubscribing, bool, error) {
	secret, err := u.server.links.read(ctx, u.server.Store)
	if err != nil {
		return channels.Unsubscribing{}, false, err
	}
	said, ok := channels.Unsubscriber{Secret: secret}.Read(token)
	return said, ok, nil
}

// page asks. Programs that look behind links do so with GET: it changes nothing.
func (u *unsubscribing) page(c echo.Context) error {
	token := c.Param("token")
	if token == channels.PreviewToken {
		return sayPage(c, http.StatusOK, pagePreview)
	}
	_, ok, err := u.read(c.Request().Context(), token)
	switch {
	case err != nil:
		return err
	case !ok:
		return sayPage(c, http.StatusNotFound, pageUnknown)
	}
	return sayPage(c, http.StatusOK, pageAsk)
}

// post unsubscribes, whatever the body: a mail program sends
// List-Unsubscribe=One-Click as a form of either kind, and so does the page.
func (u *unsubscribing) post(c echo.Context) error {
	token, ctx := c.Param("token"), c.Request().Context()
	if token == channels.PreviewToken {
		return sayPage(c, http.StatusOK, pagePreview)
	}
	said, ok, err := u.read(ctx, token)
	if err != nil {
		return err
	}
	if ok {
		ok, err = u.unsubscribe(ctx, token, said)
	}
	switch {
	case err != nil:
		return err
	case !ok:
		return sayPage(c, http.StatusNotFound, pageUnknown)
	}
	return sayPage(c, http.StatusOK, pageDone)
}

// unsubscribe leaves the person alone; false if the contact was deleted.
func (u *unsubscribing) unsubscribe(ctx context.Context, token string, said channels.Unsubscribing) (bool, error) {
	s := u.server
	contact, err := s.Store.ContactByID(ctx, said.ContactID)
	if errors.Is(err, store.ErrNotFound) {
		return false, nil
	} else if err != nil {
		return false, err
	}
	sum := sha256.Sum256([]byte(token))
	what := store.Unsubscription{
		EventID: "un_" + hex.EncodeToString(sum[:10]), ContactID: contact.ID, Channel: said.Channel, Reason: "unsubscribed", At: s.now(),
	}
	if what.Address, err = u.address(ctx, contact.Email, said); err != nil {
		return false, err
	}
	told, err := s.Store.Unsubscribe(ctx, what)
	if errors.Is(err, store.ErrNotFound) {
		return false, nil
	} else if err != nil {
		return false, err
	}
	s.courier.send(told)
	return true, nil
}

// address finds the address the link was sent to: the contact's, or one it had.
func (u *unsubscribing) address(ctx context.Context, now string, said channels.Unsubscribing) (string, error) {
	if said.Is(now) {
		return now, nil
	}
	earlier, err := u.server.Store.Addresses(ctx, said.ContactID)
	for _, a := range earlier {
		if said.Is(a) {
			return a, nil
		}
	}
	return "", err
}

// saying is one page.
type saying struct {
	Title, Text string
	Button      bool
}

var (
	pageAsk     = saying{"Unsubscribe", "Do you want no more e-mails like the one you came from?", true}
	pageDone    = saying{"Unsubscribed", "You will get no more of these e-mails.", false}
	pageUnknown = saying{"This link does not work", "It may have been cut off: open it from the e-mail again, or answer the e-mail.", false}
	pagePreview = saying{"A preview", "This is the link of a message on trial. Nothing happens here.", false}
)

// unsubscribePage loads nothing and runs nothing.
var unsubscribePage = template.Must(template.New("unsubscribe").Parse(`<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1"><meta name="robots" content="noindex">
<title>{{.Title}}</title>
<style>:root{color-scheme:light dark}body{font:17px/1.5 system-ui,sans-serif;max-width:32rem;margin:18vh auto 0;padding:0 1.5rem}
button{font:inherit;font-weight:600;padding:.6rem 1.4rem;border:0;border-radius:6px;background:#0b57d0;color:#fff;cursor:pointer}</style></head>
<body><main><h1>{{.Title}}</h1><p>{{.Text}}</p>
{{if .Button}}<form method="post"><input type="hidden" name="List-Unsubscribe" value="One-Click"><button>Unsubscribe</button></form>{{end}}
</main></body></html>
`))

func sayPage(c echo.Context, status int, what saying) error {
	h := c.Response().Header()
	h.Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set(echo.HeaderContentType, echo.MIMETextHTMLCharsetUTF8)
	c.Response().WriteHeader(status)
	return unsubscribePage.Execute(c.Response(), what)
}
