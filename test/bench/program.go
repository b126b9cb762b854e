package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"time"
)

// stopTime is how long a process may take to end after it was asked to.
const stopTime = 5 * time.Second

// build builds the program that is measured, without cgo, as it is shipped.
func build(ctx context.Context, dir string) (string, error) {
	name := filepath.Join(dir, "rollcall")
	if runtime.GOOS == "windows" {
		name += ".exe"
	}
	cmd := exec.CommandContext(ctx, "go", "build", "-o", name, "github.com/rollcall-id/rollcall/cmd/rollcall")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build rollcall: %w\n%s", err, out)
	}
	return name, nil
}

// environment is what the processes see: that of this one without settings of Rollcall.
func environment() []string {
	var env []string
	for _, v := range os.Environ() {
		if !strings.HasPrefix(v, "ROLLCALL_") {
			env = append(env, v)
		}
	}
	return append(env, tokenVariable+"="+token)
}

// usage is what a process took.
type usage struct {
	Wall time.Duration // from start to end
	CPU  time.Duration // user and system
	Peak int64         // largest resident memory in bytes; 0 where the system does not tell
}

// execute runs a process in a folder until it ends and returns its standard output.
func execute(ctx context.Context, dir, name string, args ...string) ([]byte, usage, error) {
	cmd := exec.CommandContext(ctx, name, args...)
	var out, errs bytes.Buffer
	cmd.Dir, cmd.Env, cmd.Stdout, cmd.Stderr = dir, environment(), &out, &errs
	began := time.Now()
	err := cmd.Run()
	u := usage{Wall: time.Since(began)}
	if err != nil {
		return nil, u, fmt.Errorf("%s %s: %w\n%s%s", filepath.Base(name), args[0], err, out.Bytes(), errs.Bytes())
	}
	u.CPU, u.Peak = cmd.ProcessState.UserTime()+cmd.ProcessState.SystemTime(), peakMemory(cmd.ProcessState)
	return out.Bytes(), u, nil
}

// report is what is read of the document of `rollcall run -o json`.
type report struct {
	Cycle struct {
		Type, State string
	} `json:"cycle"`
	Counts struct {
		Imported, Created, Updated, Deleted, Unchanged, Failed int
	} `json:"counts"`
	Requests struct {
		Total     int            `json:"total"`
		ByMethod  map[string]int `json:"byMethod"`
		Throttled int            `json:"throttled"`
	} `json:"requests"`
}

// cycle runs one cycle of the company's app file in a folder.
func (b *bench) cycle(ctx context.Context, dir string) (report, usage, error) {
	return b.cycleOf(ctx, dir, appFile)
}

// cycleOf runs one cycle of an app file in a folder; its data directory is below it.
func (b *bench) cycleOf(ctx context.Context, dir, app string) (report, usage, error) {
	out, u, err := execute(ctx, dir, b.rollcall, "run", "-f", app, "--data", "data", "-o", "json")
	if err != nil {
		return report{}, u, err
	}
	var r report
	if err := json.Unmarshal(out, &r); err != nil {
		return r, u, fmt.Errorf("read the report of rollcall run: %w", err)
	}
	return r, u, nil
}

// target is a running emulation in a process of its own.
type target struct {
	URL  string // base URL as a job takes it
	root string // of its own pages
	cmd  *exec.Cmd
	errs bytes.Buffer
}

// openTarget starts an empty emulation, with further flags of `rollcall sandbox` as given.
func (b *bench) openTarget(ctx context.Context, latency time.Duration, bodies bool, flags ...string) (*target, error) {
	args := append([]string{"sandbox", "scim", "--token", token, "--latency", latency.String()}, flags...)
	if !bodies {
		args = append(args, "--no-bodies")
	}
	t := &target{cmd: exec.CommandContext(ctx, b.rollcall, args...)}
	t.cmd.Env, t.cmd.Stderr, t.cmd.WaitDelay = environment(), &t.errs, stopTime
	t.cmd.Cancel = func() error { return stopProcess(t.cmd.Process) }
	out, err := t.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := t.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start the target: %w", err)
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		return nil, errors.Join(fmt.Errorf("the target did not say its URL: %w\n%s", err, t.errs.Bytes()), t.close())
	}
	t.URL = strings.TrimSpace(line)
	t.root = strings.TrimSuffix(t.URL, basePath)
	if t.root == t.URL {
		return nil, errors.Join(fmt.Errorf("the target is at %s; expected was a path of %s", t.URL, basePath), t.close())
	}
	return t, nil
}

// basePath is the path of the emulation below its root.
const basePath = "/scim/v2"

// close ends the emulation and waits for its end.
func (t *target) close() error {
	stopped := stopProcess(t.cmd.Process)
	timer := time.AfterFunc(stopTime, func() { _ = t.cmd.Process.Kill() }) // it is gone already, which was the aim
	defer timer.Stop()
	err := t.cmd.Wait()
	var exit *exec.ExitError
	if errors.As(err, &exit) { // it was told to end: how it says so does not matter
		err = nil
	}
	if stopped != nil && !errors.Is(stopped, os.ErrProcessDone) {
		err = errors.Join(err, stopped)
	}
	return err
}

// stopProcess asks a process to end.
func stopProcess(p *os.Process) error {
	if runtime.GOOS == "windows" { // knows no interrupt between processes
		return p.Kill()
	}
	return p.Signal(os.Interrupt)
}

// page opens one of the emulation's own pages.
func (t *target) page(ctx context.Context, name string) (io.ReadCloser, error) {
	url := t.root + "/_sandbox/" + name
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	if resp.StatusCode != http.StatusOK {
		return nil, errors.Join(fmt.Errorf("GET %s: status %d", url, resp.StatusCode), resp.Body.Close())
	}
	return resp.Body, nil
}

// exchange is one line of the emulation's record.
type exchange struct {
	Method, Path, Query string
	Status              int
	Request, Response   json.RawMessage
	BodiesDropped       bool
}

// requests returns the calls that the emulation got, oldest first.
func (t *target) requests(ctx context.Context) ([]exchange, error) {
	body, err := t.page(ctx, "requests")
	if err != nil {
		return nil, err
	}
	defer body.Close()
	var list []exchange
	for d := json.NewDecoder(body); ; {
		var e exchange
		err := d.Decode(&e)
		if errors.Is(err, io.EOF) {
			return list, nil
		}
		if err != nil {
			return nil, fmt.Errorf("read the target's record: %w", err)
		}
		list = append(list, e)
	}
}

// population is what the emulation holds, counted.
type population struct{ Users, Managers, Groups, Members int }

func (t *target) population(ctx context.Context) (population, error) {
	body, err := t.page(ctx, "state")
	if err != nil {
		return population{}, err
	}
	defer body.Close()
	var state struct {
		Users []struct {
			Enterprise struct {
				Manager struct {
					Value string `json:"value"`
				} `json:"manager"`
			} `json:"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"`
		} `json:"users"`
		Groups []struct {
			Members []struct{} `json:"members"`
		} `json:"groups"`
	}
	if err := json.NewDecoder(body).Decode(&state); err != nil {
		return population{}, fmt.Errorf("read what the target holds: %w", err)
	}
	p := population{Users: len(state.Users), Groups: len(state.Groups)}
	for _, u := range state.Users {
		if u.Enterprise.Manager.Value != "" {
			p.Managers++
		}
	}
	for _, g := range state.Groups {
		p.Members += len(g.Members)
	}
	return p, nil
}

// populationOf is what the target holds when a company was provisioned completely.
func populationOf(s size) population {
	return population{Users: s.Users, Managers: s.Users - 1, Groups: s.Groups, Members: s.Groups * s.perGroup()}
}
