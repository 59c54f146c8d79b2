package activities

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"carillon/campaign"
	"carillon/relay"
	"carillon/store"
	"carillon/workflows"
)

// Times after which something that a process left is taken up by another.
const (
	leftAlone      = 20 * time.Second    // a commit whose call to Temporal never came
	uploadBroken   = 2 * time.Hour       // an upload that stopped in the middle
	sweepLeft      = 10 * time.Minute    // a hold, and the end of its cause: a release under way has a policy of its own
	capsLeft       = 72 * time.Hour      // a day of a campaign's daily cap, whatever its zone
	reportsCrossed = time.Hour           // a report that came while its send was being settled
	reportsLeft    = 30 * 24 * time.Hour // providers repeat for 7 days at most
	strangersLeft  = 7 * 24 * time.Hour  // reports of what other programs sent through the same account
	memosLeft      = 24 * time.Hour      // an ended contact whose last workflow task is surely over
)

// Reconcile takes up what a process left that died between its commit and its
// call to Temporal: contacts of a running campaign that nobody launches,
// contacts of a stopped one that nobody stops, imports nobody processes, sweeps
// that Temporal does not know of, holds whose cause is gone. Everything it starts is idempotent, so workers may run
// it at the same time.
func (a *Activities) Reconcile(ctx context.Context) error {
	return errors.Join(a.reconcileCampaigns(ctx), a.reconcileImports(ctx), a.reconcileSweeps(ctx), a.reconcileHolds(ctx), a.grantFree(ctx), a.matchReports(ctx), a.findLost(ctx))
}

func (a *Activities) reconcileCampaigns(ctx context.Context) error {
	for _, status := range []campaign.Status{campaign.Running, campaign.Stopped} {
		for cursor := ""; ; {
			page, err := a.Store.Campaigns(ctx, store.CampaignFilter{Status: status}, store.Page{Limit: 200, Cursor: cursor})
			if err != nil {
				return err
			}
			for i := range page.Items {
				if err := a.reconcileCampaign(ctx, &page.Items[i]); err != nil {
					return err
				}
			}
			if cursor = page.Next; cursor == "" {
				break
			}
		}
	}
	return nil
}

func (a *Activities) reconcileCampaign(ctx context.Context, c *campaign.Campaign) error {
	if a.now().Sub(c.UpdatedAt) < leftAlone {
		return nil
	}
	if c.Status == campaign.Stopped {
		if left, err := a.Store.Unended(ctx, c.ID); err != nil || !left {
			return err
		}
		return relay.Sweep(ctx, a.Temporal, workflows.SweepInput{ID: "stop-" + c.ID, Kind: workflows.SweepStop, CampaignID: c.ID, Since: c.UpdatedAt})
	}
	if waits, err := a.Store.Launchable(ctx, c.ID); err != nil || !waits {
		return err
	}
	return relay.Wake(ctx, a.Temporal, c.ID)
}

func (a *Activities) reconcileImports(ctx context.Context) error {
	left, err := a.Store.Unfinished(ctx, a.now().Add(-leftAlone))
	if err != nil {
		return err
	}
	for _, i := range left {
		switch {
		case i.Status == campaign.ImportProcessing:
			err = relay.StartImport(ctx, a.Temporal, i.ID, i.Chunks)
		case a.now().Sub(i.Began) > uploadBroken:
			err = a.Store.FailImport(ctx, i.ID, "the upload was cut off: send the file again", a.now())
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// reconcileSweeps starts what was kept and not started. A sweep that was started
// and not dropped is started again, which does no harm.
func (a *Activities) reconcileSweeps(ctx context.Context) error {
	left, err := a.Store.SweepsLeft(ctx, a.now().Add(-leftAlone))
	for _, kept := range left {
		var in workflows.SweepInput
		if err := json.Unmarshal(kept.Spec, &in); err != nil {
			return fmt.Errorf("read sweep %s: %w", kept.ID, err)
		}
		in.Since = a.now()
		if err := relay.Sweep(ctx, a.Temporal, in); err != nil {
			return err
		}
		if err := a.Store.DropSweep(ctx, kept.ID); err != nil {
			return err
		}
	}
	return err
}

func (a *Activities) reconcileHolds(ctx context.Context) error {
	causes, err := a.Store.HoldCauses(ctx)
	if err != nil {
		return err
	}
	for _, h := range causes {
		if a.now().Sub(h.At) < sweepLeft {
			continue
		}
		gone, changed, err := a.causeGone(ctx, h.CampaignID, h.Cause, h.Ref)
		if err != nil {
			return err
		}
		if !gone || a.now().Sub(changed) < sweepLeft {
			continue
		}
		if err := relay.Sweep(ctx, a.Temporal, workflows.SweepInput{
			ID: fmt.Sprintf("release-%s-%s-left", h.Cause, h.Ref), Kind: workflows.SweepRelease, CampaignID: h.CampaignID, Since: h.At,
			Release: &campaign.Release{Cause: h.Cause, Ref: h.Ref, Policy: campaign.ResumeNow},
		}); err != nil {
			return err
		}
	}
	return nil
}

func (a *Activities) grantFree(ctx context.Context) error {
	granted, err := a.Store.GrantFree(ctx, a.now())
	for i := range granted {
		a.tell(ctx, &granted[i])
	}
	return err
}

// matchReports finds what reports are about that crossed with their sends.
func (a *Activities) matchReports(ctx context.Context) error {
	told, err := a.Store.RematchReports(ctx, a.now().Add(-reportsCrossed), a.now())
	if err != nil || len(told) == 0 {
		return err
	}
	return a.Relay.DeliverAll(ctx, told)
}

// Tidy drops what no workflow can need any more.
func (a *Activities) Tidy(ctx context.Context) error {
	v, err := a.settings(ctx)
	if err != nil {
		return err
	}
	if v.Retention > 0 {
		err = a.Store.PruneDecisions(ctx, a.now().Add(-time.Duration(v.Retention)))
	}
	return errors.Join(err, a.Store.PruneCaps(ctx, a.now().Add(-capsLeft)), a.Store.DropMemos(ctx, a.now().Add(-memosLeft)),
		a.Store.DropReports(ctx, a.now().Add(-reportsLeft), a.now().Add(-strangersLeft)))
}

// causeGone says whether a cause holds nobody any more, and when its record last
// changed (zero if there is none).
func (a *Activities) causeGone(ctx context.Context, campaignID, cause, ref string) (gone bool, changed time.Time, err error) {
	switch cause {
	case campaign.HeldCampaign:
		c, err := a.Store.Campaign(ctx, ref)
		return isNotFound(err) || c.Status == campaign.Running, c.UpdatedAt, ignoreMissing(err)
	case campaign.HeldStage:
		s, err := a.Store.Stage(ctx, campaignID, ref)
		return isNotFound(err) || !s.Paused, s.UpdatedAt, ignoreMissing(err)
	case campaign.HeldIntegration:
		i, err := a.Store.Integration(ctx, ref)
		return isNotFound(err) || !i.Paused, i.UpdatedAt, ignoreMissing(err)
	case campaign.HeldAgentStopped:
		g, err := a.Store.Agent(ctx, ref)
		return isNotFound(err) || g.Status.Runs(), g.UpdatedAt, ignoreMissing(err)
	default:
		return false, changed, nil
	}
}

func ignoreMissing(err error) error {
	if isNotFound(err) {
		return nil
	}
	return err
}
