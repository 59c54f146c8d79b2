// Command carillon runs campaigns: one binary for development (dev), for
// production (migrate, api, worker) and for people at a terminal.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	_ "time/tzdata" // zones must not depend on the machine

	"github.com/alecthomas/kong"

	"carillon/strategies"
)

// version is set by the linker for releases.
var version = "dev"

// commands is every command, with its flags and their environment variables.
type commands struct {
	Dev         devCmd         `cmd:"" help:"Run everything on this machine: Temporal dev server, SQLite, worker, API."`
	API         apiCmd         `cmd:"" name:"api" help:"Serve the REST API."`
	Worker      workerCmd      `cmd:"" help:"Run workflows and activities."`
	Temporal    temporalCmd    `cmd:"" help:"Run only the Temporal dev server, beside api and worker."`
	Migrate     migrateCmd     `cmd:"" help:"Create or upgrade the store's schema."`
	Healthcheck healthcheckCmd `cmd:"" help:"Ask a running API whether it is ready; for containers."`
	Campaign    campaignCmd    `cmd:"" help:"Export a campaign as a file, or apply one."`
	Import      importCmd      `cmd:"" help:"Import a file of contacts into a campaign."`
	Strategy    strategyCmd    `cmd:"" help:"Check or run a strategy file."`
	Replay      replayCmd      `cmd:"" help:"Replay a workflow history against this build."`
	Fakes       fakesCmd       `cmd:"" help:"Run a fake of every provider on this machine, or show a conversation over each."`
	Version     versionCmd     `cmd:"" help:"Print the version."`
}

type versionCmd struct{}

func (versionCmd) Run(out io.Writer) error {
	_, err := fmt.Fprintln(out, version)
	return err
}

func main() {
	strategies.LaunchIfAsked()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout); err != nil && !errors.Is(err, context.Canceled) {
		fmt.Fprintln(os.Stderr, "carillon:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, out io.Writer) error {
	var c commands
	parser, err := kong.New(&c, kong.Name("carillon"), kong.Description("Campaigns that talk to every contact at the right moment, once."),
		kong.UsageOnError(), kong.BindTo(ctx, (*context.Context)(nil)), kong.BindTo(out, (*io.Writer)(nil)))
	if err != nil {
		return err
	}
	k, err := parser.Parse(args)
	if err != nil {
		return err
	}
	return k.Run()
}
