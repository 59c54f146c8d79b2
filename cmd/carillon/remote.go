package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// remote is where the commands that speak to a running API find it.
type remote struct {
	API string `default:"http://127.0.0.1:8080" env:"CARILLON_API" help:"Address of the API."`
	Key string `env:"CARILLON_ADMIN_KEY" help:"API key; by default the one that dev keeps in ./.carillon/admin.key."`
}

// rest is the REST API as the commands use it.
type rest struct {
	base, key   string
	idempotency string // sent as the Idempotency-Key, if not ""
	http        *http.Client
}

func (r *remote) rest() *rest {
	key := r.Key
	if key == "" {
		if kept, err := os.ReadFile(filepath.Join(".carillon", "admin.key")); err == nil {
			key = strings.TrimSpace(string(kept))
		}
	}
	return &rest{base: strings.TrimRight(r.API, "/"), key: key, http: &http.Client{Timeout: 10 * time.Minute}}
}

// problem is an error the API answered with.
type problem struct {
	Status int    `json:"status"`
	Detail string `json:"detail"`
	Code   string `json:"code"`
	Errors []struct {
		Field   string `json:"field"`
		Message string `json:"message"`
		Line    int    `json:"line"`
		Column  int    `json:"column"`
	} `json:"errors"`
}

// Error is the detail, and each field that is wrong on a line of its own.
func (p *problem) Error() string {
	text := p.Detail
	for _, e := range p.Errors {
		text += "\n  " + e.Field + ": " + e.Message
	}
	return text
}

// send sends a body as it is and decodes the answer into out, if there is one.
func (c *rest) send(ctx context.Context, method, path, contentType string, body io.Reader, out any) error {
	r, err := http.NewRequestWithContext(ctx, method, c.base+path, body)
	if err != nil {
		return fmt.Errorf("%s is not an address (--api): %w", c.base, err)
	}
	if c.key != "" {
		r.Header.Set("Authorization", "Bearer "+c.key)
	}
	if contentType != "" {
		r.Header.Set("Content-Type", contentType)
	}
	if c.idempotency != "" {
		r.Header.Set("Idempotency-Key", c.idempotency)
	}
	resp, err := c.http.Do(r)
	if err != nil {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		return fmt.Errorf("no API answers at %s (--api): %w", c.base, err)
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode >= http.StatusBadRequest {
		return refusal(resp)
	}
	switch out := out.(type) {
	case nil:
		return nil
	case io.Writer:
		_, err = io.Copy(out, resp.Body)
	default:
		err = json.NewDecoder(resp.Body).Decode(out)
	}
	if err != nil {
		return fmt.Errorf("read the answer to %s %s: %w", method, path, err)
	}
	return nil
}

func refusal(resp *http.Response) error {
	p := &problem{}
	text, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	if err != nil || json.Unmarshal(text, p) != nil || p.Detail == "" {
		return fmt.Errorf("%s answers %s: is it the address of Carillon's API (--api)?", resp.Request.URL.Host, resp.Status)
	}
	p.Status = resp.StatusCode
	if p.Status == http.StatusUnauthorized {
		p.Detail += "; give --key or set CARILLON_ADMIN_KEY"
	}
	return p
}

// call sends a body as JSON.
func (c *rest) call(ctx context.Context, method, path string, body, out any) error {
	if body == nil {
		return c.send(ctx, method, path, "", nil, out)
	}
	raw, err := json.Marshal(body)
	if err != nil {
		return err
	}
	return c.send(ctx, method, path, "application/json", bytes.NewReader(raw), out)
}

// listing is a page of a list.
type listing[T any] struct {
	Items []T     `json:"items"`
	Next  *string `json:"next_cursor"`
}

// every reads a whole list, page by page.
func every[T any](ctx context.Context, c *rest, path string) ([]T, error) {
	var all []T
	for cursor := ""; ; {
		var page listing[T]
		at := path
		if cursor != "" {
			at += "&cursor=" + url.QueryEscape(cursor)
		}
		if err := c.call(ctx, http.MethodGet, at, nil, &page); err != nil {
			return nil, err
		}
		all = append(all, page.Items...)
		if page.Next == nil || *page.Next == "" {
			return all, nil
		}
		cursor = *page.Next
	}
}

// shownCampaign is what the commands read of a campaign.
type shownCampaign struct {
	ID      string   `json:"id"`
	Name    string   `json:"name"`
	Status  string   `json:"status"`
	Changes []change `json:"changes"` // of an import
}

type change struct{ Action, Kind, Name, Detail string }

// named lists the campaigns of a name that are not stopped.
func (c *rest) named(ctx context.Context, name string) ([]shownCampaign, error) {
	all, err := every[shownCampaign](ctx, c, "/v1/campaigns?limit=500&q="+url.QueryEscape(name))
	var out []shownCampaign
	for _, one := range all {
		if one.Name == name && one.Status != "stopped" {
			out = append(out, one)
		}
	}
	return out, err
}

// campaign finds a campaign by its id, else by its name.
func (c *rest) campaign(ctx context.Context, idOrName string) (shownCampaign, error) {
	var found shownCampaign
	err := c.call(ctx, http.MethodGet, "/v1/campaigns/"+url.PathEscape(idOrName), nil, &found)
	if p, ok := errors.AsType[*problem](err); !ok || p.Status != http.StatusNotFound {
		return found, err
	}
	byName, err := c.named(ctx, idOrName)
	switch {
	case err != nil:
		return found, err
	case len(byName) == 0:
		return found, fmt.Errorf("there is no campaign %q that is not stopped", idOrName)
	case len(byName) > 1:
		return found, severalError(idOrName, byName)
	}
	return byName[0], nil
}

func severalError(name string, found []shownCampaign) error {
	ids := make([]string, len(found))
	for i := range found {
		ids[i] = found[i].ID
	}
	return fmt.Errorf("%d campaigns are named %q: %s; stop or rename all but one", len(found), name, strings.Join(ids, ", "))
}
