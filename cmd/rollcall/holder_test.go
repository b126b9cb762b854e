package main

import (
	"fmt"
	"os"
	"os/exec"
	"testing"
)

func TestOnlyAProcessOfThisMachineThatIsGoneHasEnded(t *testing.T) {
	done := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^$")
	if err := done.Run(); err != nil {
		t.Fatal(err)
	}
	gone := done.Process.Pid
	tests := []struct {
		name   string
		holder string
		want   bool
	}{
		{"a process of this machine that has ended", fmt.Sprintf("%s/%d/a-run", machine(), gone), true},
		{"this process", fmt.Sprintf("%s/%d/a-run", machine(), os.Getpid()), false},
		{"the process that started this one", fmt.Sprintf("%s/%d/a-run", machine(), os.Getppid()), false},
		{"a process of another machine", fmt.Sprintf("elsewhere/%d/a-run", gone), false},
		{"a holder without a process id", machine() + "/x/a-run", false},
		{"a holder of another form", "node-1", false},
		{"nobody", "", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := ended(tt.holder); got != tt.want {
				t.Errorf("ended(%q) = %v, want %v", tt.holder, got, tt.want)
			}
		})
	}
}
