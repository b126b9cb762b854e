package appfile

import (
	"fmt"
	"slices"

	"github.com/rollcall-id/rollcall/internal/identity"
	"github.com/rollcall-id/rollcall/internal/job"
)

// heedSettings brings a job in line with what the settings say of its target.
func (d *decoder) heedSettings(f *File) {
	target := f.Job.Target
	info := d.opts.Connectors[target.Connector]
	if info.Adapt != nil {
		f.TargetSchema = info.Adapt(target.Settings, f.TargetSchema)
	}
	if info.Lacks == nil {
		return
	}
	lacks := info.Lacks(target.Settings)
	if lacks.Disable != "" {
		d.withoutDisable(f, lacks.Disable)
	}
	if lacks.Delete != "" {
		d.withoutDelete(f, lacks.Delete)
	}
}

// withoutDisable makes deletes of the disables of a job whose target knows none (engine.R82).
func (d *decoder) withoutDisable(f *File, why string) {
	const path = "settings.deprovision"
	if n := d.document.get("settings").get("deprovision"); n != nil && f.Job.Settings.Deprovision == job.DeprovisionDisable {
		d.at(n, Error, path, fmt.Sprintf("the target cannot disable users (%s)", why), "deprovision: delete")
	}
	f.Job.Settings.Deprovision = job.DeprovisionDelete
	for i, r := range f.Job.Rules {
		if r.To == identity.User && !r.Actions.Delete {
			at := fmt.Sprintf("rules[%d]", i)
			d.at(d.document.find(at), Warning, at, fmt.Sprintf("the target cannot disable users (%s), and the rule does not allow deletes: who leaves keeps the account", why), "actions: [create, update, delete]")
		}
	}
}

// withoutDelete makes disables of the deletes of a job whose target deletes no users.
func (d *decoder) withoutDelete(f *File, why string) {
	rules := slices.Clone(f.Job.Rules)
	for i := range rules {
		r := &rules[i]
		if r.To != identity.User || !r.Actions.Delete {
			continue
		}
		r.Actions.Delete = false
		at := fmt.Sprintf("rules[%d].actions", i)
		if n := d.document.find(fmt.Sprintf("rules[%d]", i)).get("actions"); n != nil && !n.template {
			d.at(n, Warning, at, fmt.Sprintf("the target deletes no users (%s): who ought to be deleted is disabled", why), "actions: [create, update]")
		}
	}
	f.Job.Rules = rules
}
