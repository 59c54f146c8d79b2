//go:build unix && !linux

package main

import "syscall"

// childAttributes puts the child in its own group. Nothing here kills it with us: after a kill -9 it lives on, holds
// the data directory's lock, and the next start says so instead of sharing its database.
func childAttributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true}
}
