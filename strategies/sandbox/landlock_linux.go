package sandbox

import (
	"errors"
	"fmt"
	"unsafe"

	"golang.org/x/sys/unix"
)

const (
	readAccess    = unix.LANDLOCK_ACCESS_FS_READ_FILE | unix.LANDLOCK_ACCESS_FS_READ_DIR
	executeAccess = readAccess | unix.LANDLOCK_ACCESS_FS_EXECUTE
	firstAccesses = 1<<13 - 1 // everything version 1 knows

	scopeAbstractSockets = 1
	scopeSignals         = 2

	rulePath = 1
	rulePort = 2
)

// rulesetAttr is struct landlock_ruleset_attr; older kernels take a prefix of it.
type rulesetAttr struct{ files, net, scoped uint64 }

// restrictFiles lets this thread, and what it executes, read the listed files and connect to the one port.
// It probes by system call: the list under /sys/kernel/security is often not mounted.
func restrictFiles(c Config) (string, error) {
	version, _, e := unix.Syscall(unix.SYS_LANDLOCK_CREATE_RULESET, 0, 0, unix.LANDLOCK_CREATE_RULESET_VERSION)
	if e != 0 {
		return "", fmt.Errorf("this kernel has none or it is disabled (needs Linux 5.13 with lsm=landlock): %w", e)
	}
	attr, size := rulesetAttr{files: firstAccesses}, uintptr(8)
	if version >= 2 {
		attr.files |= unix.LANDLOCK_ACCESS_FS_REFER
	}
	if version >= 3 {
		attr.files |= unix.LANDLOCK_ACCESS_FS_TRUNCATE
	}
	if version >= 4 {
		attr.net, size = unix.LANDLOCK_ACCESS_NET_BIND_TCP|unix.LANDLOCK_ACCESS_NET_CONNECT_TCP, 16
	}
	if version >= 5 {
		attr.files |= unix.LANDLOCK_ACCESS_FS_IOCTL_DEV
	}
	if version >= 6 {
		attr.scoped, size = scopeAbstractSockets|scopeSignals, 24
	}
	if c.Port != 0 && version < 4 {
		return "", errors.New("network needs version 4 (Linux 6.7): the one allowed port cannot be enforced")
	}
	ruleset, _, e := unix.Syscall(unix.SYS_LANDLOCK_CREATE_RULESET, uintptr(unsafe.Pointer(&attr)), size, 0)
	if e != 0 {
		return "", fmt.Errorf("create a ruleset: %w", e)
	}
	defer func() { _ = unix.Close(int(ruleset)) }()
	for access, paths := range map[uint64][]string{readAccess: c.Read, executeAccess: c.Execute} {
		for _, path := range paths {
			if err := allow(ruleset, path, access); err != nil {
				return "", err
			}
		}
	}
	if c.Port != 0 {
		rule := [2]uint64{unix.LANDLOCK_ACCESS_NET_CONNECT_TCP, uint64(c.Port)}
		if _, _, e := unix.Syscall6(unix.SYS_LANDLOCK_ADD_RULE, ruleset, rulePort, uintptr(unsafe.Pointer(&rule)), 0, 0, 0); e != 0 {
			return "", fmt.Errorf("allow port %d: %w", c.Port, e)
		}
	}
	if _, _, e := unix.Syscall(unix.SYS_LANDLOCK_RESTRICT_SELF, ruleset, 0, 0); e != 0 {
		return "", fmt.Errorf("restrict: %w", e)
	}
	return fmt.Sprintf("version %d", version), nil
}

func allow(ruleset uintptr, path string, access uint64) error {
	fd, err := unix.Open(path, unix.O_PATH|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil // not on this system
	}
	defer func() { _ = unix.Close(fd) }()
	var stat unix.Stat_t
	if err := unix.Fstat(fd, &stat); err != nil {
		return fmt.Errorf("look at %s: %w", path, err)
	}
	if stat.Mode&unix.S_IFMT != unix.S_IFDIR {
		access &^= unix.LANDLOCK_ACCESS_FS_READ_DIR
	}
	// struct landlock_path_beneath_attr is packed: eight bytes and four.
	var rule [12]byte
	*(*uint64)(unsafe.Pointer(&rule[0])) = access
	*(*int32)(unsafe.Pointer(&rule[8])) = int32(fd)
	if _, _, e := unix.Syscall6(unix.SYS_LANDLOCK_ADD_RULE, ruleset, rulePath, uintptr(unsafe.Pointer(&rule[0])), 0, 0, 0); e != 0 {
		return fmt.Errorf("allow %s: %w", path, e)
	}
	return nil
}
