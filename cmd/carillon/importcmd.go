package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"

	"carillon/campaign"
)

// importCmd uploads a file of contacts and follows what becomes of it.
type importCmd struct {
	remote
	Campaign string `arg:"" help:"Id or name of the campaign."`
	File     string `arg:"" type:"existingfile" help:"CSV, JSON Lines or JSON file of contacts."`
	DryRun   bool   `name:"dry-run" help:"Only read and check the file."`
}

// Run fails if the file cannot be read or a row failed; the other rows are in then.
func (i *importCmd) Run(ctx context.Context, out io.Writer) error {
	c := i.rest()
	found, err := c.campaign(ctx, i.Campaign)
	if err != nil {
		return err
	}
	return importContacts(ctx, c, out, found.ID, i.File, i.DryRun)
}

// contentTypes by a file's extension; the API looks into any other.
var contentTypes = map[string]string{".csv": "text/csv", ".json": "application/json", ".jsonl": "application/x-ndjson", ".ndjson": "application/x-ndjson"}

// importContacts uploads the file, waits for its last row and tells the counts.
func importContacts(ctx context.Context, c *rest, out io.Writer, campaignID, file string, dry bool) error {
	f, err := os.Open(file)
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	query := url.Values{"filename": {filepath.Base(file)}}
	if dry {
		query.Set("dry_run", "true")
	}
	kind := contentTypes[strings.ToLower(filepath.Ext(file))]
	if kind == "" {
		kind = "application/octet-stream"
	}
	bar := newProgress(info.Size(), "uploading "+filepath.Base(file), true)
	var imp campaign.Import
	at := "/v1/campaigns/" + campaignID + "/imports"
	err = c.send(ctx, http.MethodPost, at+"?"+query.Encode(), kind, io.TeeReader(f, bar), &imp)
	_ = bar.Finish()
	if err != nil {
		return fmt.Errorf("import %s: %w", file, err)
	}
	at += "/" + imp.ID
	if err := follow(ctx, c, at, &imp); err != nil {
		return err
	}
	return reportImport(out, c, &imp, file, at)
}

// follow asks after the import until its last row is settled.
func follow(ctx context.Context, c *rest, at string, imp *campaign.Import) error {
	var bar *progressbar.ProgressBar
	for {
		if err := c.call(ctx, http.MethodGet, at, nil, imp); err != nil {
			return err
		}
		if bar == nil && imp.Total > 0 {
			bar = newProgress(int64(imp.Total), "contacts", false)
		}
		if bar != nil {
			_ = bar.Set(imp.Created + imp.Updated + imp.Failed)
		}
		if imp.Status != campaign.ImportProcessing && imp.Status != campaign.ImportReceiving {
			if bar != nil {
				_ = bar.Finish()
			}
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("the import goes on without you: %s/v1/campaigns/%s/imports/%s: %w", c.base, imp.CampaignID, imp.ID, ctx.Err())
		case <-time.After(200 * time.Millisecond):
		}
	}
}

func reportImport(out io.Writer, c *rest, imp *campaign.Import, file, at string) error {
	if imp.Status == campaign.ImportFailed {
		return fmt.Errorf("import %s: %s", file, imp.Reason)
	}
	checked := ""
	if imp.DryRun {
		checked = " (only checked)"
	}
	text := fmt.Sprintf("%s%s: %d rows: %d created, %d updated, %d failed, %d warnings\n", file, checked, imp.Total, imp.Created, imp.Updated, imp.Failed, imp.Warnings)
	if imp.Failed > 0 || imp.Warnings > 0 {
		text += fmt.Sprintf("  what and why: %s%s/errors?warnings=true\n", c.base, at)
	}
	if imp.Failed > 0 {
		text += fmt.Sprintf("  the failed rows, to mend and import again: %s%s/failed_rows\n", c.base, at)
	}
	if _, err := io.WriteString(out, text); err != nil {
		return err
	}
	if imp.Failed > 0 {
		return fmt.Errorf("%d of %d rows failed", imp.Failed, imp.Total)
	}
	return nil
}

// newProgress is a bar on a terminal, and nothing elsewhere.
func newProgress(total int64, what string, bytes bool) *progressbar.ProgressBar {
	return progressbar.NewOptions64(total,
		progressbar.OptionSetWriter(os.Stderr), progressbar.OptionSetDescription(what), progressbar.OptionShowBytes(bytes), progressbar.OptionShowCount(),
		progressbar.OptionSetVisibility(term.IsTerminal(int(os.Stderr.Fd()))), progressbar.OptionClearOnFinish(), progressbar.OptionThrottle(100*time.Millisecond))
}
