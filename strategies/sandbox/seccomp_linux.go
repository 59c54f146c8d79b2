//go:build linux && (amd64 || arm64)

package sandbox

import (
	"fmt"
	"os"
	"unsafe"

	"golang.org/x/sys/unix"
)

// The instructions of the classic packet filter that are used here.
const (
	opLoad    = unix.BPF_LD | unix.BPF_W | unix.BPF_ABS
	opEqual   = unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K
	opAtLeast = unix.BPF_JMP | unix.BPF_JGE | unix.BPF_K
	opAnySet  = unix.BPF_JMP | unix.BPF_JSET | unix.BPF_K
	opAnd     = unix.BPF_ALU | unix.BPF_AND | unix.BPF_K
	opReturn  = unix.BPF_RET | unix.BPF_K

	verdictAllow = 0x7fff0000
	verdictError = 0x00050000
	verdictKill  = 0x80000000

	atNumber = 0
	atArch   = 4
	atArgs   = 16 // low words first: both machines are little endian

	typeMask = 0xf // of a socket's type, without its flags
)

// forbidden holds the calls no strategy needs, on every machine; forbiddenHere adds those of this one.
func forbidden() []uint32 {
	return append(forbiddenHere(),
		unix.SYS_PTRACE, unix.SYS_PROCESS_VM_READV, unix.SYS_PROCESS_VM_WRITEV, unix.SYS_PROCESS_MADVISE, unix.SYS_KCMP,
		unix.SYS_PIDFD_OPEN, unix.SYS_PIDFD_GETFD, unix.SYS_PIDFD_SEND_SIGNAL, unix.SYS_TKILL, unix.SYS_RT_SIGQUEUEINFO, unix.SYS_RT_TGSIGQUEUEINFO,
		unix.SYS_MOUNT, unix.SYS_UMOUNT2, unix.SYS_PIVOT_ROOT, unix.SYS_CHROOT, unix.SYS_FSOPEN, unix.SYS_FSMOUNT, unix.SYS_FSCONFIG, unix.SYS_FSPICK,
		unix.SYS_MOVE_MOUNT, unix.SYS_OPEN_TREE, unix.SYS_MOUNT_SETATTR, unix.SYS_UNSHARE, unix.SYS_SETNS,
		unix.SYS_KEYCTL, unix.SYS_ADD_KEY, unix.SYS_REQUEST_KEY, unix.SYS_BPF, unix.SYS_PERF_EVENT_OPEN, unix.SYS_USERFAULTFD,
		unix.SYS_IO_URING_SETUP, unix.SYS_IO_URING_ENTER, unix.SYS_IO_URING_REGISTER,
		unix.SYS_OPEN_BY_HANDLE_AT, unix.SYS_NAME_TO_HANDLE_AT, unix.SYS_PERSONALITY,
		unix.SYS_INIT_MODULE, unix.SYS_FINIT_MODULE, unix.SYS_DELETE_MODULE, unix.SYS_KEXEC_LOAD, unix.SYS_REBOOT, unix.SYS_SWAPON, unix.SYS_SWAPOFF,
		unix.SYS_SETTIMEOFDAY, unix.SYS_CLOCK_SETTIME, unix.SYS_ADJTIMEX, unix.SYS_CLOCK_ADJTIME, unix.SYS_ACCT, unix.SYS_QUOTACTL, unix.SYS_SYSLOG,
		unix.SYS_FANOTIFY_INIT, unix.SYS_MBIND, unix.SYS_MOVE_PAGES, unix.SYS_MIGRATE_PAGES, unix.SYS_SCHED_SETAFFINITY,
		unix.SYS_SHMGET, unix.SYS_MSGGET, unix.SYS_SEMGET, unix.SYS_MQ_OPEN, unix.SYS_MEMFD_CREATE,
		unix.SYS_BIND, unix.SYS_LISTEN, unix.SYS_ACCEPT, unix.SYS_ACCEPT4,
	)
}

// filterCalls installs the filter on this thread.
func filterCalls(network bool) (string, error) {
	program := filter(network, uint32(os.Getpid())) // execve keeps the process id
	p := unix.SockFprog{Len: uint16(len(program)), Filter: &program[0]}
	if _, _, e := unix.Syscall(unix.SYS_PRCTL, unix.PR_SET_SECCOMP, unix.SECCOMP_MODE_FILTER, uintptr(unsafe.Pointer(&p))); e != 0 {
		return "", e
	}
	return fmt.Sprintf("%d instructions", len(program)), nil
}

func filter(network bool, pid uint32) []unix.SockFilter {
	program := []unix.SockFilter{
		do(opLoad, atArch), jump(opEqual, auditArch, 1, 0), do(opReturn, verdictKill),
		do(opLoad, atNumber),
	}
	if foreignCalls != 0 {
		program = append(program, jump(opAtLeast, foreignCalls, 0, 1), do(opReturn, verdictKill))
	}
	deny := func(number uint32, e unix.Errno) {
		program = append(program, jump(opEqual, number, 0, 1), do(opReturn, verdictError|uint32(e)))
	}
	// only lets a call through when the test of its arguments does; the test ends with two jumps' distance to go.
	only := func(number uint32, e unix.Errno, test ...unix.SockFilter) {
		program = append(program, jump(opEqual, number, 0, uint8(len(test)+2)))
		program = append(program, test...)
		program = append(program, do(opReturn, verdictAllow), do(opReturn, verdictError|uint32(e)))
	}
	deny(unix.SYS_CLONE3, unix.ENOSYS) // its flags are out of reach; the C library falls back to clone
	for _, number := range forbidden() {
		deny(number, unix.EPERM)
	}
	only(unix.SYS_CLONE, unix.EPERM, do(opLoad, atArgs), jump(opAnySet, unix.CLONE_THREAD, 0, 1))
	only(unix.SYS_PRLIMIT64, unix.EPERM, do(opLoad, atArgs), jump(opEqual, 0, 0, 1))
	only(unix.SYS_KILL, unix.EPERM, do(opLoad, atArgs), jump(opEqual, pid, 0, 1))
	only(unix.SYS_TGKILL, unix.EPERM, do(opLoad, atArgs), jump(opEqual, pid, 0, 1))
	// A pair of datagram sockets could still send to any socket in the file system.
	only(unix.SYS_SOCKETPAIR, unix.EACCES, do(opLoad, atArgs+8), do(opAnd, typeMask), jump(opEqual, unix.SOCK_STREAM, 0, 1))
	if network {
		// Landlock asks for the port of TCP only: other protocols of streams (MPTCP, SCTP) would pass it by.
		only(unix.SYS_SOCKET, unix.EACCES,
			do(opLoad, atArgs), jump(opEqual, unix.AF_INET, 1, 0), jump(opEqual, unix.AF_INET6, 0, 7),
			do(opLoad, atArgs+8), do(opAnd, typeMask), jump(opEqual, unix.SOCK_STREAM, 0, 4),
			do(opLoad, atArgs+16), jump(opEqual, 0, 1, 0), jump(opEqual, unix.IPPROTO_TCP, 0, 1))
		// So would a connection that is made by sending.
		for number, flags := range map[uint32]uint32{unix.SYS_SENDTO: 3, unix.SYS_SENDMSG: 2, unix.SYS_SENDMMSG: 3} {
			only(number, unix.EACCES, do(opLoad, atArgs+8*flags), jump(opAnySet, unix.MSG_FASTOPEN, 1, 0))
		}
	} else {
		deny(unix.SYS_SOCKET, unix.EACCES)
		deny(unix.SYS_CONNECT, unix.EACCES)
	}
	return append(program, do(opReturn, verdictAllow))
}

func do(code uint16, k uint32) unix.SockFilter { return unix.SockFilter{Code: code, K: k} }

func jump(code uint16, k uint32, yes, no uint8) unix.SockFilter {
	return unix.SockFilter{Code: code, K: k, Jt: yes, Jf: no}
}
