package strategies

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"sync/atomic"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

const pageSize = 4096

func processAttributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}

// page is memory shared with a worker: which call's code runs there, and a serial that grows with every step. It needs no
// answer from a worker that cannot give one.
type page struct{ memory []byte }

func newPage() (*page, *os.File, error) {
	fd, err := unix.MemfdCreate("carillon-strategy", unix.MFD_CLOEXEC|unix.MFD_ALLOW_SEALING)
	if err != nil {
		return nil, nil, fmt.Errorf("make a page: %w", err)
	}
	file := os.NewFile(uintptr(fd), "page")
	if err := file.Truncate(pageSize); err != nil {
		_ = file.Close()
		return nil, nil, fmt.Errorf("make a page: %w", err)
	}
	// A worker that shrank it would end us with a bus error.
	if _, err := unix.FcntlInt(uintptr(fd), unix.F_ADD_SEALS, unix.F_SEAL_SHRINK|unix.F_SEAL_GROW|unix.F_SEAL_SEAL); err != nil {
		_ = file.Close()
		return nil, nil, fmt.Errorf("seal a page: %w", err)
	}
	memory, err := unix.Mmap(fd, 0, pageSize, unix.PROT_READ, unix.MAP_SHARED)
	if err != nil {
		_ = file.Close()
		return nil, nil, fmt.Errorf("map a page: %w", err)
	}
	return &page{memory: memory}, file, nil
}

// read returns the id of the call that runs, 0 for none, and the serial of its step.
func (p *page) read() (id, serial uint64) {
	if p == nil {
		return 0, 0
	}
	words := (*[2]uint64)(unsafe.Pointer(&p.memory[0]))
	return atomic.LoadUint64(&words[0]), atomic.LoadUint64(&words[1])
}

func (p *page) close() {
	if p != nil {
		_ = unix.Munmap(p.memory)
	}
}

// residentBytes is the memory a process holds, 0 if unknown.
func residentBytes(pid int) uint64 {
	b, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/statm")
	fields := bytes.Fields(b)
	if err != nil || len(fields) < 2 {
		return 0
	}
	pages, err := strconv.ParseUint(string(fields[1]), 10, 64)
	if err != nil {
		return 0
	}
	return pages * uint64(os.Getpagesize())
}

// cpuTime is what a process has computed so far, 0 if unknown.
func cpuTime(pid int) time.Duration {
	b, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return 0
	}
	fields := bytes.Fields(b[bytes.LastIndexByte(b, ')')+1:])
	if len(fields) < 13 {
		return 0
	}
	user, err1 := strconv.ParseInt(string(fields[11]), 10, 64)
	system, err2 := strconv.ParseInt(string(fields[12]), 10, 64)
	if err1 != nil || err2 != nil {
		return 0
	}
	return time.Duration(user+system) * 10 * time.Millisecond // the kernel's USER_HZ is 100
}
