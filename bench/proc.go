package main

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"
)

// tick is the kernel's unit of CPU time in /proc (USER_HZ).
const tick = 10 * time.Millisecond

// stat is one process of /proc.
type stat struct {
	parent int
	cpu    time.Duration // of itself and of its children that have ended
}

func processes() map[int]stat {
	all := map[int]stat{}
	paths, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, path := range paths {
		b, err := os.ReadFile(path)
		if err != nil {
			continue // it has ended
		}
		pid, _ := strconv.Atoi(strings.Split(path, "/")[2])
		f := strings.Fields(string(b[strings.LastIndexByte(string(b), ')')+1:]))
		s := stat{}
		s.parent, _ = strconv.Atoi(f[1])
		for _, field := range f[11:15] {
			n, _ := strconv.Atoi(field)
			s.cpu += time.Duration(n) * tick
		}
		all[pid] = s
	}
	return all
}

// cpuOf is what processes and everything they started have computed.
func cpuOf(pids ...int) (sum time.Duration) {
	all := processes()
	for pid, s := range all {
		for p, ok := s, true; ok; p, ok = all[p.parent] {
			if slices.Contains(pids, pid) {
				sum += s.cpu
				break
			}
			pid = p.parent
		}
	}
	return sum
}

// cpuEach is cpuOf for each of several.
func cpuEach(pids []int) []time.Duration {
	each := make([]time.Duration, len(pids))
	for i, pid := range pids {
		each[i] = cpuOf(pid)
	}
	return each
}

// busy is what all cores have computed for anybody.
func busy() (sum time.Duration) {
	b, err := os.ReadFile("/proc/stat")
	if err != nil {
		return 0
	}
	line, _, _ := strings.Cut(string(b), "\n")
	for i, field := range strings.Fields(line)[1:] {
		if n, err := strconv.Atoi(field); err == nil && i != 3 && i != 4 && i < 8 { // not idle, not waiting for I/O
			sum += time.Duration(n) * tick
		}
	}
	return sum
}

// memory reads VmRSS or VmHWM of a process, in MiB.
func memory(pid int, what string) float64 {
	b, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	for line := range strings.Lines(string(b)) {
		if f := strings.Fields(line); len(f) > 1 && f[0] == what+":" {
			kb, _ := strconv.Atoi(f[1])
			return float64(kb) / 1024
		}
	}
	return 0
}

// others measures the cores that processes other than the given ones used since it was called.
func others(pids ...int) func() float64 {
	all, ours, began := busy(), cpuOf(pids...), time.Now()
	return func() float64 {
		rest := busy() - all - (cpuOf(pids...) - ours)
		return max(0, rest.Seconds()/time.Since(began).Seconds())
	}
}

// calibrate times a fixed piece of work on one core, in ms: how fast the machine is just now.
func calibrate() float64 {
	began := time.Now()
	x := uint64(1)
	for range 100_000_000 {
		x ^= x << 13
		x ^= x >> 7
		x ^= x << 17
	}
	runtime.KeepAlive(x)
	return float64(time.Since(began).Milliseconds())
}
