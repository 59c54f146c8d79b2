//go:build !linux

package sandbox

// Supported says whether this system can confine a program at all.
const Supported = false

// Enter refuses: only Linux is supported.
func Enter(Config, func(Report) error) error { return ErrUnavailable }
