package sandbox

import (
	"encoding/json"
	"fmt"
	"iter"
	"log/slog"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"
)

// NoRate as Config.Rate turns the limit of the emulated application off.
const NoRate = -1

// Config says how an emulation behaves. The zero value is an emulation without credential that behaves as its
// application is documented.
type Config struct {
	// Token is the credential clients must send, in the form the real application takes it. Empty: none is asked.
	Token string
	// Rate is the number of requests taken in any 60 seconds. Zero: the limit of the real application, if it has
	// one. NoRate: no limit.
	Rate int
	// Latency is added to every answer of the emulated application.
	Latency time.Duration
	// Strict makes SCIM emulations refuse what the RFCs do not allow though well-known clients send it.
	Strict bool
	// Domain restricts mail addresses, in user names too, to one domain or several, separated by commas.
	// Empty: any.
	Domain string
	// Quirks names ways in which well-known applications depart from the RFCs, scim only; QuirkNames lists them.
	Quirks []string
	// CustomFields are the advanced custom fields of the site, litmos-api only; ":required" behind a name makes it
	// mandatory.
	CustomFields []string
	// JobRoles are the job roles of the site, litmos-api only; it refuses any other.
	JobRoles []string
	// MaxBody is the size in bytes above which a request body is refused with 413. Zero: 1 MiB.
	MaxBody int64
	// NoBodies leaves request and response bodies out of the record of requests, for long load tests.
	NoBodies bool
	// Now is the clock. Nil: time.Now.
	Now func() time.Time
	// Logger gets one line per start and stop. Nil: none.
	Logger *slog.Logger
}

func (c Config) withDefaults() Config {
	if c.MaxBody <= 0 {
		c.MaxBody = 1 << 20
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	return c
}

// check refuses what the emulation of that name does not have.
func (c Config) check(name string) error {
	if name != litmosAPIName && len(c.CustomFields)+len(c.JobRoles) > 0 {
		return fmt.Errorf("sandbox %s has no custom fields and no job roles of a site; %s has", name, litmosAPIName)
	}
	if name != genericName && len(c.Quirks) > 0 {
		return fmt.Errorf("sandbox %s takes no quirks; %s does", name, genericName)
	}
	for _, quirk := range c.Quirks {
		if quirks()[quirk] == nil {
			return fmt.Errorf("no quirk named %q; there are %s", quirk, strings.Join(QuirkNames(), ", "))
		}
	}
	for i, field := range litmosCustomFields(c.CustomFields) {
		if field.name == "" || slices.ContainsFunc(litmosCustomFields(c.CustomFields[:i]), field.sameName) {
			return fmt.Errorf("custom field %q: every field needs a name of its own", c.CustomFields[i])
		}
	}
	return nil
}

// domains gives the allowed mail domains in lower case.
func (c Config) domains() []string {
	var list []string
	for d := range strings.SplitSeq(c.Domain, ",") {
		if d = strings.ToLower(strings.TrimSpace(d)); d != "" {
			list = append(list, strings.TrimPrefix(d, "@"))
		}
	}
	return list
}

// application is an emulation. Its methods are called from several goroutines.
type application interface {
	// serve answers a request below the base path; body has been read and is within the limit.
	serve(w http.ResponseWriter, r *http.Request, below string, body []byte)
	// refuse answers with an error in the application's form.
	refuse(w http.ResponseWriter, status int, detail string)
	// users and groups yield all resources as clients see them, members included.
	users() iter.Seq[json.RawMessage]
	groups() iter.Seq[json.RawMessage]
	// canSignIn reports whether an account of that name exists and is active.
	canSignIn(userName string) bool
	// reset forgets everything.
	reset()
}

// traits are the facts about an application that the exchange needs.
type traits struct {
	basePath   string        // without slash at the end
	secondPath string        // another base path of the same application; empty: none
	foldPath   bool          // the base path may be in any case
	rate       int           // requests in any window, zero: no limit
	window     time.Duration // of the rate; zero: a minute
	rateStatus int           // status of a request beyond the rate
	retryAfter bool          // such an answer says when to come again
}

// emulations is the table of what can be emulated.
func emulations() map[string]func(Config) (application, traits) {
	return map[string]func(Config) (application, traits){
		genericName:   newGenericSCIM,
		"litmos-scim": newLitmosSCIM,
		litmosAPIName: newLitmosAPI,
		"leapsome":    newLeapsome,
		"insite-lms":  newInsiteLMS,
	}
}

// Names lists the emulations New knows, sorted.
func Names() []string {
	return slices.Sorted(maps.Keys(emulations()))
}

// Server is a running emulation. It is safe for concurrent use.
type Server struct {
	name     string
	cfg      Config
	app      application
	traits   traits
	recorder *recorder
	limiter  *limiter
	faults   *faults
	buffers  sync.Pool
}

// New makes an emulation, empty. An unknown name is an error that lists the known ones.
func New(name string, cfg Config) (*Server, error) {
	construct, ok := emulations()[name]
	if !ok {
		return nil, fmt.Errorf("no sandbox named %q; there are %s", name, strings.Join(Names(), ", "))
	}
	if err := cfg.check(name); err != nil {
		return nil, err
	}
	cfg = cfg.withDefaults()
	app, t := construct(cfg)
	if t.window == 0 || cfg.Rate != 0 {
		t.window = time.Minute
	}
	if cfg.Rate != 0 {
		t.rate = max(cfg.Rate, 0) // NoRate is below zero
	}
	return &Server{name: name, cfg: cfg, app: app, traits: t,
		recorder: newRecorder(cfg.NoBodies), limiter: newLimiter(t.rate, t.window), faults: &faults{},
		buffers: sync.Pool{New: func() any { return &reply{} }}}, nil
}

// Name is the name New was given.
func (s *Server) Name() string { return s.name }

// BasePath is the path of the application below the origin, such as /scim/v2: origin and BasePath make the bare
// base URL that an administrator would enter.
func (s *Server) BasePath() string { return s.traits.basePath }

// Handler serves the application under BasePath and the sandbox's own pages under /_sandbox/.
func (s *Server) Handler() http.Handler { return http.HandlerFunc(s.serveHTTP) }

// Reset forgets what the application holds, the requests, the faults to come and the use of the rate.
func (s *Server) Reset() {
	s.app.reset()
	s.recorder.reset()
	s.faults.reset()
	s.limiter.reset()
}
