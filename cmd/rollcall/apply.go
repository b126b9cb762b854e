package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/google/uuid"

	"github.com/rollcall-id/rollcall/internal/appfile"
	"github.com/rollcall-id/rollcall/internal/directory"
	"github.com/rollcall-id/rollcall/internal/identity"
	"github.com/rollcall-id/rollcall/internal/job"
	"github.com/rollcall-id/rollcall/internal/store"
)

// applied tells what applying an app file did.
type applied struct {
	Job     store.Job
	File    *appfile.File // as what the target said of itself has it
	Silent  error         // why the target did not say what it can do, nil when it did or was not asked
	Created bool
	Changed bool // the file means something else than before; false for a file that was applied already (design 6.1)
	Initial bool // mappings, filters or scope changed, so that the next cycle is initial (design D14)
}

// apply stores the job that an app file describes: a new one, or the one of that name with the new file. note says what
// made the version. The target is asked what it can do, and the warnings of the file go to standard error. The job is given its file hash last, so that a process that ends in between is repaired by applying
// the file again.
func (s *state) apply(ctx context.Context, c *cli, f *appfile.File, note string) (applied, error) {
	old, err := s.Store.Job(ctx, f.Job.Name)
	isNew := errors.Is(err, store.ErrNotFound)
	if err != nil && !isNew {
		return applied{}, err
	}
	if !isNew && old.FileHash == f.Hash {
		if f, err = c.informed(f, found(old)); err != nil || old.FileDir == f.Job.Dir {
			return applied{Job: old, File: f}, err
		}
		// The same file in another place: its relative paths start from there now.
		j, err := s.Store.UpdateJob(ctx, old.ID, func(j *store.Job) error { j.FileDir = f.Job.Dir; return nil })
		return applied{Job: j, File: f}, err
	}
	wanted, err := s.principals(ctx, f.Job)
	if err != nil {
		return applied{}, err
	}
	result := applied{Created: isNew, Changed: true}
	var before *appfile.File
	if isNew {
		result.Initial = true
		result.Job, err = s.createJob(ctx, c, f)
	} else {
		// A file that cannot be read any more, because its template is gone, is taken for one with other mappings.
		before, _ = appfile.Parse(old.File, old.FileDir, appFileOptions())
		remapped := before == nil || before.MappingHash != f.MappingHash
		result.Initial = old.InitialDue || remapped
		result.Job, err = s.changeJob(ctx, c, old, f, remapped)
	}
	if err != nil {
		return applied{}, err
	}
	err = s.Store.AddVersion(ctx, store.Version{JobID: result.Job.ID, Number: result.Job.Saved, Mapped: result.Job.Version, At: c.Now().UTC(),
		Author: c.author(), File: f.Raw, FileDir: f.Job.Dir, Note: note})
	if err != nil && !errors.Is(err, store.ErrConflict) { // kept by an earlier try
		return applied{}, err
	}
	if err := s.assignAll(ctx, result.Job.ID, before, f.Job, wanted); err != nil {
		return applied{}, err
	}
	learnt, f, silent, err := s.learn(ctx, c, result.Job, f)
	if err != nil {
		return applied{}, err
	}
	result.File, result.Silent = f, silent
	result.Job, err = s.Store.UpdateJob(ctx, result.Job.ID, func(j *store.Job) error {
		j.FileHash, j.Discovered = f.Hash, learnt.Discovered
		return nil
	})
	if err != nil {
		return result, err
	}
	return result, s.noteOverlap(ctx, c, result.Job.ID, f.Job)
}

// author names who runs the program, for saved versions.
func (c *cli) author() string {
	return orDefault(c.Getenv("USER"), "command line")
}

func (s *state) createJob(ctx context.Context, c *cli, f *appfile.File) (store.Job, error) {
	id, err := s.newJobID(ctx, f.Job)
	if err != nil {
		return store.Job{}, err
	}
	now := c.Now().UTC()
	j := store.Job{ID: id, Name: f.Job.Name, Template: f.Job.Template, File: f.Raw, FileDir: f.Job.Dir, Saved: 1, Version: 1,
		InitialDue: true, Created: now, Updated: now}
	return j, s.Store.CreateJob(ctx, j)
}

// newJobID makes an id of the form template.installation.guid (engine.R142). The installation is the one that the ids of
// other jobs name.
func (s *state) newJobID(ctx context.Context, j job.Job) (string, error) {
	jobs, err := s.Store.Jobs(ctx)
	if err != nil {
		return "", err
	}
	guid, err := uuid.NewRandom()
	if err != nil {
		return "", fmt.Errorf("make a job id: %w", err)
	}
	installation := strings.ReplaceAll(guid.String(), "-", "")
	if len(jobs) > 0 {
		if parts := strings.Split(jobs[0].ID, "."); len(parts) == 3 {
			installation = parts[1]
		}
	}
	if guid, err = uuid.NewRandom(); err != nil {
		return "", fmt.Errorf("make a job id: %w", err)
	}
	return orDefault(j.Template, j.Target.Connector) + "." + installation + "." + guid.String(), nil
}

// changeJob gives a job another file; remapped says that its mappings, filters or scope are others (design D14). That
// lifts a quarantine, since what failed may have been mended by it (engine section 3.3); any other save makes the next
// attempt of a job in quarantine due (engine.R115).
func (s *state) changeJob(ctx context.Context, c *cli, old store.Job, f *appfile.File, remapped bool) (store.Job, error) {
	return s.Store.UpdateJob(ctx, old.ID, func(j *store.Job) error {
		if old.FileHash != "" || !bytes.Equal(old.File, f.Raw) { // else an earlier try came as far as here
			j.Saved = old.Saved + 1
		}
		j.Name, j.Template = f.Job.Name, f.Job.Template
		j.File, j.FileDir, j.FileHash = f.Raw, f.Job.Dir, ""
		if remapped {
			j.Version = old.Version + 1
			j.AskInitial()
			j.Quarantine = nil
		}
		j.Updated = c.Now().UTC()
		if q := j.Quarantine; q != nil && !q.NextAttempt.IsZero() {
			now := *q
			now.NextAttempt = j.Updated
			j.Quarantine = &now
		}
		return nil
	})
}

// principal is one entry of `assignments` in an app file with the object it names.
type principal struct {
	Ref  identity.Ref
	Role string
}

// principals finds whom the assignments of a job name. All that are missing are reported at once.
func (s *state) principals(ctx context.Context, j job.Job) ([]principal, error) {
	if j.Source.Connector != job.Directory {
		return nil, nil
	}
	var out []principal
	var problems []error
	for i, a := range j.Assignments {
		ref := identity.Ref{Kind: identity.User}
		read, key := s.Dir.User, a.User
		if a.Group != "" {
			ref.Kind, read, key = identity.Group, s.Dir.Group, a.Group
		}
		e, err := read(ctx, key)
		if err != nil {
			if code := exitCode(refused(err)); code != exitUsage {
				return nil, err
			}
			problems = append(problems, fmt.Errorf("assignments[%d]: %w", i, err))
			continue
		}
		ref.Anchor = e.Anchor
		out = append(out, principal{ref, a.Role})
	}
	if len(problems) > 0 {
		return nil, &exitError{exitUsage, errors.Join(problems...)}
	}
	return out, nil
}

// assignAll makes the assignments of an app file, with the app roles they name, and takes back those of the file before
// that are no longer in it. Assignments made by hand stay.
func (s *state) assignAll(ctx context.Context, app string, before *appfile.File, j job.Job, wanted []principal) error {
	var gone []principal
	if before != nil {
		// Whoever has left the directory since has lost the assignment with it.
		for _, a := range before.Job.Assignments {
			only := before.Job
			only.Assignments = []job.Assignment{a}
			if p, err := s.principals(ctx, only); err == nil {
				gone = append(gone, p...)
			}
		}
		gone = slices.DeleteFunc(gone, func(p principal) bool { return slices.Contains(wanted, p) })
	}
	if len(wanted) == 0 && len(gone) == 0 {
		return nil
	}
	roles, err := s.Dir.Roles(ctx, app)
	if err != nil {
		return err
	}
	all := slices.Clone(roles)
	for _, p := range wanted {
		if p.Role != "" {
			all = addRole(all, p.Role)
		}
	}
	existing, err := s.Dir.Assignments(ctx, app)
	if err != nil {
		return err
	}
	return s.Dir.Batch(ctx, func(t *directory.Tx) error {
		if len(all) > len(roles) {
			if err := t.SetRoles(app, all); err != nil {
				return err
			}
		}
		for _, p := range wanted {
			if _, _, err := t.Assign(app, p.Ref, p.Role); err != nil {
				return refused(fmt.Errorf("job %s: %w", j.Name, err))
			}
		}
		for _, p := range gone {
			for _, a := range existing {
				if a.Principal == p.Ref && a.Role == roleID(all, p.Role) {
					if err := t.Unassign(a.ID); err != nil {
						return err
					}
				}
			}
		}
		return nil
	})
}

// addRole adds a role of this name unless there is one.
func addRole(roles []directory.Role, name string) []directory.Role {
	if roleID(roles, name) != "" {
		return roles
	}
	return append(roles, directory.Role{Enabled: true, Role: identity.Role{ID: uuid.NewString(), Value: name, DisplayName: name}})
}

// roleID finds a role by id, value or display name; "" for none.
func roleID(roles []directory.Role, name string) string {
	for _, same := range []func(directory.Role) bool{
		func(r directory.Role) bool { return r.ID == name },
		func(r directory.Role) bool { return r.Value == name },
		func(r directory.Role) bool { return r.DisplayName == name },
	} {
		if i := slices.IndexFunc(roles, same); i >= 0 && name != "" {
			return roles[i].ID
		}
	}
	return ""
}

// job finds a stored job by name or id; one that does not exist is an error of the command line.
func (s *state) job(ctx context.Context, key string) (store.Job, error) {
	j, err := s.Store.Job(ctx, key)
	if !errors.Is(err, store.ErrNotFound) {
		return j, err
	}
	hint := "there are no jobs yet; `rollcall import FILE` makes one"
	if jobs, err := s.Store.Jobs(ctx); err == nil && len(jobs) > 0 {
		names := make([]string, len(jobs))
		for i, j := range jobs {
			names[i] = j.Name
		}
		hint = "there are " + strings.Join(names, ", ")
		if near := job.Nearest(key, names); near != "" {
			hint = "did you mean " + near + "?"
		}
	}
	return store.Job{}, usagef("no job %q; %s", key, hint)
}
