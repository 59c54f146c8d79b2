package main

import (
	"bytes"
	"context"
	"encoding/csv"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"carillon/bundle"
	"carillon/campaign"
	"carillon/examples"
)

const (
	demoName     = "Debt collection (demo)"
	demoContacts = 50
)

// demo is the example campaign that --demo loads, and its contacts as they play
// themselves. It is a client of the REST API like any other.
type demo struct {
	rest *rest
	id   string // of the campaign
}

// load makes the campaign of --demo, unless there is one already, and prints
// how to look at it.
func (d *demo) load(ctx context.Context, out io.Writer) error {
	there, err := every[shownCampaign](ctx, d.rest, "/v1/campaigns?limit=500&q="+url.QueryEscape(demoName))
	if err != nil {
		return fmt.Errorf("load the demo: %w", err)
	}
	at := slices.IndexFunc(there, func(c shownCampaign) bool { return c.Name == demoName })
	if at >= 0 {
		d.id = there[at].ID
	} else if err := d.make(ctx); err != nil {
		return fmt.Errorf("load the demo: %w", err)
	}
	_, err = fmt.Fprintf(out, `
  Demo       %q: %d contacts who answer by themselves; days pass in seconds.
             Who is where:   curl -H "Authorization: Bearer $(cat .carillon/admin.key)" %s/v1/campaigns/%s/contacts
             What left:      …/v1/outbox?campaign_id=%s     Who waits for a person: …/v1/inbox
`, demoName, demoContacts, d.rest.base, d.id, d.id)
	return err
}

func (d *demo) make(ctx context.Context) error {
	b, err := demoBundle()
	if err != nil {
		return err
	}
	done, err := applyBundle(ctx, d.rest, b, false)
	if err != nil {
		return err
	}
	d.id = done.ID
	var imp campaign.Import
	at := "/v1/campaigns/" + d.id + "/imports"
	if err := d.rest.send(ctx, http.MethodPost, at+"?filename=demo.csv", "text/csv", demoPeople(time.Now()), &imp); err != nil {
		return err
	}
	if err := follow(ctx, d.rest, at+"/"+imp.ID, &imp); err != nil {
		return err
	}
	return d.rest.call(ctx, http.MethodPost, "/v1/campaigns/"+d.id+"/start", nil, nil)
}

// demoBundle is the example with a day of some seconds, and open at any hour.
func demoBundle() (*bundle.Bundle, error) {
	b, err := bundle.Load(examples.Files, "debt/bundle.yaml")
	if err != nil {
		return nil, err
	}
	b.Campaign.Name, b.Campaign.Labels = demoName, []string{"demo"}
	b.Campaign.Rules.Hours, b.Campaign.Rules.Holidays = nil, nil
	for i := range b.Stages {
		if wait := &b.Stages[i].SessionTimeout; *wait > 0 {
			*wait = campaign.Duration(time.Duration(*wait).Hours() / 24 * float64(demoDay))
		}
	}
	return b, nil
}

// demoDay is how long a day of the demo is.
const demoDay = 3 * time.Second

var (
	demoFirst = strings.Fields("Ada Ben Clara David Elena Felix Grace Hugo Ines Jonas")
	demoLast  = strings.Fields("Abbott Berger Costa Dubois Evans")
)

// demoPeople is the file of contacts: the same people at every start.
func demoPeople(now time.Time) io.Reader {
	var text bytes.Buffer
	w := csv.NewWriter(&text)
	rows := [][]string{strings.Split("object_id,external_id,name,email,phone,account_number,amount,due_date,invoice", ",")}
	for i := range demoContacts {
		first, last := demoFirst[i%len(demoFirst)], demoLast[i/len(demoFirst)]
		rows = append(rows, []string{
			fmt.Sprintf("DEMO-%02d", i), fmt.Sprintf("P-%02d", i), first + " " + last, strings.ToLower(first + "." + last + "@example.com"),
			fmt.Sprintf("+141555501%02d", i), fmt.Sprintf("%07d", 4700+i), fmt.Sprintf("%d.50", 40+i*17),
			now.AddDate(0, 0, -10-i).Format(time.DateOnly), fmt.Sprintf("R-%04d", 800+i),
		})
	}
	_ = w.WriteAll(rows) // into memory: cannot fail
	return &text
}
