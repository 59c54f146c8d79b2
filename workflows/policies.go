package workflows

import (
	"time"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"
)

// Types of the errors that activities return for the workflow to act on. They
// are part of histories: never rename one.
const (
	ErrTypeSlow  = "StrategySlow" // the local budget is too short for this strategy, or agent
	ErrTypeStale = "StaleRun"     // a newer run owns the contact
	ErrTypeGone  = "Gone"         // the contact was deleted
)

// quick is for store work of a few milliseconds. It is repeated for ever: a
// store that is away must lose nothing.
func quick(summary string) workflow.LocalActivityOptions {
	return workflow.LocalActivityOptions{
		StartToCloseTimeout: 10 * time.Second,
		RetryPolicy: &temporal.RetryPolicy{
			InitialInterval: 100 * time.Millisecond, BackoffCoefficient: 2, MaximumInterval: 30 * time.Second,
			NonRetryableErrorTypes: []string{ErrTypeStale, ErrTypeGone},
		},
		Summary: limit(summary),
	}
}

// budget is for a strategy run in place: one second in the runner, half a
// second more for the way there and back, and never a second try.
func budget(summary string) workflow.LocalActivityOptions {
	return workflow.LocalActivityOptions{
		ScheduleToCloseTimeout: 1500 * time.Millisecond,
		RetryPolicy:            &temporal.RetryPolicy{MaximumAttempts: 1},
		Summary:                limit(summary),
	}
}

// strategyRun is for a strategy that needs its time; the runner's own deadline
// is shorter than StartToClose. System trouble is repeated for ever, a
// strategy's own failure is a result.
func strategyRun(campaignID, summary string) workflow.ActivityOptions {
	return workflow.ActivityOptions{
		TaskQueue:           QueueStrategies,
		StartToCloseTimeout: 60 * time.Second,
		RetryPolicy: &temporal.RetryPolicy{
			InitialInterval: time.Second, BackoffCoefficient: 2, MaximumInterval: time.Minute,
			NonRetryableErrorTypes: []string{ErrTypeStale, ErrTypeGone},
		},
		Priority: temporal.Priority{FairnessKey: campaignID},
		Summary:  limit(summary),
	}
}

// turnRun is for a turn of an agent outside this process. Trouble on the way
// there is repeated for ever; what the agent itself cannot do is a result.
func turnRun(campaignID, summary string) workflow.ActivityOptions {
	return workflow.ActivityOptions{
		TaskQueue:           QueueAgents,
		StartToCloseTimeout: 2 * time.Minute,
		HeartbeatTimeout:    15 * time.Second, // a worker that dies is noticed while the model still thinks
		RetryPolicy: &temporal.RetryPolicy{
			InitialInterval: time.Second, BackoffCoefficient: 2, MaximumInterval: 5 * time.Minute,
			NonRetryableErrorTypes: []string{ErrTypeStale, ErrTypeGone},
		},
		Priority: temporal.Priority{FairnessKey: campaignID, PriorityKey: 1},
		Summary:  limit(summary),
	}
}

// providerCall is for one message. The provider's client gives up after 10 s,
// so 15 s is over whatever happened; a worker that dies is noticed then. A
// message still not taken after a day is a person's business.
func providerCall(queue, campaignID, summary string, priority int) workflow.ActivityOptions {
	return workflow.ActivityOptions{
		TaskQueue:              queue,
		StartToCloseTimeout:    15 * time.Second,
		ScheduleToCloseTimeout: 24 * time.Hour,
		RetryPolicy: &temporal.RetryPolicy{
			InitialInterval: time.Second, BackoffCoefficient: 2, MaximumInterval: 5 * time.Minute,
			NonRetryableErrorTypes: []string{ErrTypeStale, ErrTypeGone},
		},
		Priority: temporal.Priority{FairnessKey: campaignID, PriorityKey: priority},
		Summary:  limit(summary),
	}
}

// officeWork is for chunks of imports, launches and sweeps; they heartbeat and
// find their own marks when repeated.
func officeWork(summary string) workflow.ActivityOptions {
	return workflow.ActivityOptions{
		TaskQueue:           QueueOffice,
		StartToCloseTimeout: 30 * time.Minute,
		HeartbeatTimeout:    15 * time.Second,
		RetryPolicy: &temporal.RetryPolicy{
			InitialInterval: time.Second, BackoffCoefficient: 2, MaximumInterval: 30 * time.Second,
			NonRetryableErrorTypes: []string{ErrTypeGone},
		},
		Summary: limit(summary),
	}
}
