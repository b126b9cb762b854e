package main

import (
	"errors"
	"fmt"
)

// The exit codes (design 6.1). Where several apply, 4 beats 5 beats 3.
const (
	exitOK       = 0
	exitInternal = 1 // internal error
	exitUsage    = 2 // wrong command line or app file
	exitObjects  = 3 // the cycle is done, some objects failed; or a test failed
	exitJob      = 4 // job-level failure, quarantine, unreadable source
	exitHeld     = 5 // deprovisioning is held
)

// exitError ends the program with a code. Without an error nothing more is printed: the command has said it all.
type exitError struct {
	code int
	err  error
}

func (e *exitError) Error() string {
	if e.err == nil {
		return fmt.Sprintf("exit %d", e.code)
	}
	return e.err.Error()
}

func (e *exitError) Unwrap() error { return e.err }

// usagef is an error of the command line or the app file.
func usagef(format string, args ...any) error {
	return &exitError{exitUsage, fmt.Errorf(format, args...)}
}

// exitCode is the code that err ends the program with.
func exitCode(err error) int {
	if err == nil {
		return exitOK
	}
	var e *exitError
	if errors.As(err, &e) {
		return e.code
	}
	return exitInternal
}
