// Package sandbox replaces this process by another program that may read a few named files, compute, and talk over
// the descriptors it was given: no other file, no process, no socket, no signal to others, bounded memory.
//
// It is made of Landlock, a seccomp filter, resource limits, an empty environment and, as root, another user. None of
// them needs a privilege, a namespace or a control group. It imports nothing of ours. On other systems than Linux it
// refuses to work, which leaves the caller to run the program unsandboxed.
package sandbox

import "errors"

// ErrUnavailable says that this system cannot confine a program as asked.
var ErrUnavailable = errors.New("the sandbox is unavailable on this system")

// Config says what the program is and what is left to it.
type Config struct {
	Argv []string `json:"argv"` // Argv[0] is an absolute path
	Env  []string `json:"env"`
	// Read lists files and folders the program may read, Execute those it may also execute. Missing ones are skipped.
	Read    []string `json:"read"`
	Execute []string `json:"execute"`
	// Port is the one TCP port it may connect to, on any address; 0 forbids sockets altogether.
	Port int `json:"port"`
	// Memory bounds its address space in bytes; 0 does not.
	Memory uint64 `json:"memory"`
	// UID is the user and group to become when this process is root; 0 stays.
	UID int `json:"uid"`
	// Parent is the process whose death ends the program.
	Parent int `json:"parent"`
	// Lenient goes on where a layer is missing, instead of refusing.
	Lenient bool `json:"lenient"`
}

// Report says which layers hold.
type Report struct {
	Landlock string   `json:"landlock"`
	Seccomp  string   `json:"seccomp"`
	Limits   string   `json:"limits"`
	UID      int      `json:"uid"`
	Problems []string `json:"problems,omitempty"` // missing layers, in words
}
