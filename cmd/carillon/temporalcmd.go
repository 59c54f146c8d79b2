package main

import (
	"context"
	"errors"
	"fmt"
	"io"
)

// temporalCmd runs only the Temporal dev server, as dev does, for trying api
// and worker as processes of their own.
type temporalCmd struct {
	Data   string `default:"./.carillon" env:"CARILLON_DATA" help:"Directory of the server's state."`
	Port   int    `default:"7233" help:"Port of the service; 0 picks a free one."`
	UIPort int    `name:"ui-port" default:"8233" help:"Port of the Web UI; 0 picks a free one."`
}

// Run serves until the context ends.
func (c *temporalCmd) Run(ctx context.Context, out io.Writer) error {
	server, err := startDevServer(ctx, devServerOptions{DataDir: c.Data, Port: c.Port, UIPort: c.UIPort})
	if err != nil {
		return err
	}
	defer server.Stop()
	if _, err := fmt.Fprintf(out, `{"ready":true,"temporal":%q,"ui":%q}`+"\n", server.HostPort(), server.UIURL()); err != nil {
		return err
	}
	select {
	case <-ctx.Done():
		return nil
	case <-server.Done():
		return errors.New("the Temporal dev server ended by itself")
	}
}
