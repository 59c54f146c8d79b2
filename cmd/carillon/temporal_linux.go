package main

import "syscall"

// childAttributes puts the child in its own group and has the kernel kill it when we die, however we die.
func childAttributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}
