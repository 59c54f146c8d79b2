package sandbox

import "golang.org/x/sys/unix"

const (
	auditArch    = unix.AUDIT_ARCH_AARCH64
	foreignCalls = 0 // there are none
)

// forbiddenHere is short: this machine has neither fork nor vfork, only clone.
func forbiddenHere() []uint32 { return []uint32{unix.SYS_KEXEC_FILE_LOAD} }
