package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

const (
	databaseFile = "temporal.db"
	markerFile   = "temporal.ok"
	lockFile     = "lock"
	lockPatience = 3 * time.Second // a killed process's server takes a moment to follow it
)

// dataLock keeps a second process off a data directory. The dev server inherits it, so it also outlives a killed
// process until its server has gone.
type dataLock struct{ file *os.File }

// lockDataDir makes the directory if needed and locks it. It waits a moment for a process that is just ending,
// then refuses with the holder's process id.
func lockDataDir(ctx context.Context, dir string) (*dataLock, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("make data directory: %w", err)
	}
	file, err := os.OpenFile(filepath.Join(dir, lockFile), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open lock: %w", err)
	}
	patience := time.After(lockPatience)
	for {
		err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if err == nil {
			break
		}
		if !errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, errors.Join(fmt.Errorf("lock %s: %w", file.Name(), err), file.Close())
		}
		select {
		case <-time.After(50 * time.Millisecond):
		case <-ctx.Done():
			return nil, errors.Join(fmt.Errorf("lock %s: %w", file.Name(), ctx.Err()), file.Close())
		case <-patience:
			holder, _ := io.ReadAll(io.LimitReader(file, 32))
			return nil, errors.Join(fmt.Errorf("data directory %s is in use by another carillon (process %s): stop it, or choose another directory with --data",
				dir, strings.TrimSpace(string(holder))), file.Close())
		}
	}
	if err := file.Truncate(0); err != nil {
		return nil, errors.Join(fmt.Errorf("write lock: %w", err), file.Close())
	}
	if _, err := file.WriteAt(fmt.Appendln(nil, os.Getpid()), 0); err != nil {
		return nil, errors.Join(fmt.Errorf("write lock: %w", err), file.Close())
	}
	return &dataLock{file}, nil
}

// unlock lets the next process in. It is safe on nil.
func (l *dataLock) unlock() {
	if l != nil {
		_ = l.file.Close()
	}
}

// setAsideUnfinished renames a database whose first start was killed. The CLI writes its schema only when the file
// does not exist, and not in one piece, so such a file may never start again; without the marker no server on it
// was ever handed out, so nothing was accepted.
func setAsideUnfinished(dir string) error {
	if _, err := os.Stat(filepath.Join(dir, markerFile)); err == nil {
		return nil
	}
	for _, suffix := range []string{"", "-wal", "-shm"} {
		path := filepath.Join(dir, databaseFile+suffix)
		if err := os.Rename(path, path+".unfinished"); err != nil && !errors.Is(err, os.ErrNotExist) {
			return fmt.Errorf("set aside unfinished temporal database: %w", err)
		}
	}
	return nil
}

func markFinished(dir string) error {
	if err := os.WriteFile(filepath.Join(dir, markerFile), []byte("The first start of temporal.db finished. Back this file up with it.\n"), 0o600); err != nil {
		return fmt.Errorf("mark temporal database: %w", err)
	}
	return nil
}
