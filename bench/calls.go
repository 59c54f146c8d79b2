package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os/exec"
	"time"

	"carillon/strategies"
)

// callsCode is the manual's aggregation.
const callsCode = `
async def run(contact: Contact, session_results: dict | None, logger, **kwargs) -> Contact:
    for comm in contact.communications:
        if comm.flagged:
            comm.status.status = CommunicationStatus.COMPLETED
    outcome = session_results.get("OutcomeStatus", "NO_RESPONSE")
    if outcome == "NO_RESPONSE":
        contact.communications.append(Communication(
            name="Follow-up", stage_name="Second Attempt", start_date=datetime.now() + timedelta(days=1)))
    return contact
`

const callsContact = `{"id":"ct_1","campaign_id":"ca_1","name":"Ann","email":"ann@example.com","phone":"+14155550123","object_id":"O-1",
"external_id":"E-1","status":"active","current_stage":"First Contact","parameters":{"amount":"120 EUR"},"results":{},"internal_data":{},
"communications":[{"id":"ct_1-1","name":"First","stage_name":"First Contact","start_date":"2026-11-02T09:00:00Z","flagged":true,
"status":{"status":"NO_RESPONSE","at":"2026-11-05T09:00:00Z"}}],"created_at":"2026-11-01T09:00:00Z","updated_at":"2026-11-05T09:00:00Z"}`

// calls runs an aggregation in batches through a pool of one worker, as an import does with data_load: the worker has
// one core, our side of the pipe another.
func calls(ctx context.Context, l *lab) (result, error) {
	if _, err := exec.LookPath("python3"); err != nil {
		return result{}, err
	}
	pool, err := strategies.Open(strategies.Options{Workers: 1, Sandbox: strategies.Required}) //nolint:contextcheck // lives until Close
	sandbox := "sandbox required"
	if err != nil {
		sandbox = "sandbox best effort, since: " + err.Error()
		if pool, err = strategies.Open(strategies.Options{Workers: 1, Sandbox: strategies.BestEffort}); err != nil { //nolint:contextcheck // as above
			return result{}, err
		}
	}
	defer pool.Close()
	job := strategies.Job{
		CampaignID: "ca_1", Timezone: "Europe/Berlin", Deadline: 10 * time.Second,
		Kwargs: json.RawMessage(`{"campaign":{"id":"ca_1","name":"Debts"},"stages":[{"name":"First Contact"},{"name":"Second Attempt"}],"rules":{}}`),
		Source: strategies.Source{Key: "bench", Type: strategies.Aggregation, Function: "run", Filename: "bench.py", Code: callsCode},
	}
	call := strategies.Call{
		Contact: json.RawMessage(callsContact), Now: time.Now(), SessionResults: json.RawMessage(`{"OutcomeStatus":"NO_RESPONSE"}`),
		Kwargs: json.RawMessage(`{"communication_id":"ct_1-1","idempotency_key":"ct_1/7"}`),
	}
	frame := make([]strategies.Call, 200)
	for i := range frame {
		frame[i] = call
	}
	batches := l.size(200, 10)
	var rates []float64
	for range 6 { // the first one warms up
		began := time.Now()
		for range batches {
			results, err := pool.RunBatch(ctx, job, frame)
			if err != nil {
				return result{}, err
			}
			if results[0].Err != nil {
				return result{}, fmt.Errorf("the strategy failed: %s", results[0].Err.Error())
			}
		}
		rates = append(rates, float64(batches*len(frame))/time.Since(began).Seconds())
	}
	rates = rates[1:]
	return judged(median(rates) >= 10_000, fmt.Sprintf("%s; %s", figures(rates, "%.0f"), sandbox), "%.0f/s", median(rates)), nil
}
