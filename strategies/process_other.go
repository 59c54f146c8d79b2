//go:build !unix

package strategies

import (
	"errors"
	"os"
	"os/exec"
)

type process struct {
	cmd          *exec.Cmd
	control      *os.File
	dump, output *capture
	page         *page
	exited       chan struct{}
	status       string
}

func startProcess([]string, []string) (*process, error) {
	return nil, errors.New("strategies need a Unix system")
}

func (*process) askDump() {}
func (*process) kill()    {}
