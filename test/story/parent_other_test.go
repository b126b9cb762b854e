//go:build !linux

package story

import "syscall"

// endWithParent changes nothing: only Linux ends a process with its parent.
func endWithParent() *syscall.SysProcAttr { return nil }
