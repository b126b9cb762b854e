package connector

import (
	"log/slog"
	"time"
)

// Env is what a connector is opened with beside its own settings. cmd/rollcall fills it.
type Env struct {
	Meter  *Meter
	Logger *slog.Logger
	Now    func() time.Time
	Uses   []Use  // attributes that the job's enabled rules use, per kind of this end
	Dir    string // directory that relative paths in settings start from
	Job    string // id of the job, for sources that know assignments
	Name   string // name of the job, for messages that name a command
	Sealed Sealed // secrets of the job that Rollcall keeps; nil where nothing can be kept

	Found *Discovery // what the target said of itself when the job was saved; nil for nothing
	Once  bool       // every call is made once: whoever asks wants to hear of a refusal and not of what comes of patience
}
