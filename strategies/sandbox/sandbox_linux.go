package sandbox

import (
	"fmt"
	"os"
	"runtime"
	"strings"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Supported says whether this system can confine a program at all.
const Supported = true

// Enter confines this process and replaces it by the program; told hears what holds right before. It returns only
// when something failed, and the process is of no use after that.
func Enter(c Config, told func(Report) error) error {
	// Landlock and seccomp bind a thread, and execve keeps this one.
	runtime.LockOSThread()
	report := Report{UID: os.Getuid()}
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return fmt.Errorf("renounce privileges: %w", err)
	}
	var err error
	if report.Landlock, err = restrictFiles(c); err != nil {
		report.Problems = append(report.Problems, "landlock: "+err.Error())
	}
	if os.Getuid() == 0 {
		report.UID = dropRoot(c.UID, &report)
	}
	// After the change of user, which forgets it.
	if err := unix.Prctl(unix.PR_SET_PDEATHSIG, uintptr(unix.SIGKILL), 0, 0, 0); err != nil {
		report.Problems = append(report.Problems, "parent death signal: "+err.Error())
	}
	if c.Parent != 0 && os.Getppid() != c.Parent {
		return fmt.Errorf("parent %d is gone", c.Parent)
	}
	report.Limits = limitResources(c)
	if report.Seccomp, err = filterCalls(c.Port != 0); err != nil {
		report.Problems = append(report.Problems, "seccomp: "+err.Error())
	}
	if err := told(report); err != nil {
		return fmt.Errorf("report the sandbox: %w", err)
	}
	if len(report.Problems) > 0 && !c.Lenient {
		return fmt.Errorf("%w: %s", ErrUnavailable, strings.Join(report.Problems, "; "))
	}
	return execute(c)
}

// dropRoot becomes another user; where that fails it stays root without any capability.
func dropRoot(uid int, report *Report) int {
	for capability := uintptr(0); capability < 64; capability++ {
		if _, _, e := unix.RawSyscall(unix.SYS_PRCTL, unix.PR_CAPBSET_DROP, capability, 0); e != 0 {
			break // past the last one
		}
	}
	if uid == 0 {
		return 0
	}
	// Raw calls, because only this thread matters and the others must not be asked.
	id := uintptr(uid)
	if _, _, e := unix.RawSyscall(unix.SYS_SETGROUPS, 0, 0, 0); e != 0 {
		report.Problems = append(report.Problems, "leave root's groups: "+e.Error())
	}
	if _, _, e := unix.RawSyscall(unix.SYS_SETRESGID, id, id, id); e != 0 {
		report.Problems = append(report.Problems, "leave root's group: "+e.Error())
	}
	if _, _, e := unix.RawSyscall(unix.SYS_SETRESUID, id, id, id); e != 0 {
		report.Problems = append(report.Problems, "stop being root: "+e.Error())
		return 0
	}
	return uid
}

func limitResources(c Config) string {
	for _, l := range []struct {
		resource int
		value    uint64
	}{
		{unix.RLIMIT_CORE, 0},
		{unix.RLIMIT_FSIZE, 0},
		{unix.RLIMIT_NOFILE, 256},
		{unix.RLIMIT_MEMLOCK, 0},
		{unix.RLIMIT_MSGQUEUE, 0},
		{unix.RLIMIT_STACK, 8 << 20},
	} {
		// A limit that is already lower stays.
		var now unix.Rlimit
		if unix.Getrlimit(l.resource, &now) == nil && now.Max < l.value {
			continue
		}
		_ = unix.Setrlimit(l.resource, &unix.Rlimit{Cur: l.value, Max: l.value})
	}
	return fmt.Sprintf("memory %d MiB, no files written, no core", c.Memory>>20)
}

// execute replaces the process. The limit of the address space comes last, and nothing of Go may allocate after it:
// the runtime itself reserves more than the limit and dies when it cannot grow.
func execute(c Config) error {
	path, err := unix.BytePtrFromString(c.Argv[0])
	if err != nil {
		return fmt.Errorf("execute %s: %w", c.Argv[0], err)
	}
	argv, err := syscall.SlicePtrFromStrings(c.Argv)
	if err != nil {
		return fmt.Errorf("execute %s: %w", c.Argv[0], err)
	}
	env, err := syscall.SlicePtrFromStrings(c.Env)
	if err != nil {
		return fmt.Errorf("execute %s: %w", c.Argv[0], err)
	}
	limit := unix.Rlimit{Cur: c.Memory, Max: c.Memory}
	if c.Memory > 0 {
		_, _, _ = unix.RawSyscall6(unix.SYS_PRLIMIT64, 0, unix.RLIMIT_AS, uintptr(unsafe.Pointer(&limit)), 0, 0, 0)
	}
	_, _, e := unix.RawSyscall(unix.SYS_EXECVE, uintptr(unsafe.Pointer(path)), uintptr(unsafe.Pointer(&argv[0])), uintptr(unsafe.Pointer(&env[0])))
	return e
}
