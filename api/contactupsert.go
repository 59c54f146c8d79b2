package api

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"carillon/campaign"
	"carillon/intake"
	"carillon/relay"
	"carillon/store"
)

// ContactChange is what a caller may set of a contact; what is absent stays.
type ContactChange struct {
	Name           *string       `json:"name,omitempty"`
	Email          *string       `json:"email,omitempty"`
	Phone          *string       `json:"phone,omitempty"`
	Timezone       *string       `json:"timezone,omitempty" example:"Europe/Berlin"`
	Language       *string       `json:"language,omitempty"`
	TelegramChatID *string       `json:"telegram_chat_id,omitempty"`
	Parameters     campaign.Dict `json:"parameters,omitempty" doc:"Merged key by key; typed by the campaign's fields."`
}

// ContactUpsert is an outside event about a person.
type ContactUpsert struct {
	ObjectID   string `json:"object_id" minLength:"1" maxLength:"200"`
	ExternalID string `json:"external_id" minLength:"1" maxLength:"200"`
	ContactChange
}

// set lists the system fields that are present.
func (c *ContactChange) set() map[string]string {
	out := map[string]string{}
	for name, v := range map[string]*string{
		"name": c.Name, "email": c.Email, "phone": c.Phone, "timezone": c.Timezone, "language": c.Language, "telegram_chat_id": c.TelegramChatID,
	} {
		if v != nil {
			out[name] = *v
		}
	}
	return out
}

// names lists what is present, parameters as "parameters.<name>".
func (c *ContactChange) names() []string {
	d, set := campaign.Dict{}, c.set()
	for name := range set {
		d[name] = nil
	}
	for name := range c.Parameters {
		d["parameters."+name] = nil
	}
	return d.Keys()
}

// systemFields are the columns with a meaning of their own, without the signs
// that do not count in a column's name.
var systemFields = map[string]bool{
	"name": true, "email": true, "phone": true, "timezone": true, "language": true,
	"objectid": true, "externalid": true, "telegramchatid": true,
}

// row reads the change as a row of a file, by the same rules. A new contact
// needs a name; its e-mail and phone may be missing.
func (c *ContactChange) row(camp *campaign.Campaign, objectID, externalID string, known bool) (store.ImportRow, error) {
	fields := c.set()
	fields["object_id"], fields["external_id"] = objectID, externalID
	for _, name := range []string{"email", "phone"} {
		if _, ok := fields[name]; !ok && !known {
			fields[name] = ""
		}
	}
	doc := campaign.Dict{}
	for name, v := range c.Parameters {
		if plain := strings.ToLower(strings.NewReplacer(" ", "", "_", "", "-", "").Replace(name)); systemFields[plain] {
			return store.ImportRow{}, campaign.Invalid("parameters."+name, "this is a field of the contact itself, not a parameter")
		}
		doc[name] = v
	}
	for name, v := range fields {
		doc[name], _ = json.Marshal(v) // a string
	}
	raw, err := json.Marshal(doc)
	if err != nil {
		return store.ImportRow{}, err
	}
	o, err := intakeOptions(camp, "")
	if err != nil {
		return store.ImportRow{}, err
	}
	o.ContentType, o.Partial = "application/x-ndjson", known
	r, err := intake.Open(strings.NewReader(string(raw)), o)
	if err != nil {
		return store.ImportRow{}, unreadable(err)
	}
	read, err := r.Next()
	if err != nil {
		return store.ImportRow{}, unreadable(err)
	}
	row := importRow(read)
	return row, rowProblem(row.Errs)
}

// rowProblem is why a row failed, as the problem of a request; nil without errors.
func rowProblem(errs []campaign.RowError) error {
	if len(errs) == 0 {
		return nil
	}
	e := &campaign.Error{Code: campaign.CodeInvalid, Message: "the contact is not valid"}
	for _, r := range errs {
		field := r.Field
		if plain := strings.ReplaceAll(field, "_", ""); field != "" && field != "strategy" && field != "contact" && !systemFields[plain] {
			field = "parameters." + field
		}
		if field == "strategy" {
			e.Message = "the strategy data_load failed; the contact is as it was"
		}
		e.Fields = append(e.Fields, campaign.FieldError{Field: field, Message: r.Reason})
	}
	return e
}

// upserts documents the three answers.
func upserts(o *huma.Operation) {
	answer := func(description, schema string) *huma.Response {
		return &huma.Response{Description: description, Content: map[string]*huma.MediaType{
			"application/json": {Schema: &huma.Schema{Ref: "#/components/schemas/" + schema}},
		}}
	}
	o.DefaultStatus = http.StatusOK
	o.Responses = map[string]*huma.Response{
		"200": answer("Updated", "ContactView"), "201": answer("Created", "ContactView"), "202": answer("Still being worked on: the import's id", "Accepted"),
	}
}

type upsertInput struct {
	ID   string `path:"id"`
	Body ContactUpsert
}

type upsertOutput struct {
	Status int
	Body   any
}

// upsertTime is how long a caller waits for data_load and, for a contact that
// runs, for its workflow.
const upsertTime = 30 * time.Second

// upsertContact is an import of one row, of which the caller sees the end.
func (s *Server) upsertContact(ctx context.Context, in *upsertInput) (*upsertOutput, error) {
	camp, err := s.Store.Campaign(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	if camp.Status == campaign.Stopped {
		return nil, campaign.Errorf(campaign.CodeConflict, "the campaign is stopped: it takes no contacts any more")
	}
	id := campaign.ContactID(in.ID, in.Body.ObjectID, in.Body.ExternalID)
	known, err := s.Store.ExistingContacts(ctx, in.ID, []string{id})
	if err != nil {
		return nil, err
	}
	before, exists := known[id]
	if before.Contact.Status == campaign.ContactStopped {
		return nil, campaign.Errorf(campaign.CodeConflict, "the contact is stopped; nothing is changed")
	}
	row, err := in.Body.row(&camp, in.Body.ObjectID, in.Body.ExternalID, exists)
	if err != nil {
		return nil, err
	}
	i, err := s.importOne(ctx, in.ID, row)
	if err != nil {
		return nil, err
	}
	s.auditf(ctx, "upsert", "contacts/"+id, "import %s", i.ID)
	if i.FinishedAt == nil {
		return &upsertOutput{Status: http.StatusAccepted, Body: Accepted{ID: i.ID, Status: campaign.ImportProcessing}}, nil
	}
	if err := s.importProblem(ctx, &i); err != nil {
		return nil, err
	}
	c, err := s.Store.Contact(ctx, in.ID, id)
	if err != nil {
		return nil, err
	}
	status := http.StatusOK
	if i.Created > 0 {
		status = http.StatusCreated
	}
	return &upsertOutput{Status: status, Body: s.showContact(c)}, nil
}

// importOne stores a row as an import and waits for its end.
func (s *Server) importOne(ctx context.Context, campaignID string, row store.ImportRow) (campaign.Import, error) {
	i := campaign.Import{ID: newID("im_"), CampaignID: campaignID, Filename: "contact " + row.Row.Fields["object_id"], StartedAt: s.now()}
	if s.Temporal == nil {
		return i, campaign.Errorf(campaign.CodeUnavailable, "the workflow engine is away; try again")
	}
	if err := s.Store.CreateImport(ctx, i); err != nil {
		return i, err
	}
	for _, step := range []func() error{
		func() error { return s.Store.SetImportHeader(ctx, i.ID, nil, "ndjson") },
		func() error { return s.Store.AddRows(ctx, i.ID, 0, []store.ImportRow{row}) },
		func() error { return s.Store.SealImport(ctx, i.ID, 1) },
	} {
		if err := step(); err != nil {
			if ferr := s.Store.FailImport(context.WithoutCancel(ctx), i.ID, fail(err).Detail, s.now()); ferr != nil {
				s.Log.Error("fail import", "import_id", i.ID, "error", ferr)
			}
			return i, err
		}
	}
	if err := relay.StartImport(ctx, s.Temporal, i.ID, 1); err != nil { // the row is stored: a worker takes it up
		s.Log.Warn("import not started yet", "import_id", i.ID, "error", err)
	}
	return s.awaitImport(ctx, i)
}

// awaitImport looks until the import has ended, the caller has gone or the time
// is over; the last two leave it unfinished.
func (s *Server) awaitImport(ctx context.Context, i campaign.Import) (campaign.Import, error) {
	waiting, cancel := context.WithTimeout(ctx, upsertTime)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		now, err := s.Store.Import(ctx, i.CampaignID, i.ID)
		if err != nil || now.FinishedAt != nil {
			return now, err
		}
		select {
		case <-waiting.Done():
			return now, ctx.Err()
		case <-tick.C:
		}
	}
}

// importProblem says why the one row of an import failed; nil if it did not.
func (s *Server) importProblem(ctx context.Context, i *campaign.Import) error {
	if i.Status == campaign.ImportFailed {
		return campaign.Errorf(campaign.CodeUnavailable, "the contact could not be taken in: %s", i.Reason)
	}
	if i.Failed == 0 {
		return nil
	}
	var errs []campaign.RowError
	err := s.Store.RowErrors(ctx, i.ID, func(e campaign.RowError, warning bool) error {
		if !warning {
			errs = append(errs, e)
		}
		return nil
	})
	if err != nil {
		return err
	}
	return rowProblem(errs)
}
