package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"carillon/channels/smtp/imaptest"
	"carillon/fakes"
)

// fakesCmd runs a fake of every provider, for demonstrations and for trying a
// campaign without an account anywhere.
type fakesCmd struct {
	remote
	Port    int  `default:"9100" help:"First port of the fakes, on 127.0.0.1; the others follow."`
	Connect bool `help:"Make or mend an integration for each fake at --api, and set its webhook."`
	Talk    bool `help:"Show a conversation over each fake, with a Carillon of its own that is gone afterwards; then end."`
}

// Run starts the fakes and prints how to use them, until it is interrupted.
func (f *fakesCmd) Run(ctx context.Context, out io.Writer) error {
	var running owner
	defer running.end()
	if f.Talk {
		return talk(ctx, out, fakes.All(&running, imaptest.Certificate()))
	}
	certificate, err := kept(certificateFile)
	if err != nil {
		return err
	}
	all := fakes.All(&running, certificate)
	port := f.Port
	for _, fake := range all {
		if port, err = fake.Listen(port); err != nil {
			return fmt.Errorf("start the fake of %s (--port): %w", fake.Provider, err)
		}
	}
	if err := f.introduce(ctx, out, all); err != nil {
		return err
	}
	go command(ctx, out, os.Stdin, all) // ends with its input, or with the program
	heard := listen(all)
	for tick := time.NewTicker(100 * time.Millisecond); ; {
		select {
		case <-ctx.Done():
			tick.Stop()
			return nil
		case <-tick.C:
		}
		for _, m := range heard() {
			shown(out, "%-8s  carillon → %s: %s", m.fake.Provider, m.To, line(m.Text))
		}
	}
}

// introduce prints what integration each fake needs and, with --connect, makes it.
func (f *fakesCmd) introduce(ctx context.Context, out io.Writer, all []*fakes.Fake) error {
	shown(out, "\n  Fakes of providers, built from their specifications; they are nobody's service.\n"+
		"  Carillon has to allow private addresses (--allow-private-urls), and mode live to send.")
	for _, fake := range all {
		body, err := json.Marshal(integrationOf(fake))
		if err != nil {
			return err
		}
		shown(out, "\n  %s\n    POST /v1/integrations %s", fake.Provider, body)
		if fake.Roots != nil {
			shown(out, "    start carillon with SSL_CERT_FILE=%s, or it does not trust the mailbox", certificateFile)
		}
		switch {
		case f.Connect:
			id, err := connect(ctx, f.rest(), fake)
			if err != nil {
				return fmt.Errorf("connect the fake of %s: %w", fake.Provider, err)
			}
			shown(out, "    connected: integration %s", id)
		case fake.Hook != nil:
			shown(out, "    then type here: hook %s http://127.0.0.1:8080/hooks/%s/THE-ID", fake.Provider, fake.Provider)
		}
	}
	shown(out, "\n  What arrives is shown here. To answer it, type: say PROVIDER ADDRESS WORDS\n")
	return nil
}

// certificateFile holds the mailbox's certificate and its key.
const certificateFile = "carillon-fakes.pem"

// kept is the certificate in a file, with its key: the fakes show the same one
// every time, so that a Carillon that trusts it goes on to. Where there is none, or
// it is over, a new one is made and kept.
func kept(path string) ([]byte, error) {
	certificate, err := os.ReadFile(path)
	if err == nil && imaptest.Good(certificate) {
		return certificate, nil
	} else if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("read the certificate of the mailbox: %w", err)
	}
	certificate = imaptest.Certificate()
	if err := os.WriteFile(path, certificate, 0o600); err != nil {
		return nil, fmt.Errorf("write the certificate of the mailbox: %w", err)
	}
	return certificate, nil
}

func integrationOf(fake *fakes.Fake) map[string]any {
	return map[string]any{"name": "Fake " + fake.Provider, "provider": fake.Provider, "settings": fake.Settings, "secrets": fake.Secrets}
}

// connect makes the integration of a fake, or mends the one of its name, and
// tells the fake the address of its webhook.
func connect(ctx context.Context, c *rest, fake *fakes.Fake) (id string, err error) {
	type integration struct{ ID, Name string }
	body := integrationOf(fake)
	there, err := every[integration](ctx, c, "/v1/integrations?limit=500")
	if err != nil {
		return "", err
	}
	var made integration
	for _, i := range there {
		if i.Name == body["name"] {
			made = i
		}
	}
	if made.ID != "" {
		err = c.call(ctx, http.MethodPut, "/v1/integrations/"+url.PathEscape(made.ID), body, nil)
	} else {
		err = c.call(ctx, http.MethodPost, "/v1/integrations", body, &made)
	}
	if err == nil && fake.Hook != nil {
		err = fake.Hook(ctx, c.base+"/hooks/"+fake.Provider+"/"+made.ID)
	}
	return made.ID, err
}

// command does what is typed: hook PROVIDER ADDRESS, and say PROVIDER ADDRESS WORDS.
func command(ctx context.Context, out io.Writer, in io.Reader, all []*fakes.Fake) {
	for scan := bufio.NewScanner(in); scan.Scan(); {
		words := strings.Fields(scan.Text())
		if len(words) == 0 {
			continue
		}
		done := false
		for _, fake := range all {
			switch {
			case len(words) < 3 || words[1] != fake.Provider:
			case words[0] == "say":
				if err := fake.Say(words[2], strings.Join(words[3:], " ")); err != nil {
					shown(out, "%v", err)
				}
				done = true
			case words[0] == "hook" && fake.Hook != nil:
				if err := fake.Hook(ctx, words[2]); err != nil {
					shown(out, "%v", err)
				}
				done = true
			}
		}
		if !done {
			shown(out, "type hook PROVIDER ADDRESS, or say PROVIDER ADDRESS WORDS")
		}
	}
}

// heardMessage is one that arrived at a fake.
type heardMessage struct {
	fakes.Message
	fake *fakes.Fake
}

// listen returns a function that returns what arrived since it was last called.
func listen(all []*fakes.Fake) func() []heardMessage {
	seen := make([]int, len(all))
	return func() (news []heardMessage) {
		for i, fake := range all {
			sent := fake.Sent()
			for _, m := range sent[seen[i]:] {
				news = append(news, heardMessage{m, fake})
			}
			seen[i] = len(sent)
		}
		return news
	}
}

// shown prints a line that somebody watches; if nobody does any more, so be it.
func shown(out io.Writer, format string, a ...any) { _, _ = fmt.Fprintf(out, format+"\n", a...) }

// line is a text of several lines as one.
func line(text string) string { return strings.Join(strings.Fields(text), " ") }

// owner ends what it was given, the last first.
type owner struct{ ended []func() }

// Cleanup implements [fault.Owner].
func (o *owner) Cleanup(f func()) { o.ended = append(o.ended, f) }

func (o *owner) end() {
	for i := range o.ended {
		o.ended[len(o.ended)-1-i]()
	}
}
