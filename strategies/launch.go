package strategies

import (
	"encoding/json"
	"fmt"
	"os"

	"carillon/strategies/sandbox"
)

const (
	launchWord     = "__strategy-exec"
	launchVariable = "CARILLON_STRATEGY_EXEC"
)

// LaunchIfAsked turns this process into a sandboxed strategy worker if a pool started it as one; then it never returns.
// A program with a pool, and its tests' TestMain, must call it before anything else.
func LaunchIfAsked() {
	if len(os.Args) < 2 || os.Args[1] != launchWord {
		return
	}
	err := launch(os.NewFile(controlFD, "control"))
	fmt.Fprintf(os.Stderr, "launch strategy worker: %v\n", err)
	os.Exit(126)
}

// launch reads its orders from the control socket, says what holds and becomes the interpreter.
func launch(control *os.File) error {
	orders, err := readFrame(control)
	if err != nil {
		return fmt.Errorf("read orders: %w", err)
	}
	var config sandbox.Config
	if err := json.Unmarshal(orders, &config); err != nil {
		return fmt.Errorf("read orders: %w", err)
	}
	return sandbox.Enter(config, func(r sandbox.Report) error {
		head, err := json.Marshal(reply{T: "sandbox", Sandbox: &r})
		if err != nil {
			return err
		}
		return writeFrame(control, append(head, '\n'))
	})
}
