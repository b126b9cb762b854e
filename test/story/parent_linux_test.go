package story

import "syscall"

// endWithParent has the system end a process when the tests end in a way that runs no cleanup, such as a time-out.
func endWithParent() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
}
