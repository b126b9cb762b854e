package main

import (
	"errors"
	"os"
	"strconv"
	"strings"
	"syscall"
)

// machine names what a process id means something in: this host and, where there are such, its process namespace, since
// containers of one host may bear one name.
func machine() string {
	host, err := os.Hostname()
	if err != nil {
		host = "localhost"
	}
	host = strings.ReplaceAll(host, "/", "-")
	if space, err := os.Readlink("/proc/self/ns/pid"); err == nil {
		host += "+" + strings.TrimPrefix(space, "pid:")
	}
	return host
}

// ended tells whether the process that a holder names (machine/process/run) has ended for certain. Of a process on
// another machine, or of one whose id another process has now, nothing is known.
func ended(holder string) bool {
	parts := strings.Split(holder, "/")
	if len(parts) != 3 || parts[0] != machine() {
		return false
	}
	id, err := strconv.Atoi(parts[1])
	if err != nil || id == os.Getpid() {
		return false
	}
	p, err := os.FindProcess(id)
	if err != nil {
		return false
	}
	defer func() { _ = p.Release() }() // nothing was started
	return errors.Is(p.Signal(syscall.Signal(0)), os.ErrProcessDone)
}
