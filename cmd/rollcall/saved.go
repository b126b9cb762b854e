package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"

	"github.com/rollcall-id/rollcall/internal/engine"
	"github.com/rollcall-id/rollcall/internal/store"
)

// writePlan saves a plan, for its owner only: it has the values that are to be written.
func writePlan(name string, p *engine.SavedPlan) error {
	data, err := json.MarshalIndent(p, "", "  ")
	if err != nil {
		return fmt.Errorf("save the plan: %w", err)
	}
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return usagef("--out: %v", err)
	}
	_, err = f.Write(append(data, '\n'))
	if err = errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("save the plan: %w", err)
	}
	return nil
}

// applyPlan carries out a saved plan. An app file that it was made with is stored first, if it is the very one.
func (s *state) applyPlan(ctx context.Context, c *cli, name string, files []string) error {
	data, err := os.ReadFile(name)
	if err != nil {
		return usagef("--plan: %v", err)
	}
	p, err := engine.ReadPlan(data)
	if err != nil {
		return usagef("%s: %w", name, err)
	}
	j, err := s.planned(ctx, c, p, files)
	if err != nil {
		return err
	}
	f, err := parseStored(j)
	if err != nil {
		return err
	}
	err = s.run(ctx, c, j, f, engine.Options{Plan: p, Manual: true})
	var refused *engine.PlanRefused
	if errors.As(err, &refused) || errors.Is(err, engine.ErrPlanApplied) {
		return &exitError{exitJob, err}
	}
	return err
}

// planned returns the job that a plan is for.
func (s *state) planned(ctx context.Context, c *cli, p *engine.SavedPlan, files []string) (store.Job, error) {
	if len(files) == 0 {
		j, err := s.Store.Job(ctx, p.Job)
		if errors.Is(err, store.ErrNotFound) {
			return j, usagef("there is no job %s yet; give its app file with -f", p.Job)
		}
		return j, err
	}
	if len(files) > 1 {
		return store.Job{}, usagef("rollcall apply --plan: a plan is made with one app file, not with %d", len(files))
	}
	f, err := readAppFile(files[0])
	if err != nil {
		return store.Job{}, err
	}
	if f.Hash != p.FileHash {
		return store.Job{}, &exitError{exitJob, &engine.PlanRefused{Differences: []string{"the app file: " + files[0] + " is not the one that the plan was made with"}}}
	}
	a, err := s.apply(ctx, c, f, "applied")
	return a.Job, err
}
