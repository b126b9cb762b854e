package litmos

import (
	"context"
	"iter"
	"strconv"
	"strings"
	"time"

	"github.com/rollcall-id/rollcall/internal/connector"
	"github.com/rollcall-id/rollcall/internal/identity"
)

// markPrefix starts a mark, which is a time in seconds.
const markPrefix = "litmos-"

// Position implements connector.Feed with the time of the site.
func (s *Source) Position(ctx context.Context) (string, error) {
	at, err := s.clock(ctx)
	if err != nil {
		return "", err
	}
	return markPrefix + strconv.FormatInt(at.Unix(), 10), nil
}

// Changes implements connector.Feed by windows of changes (U5). Such a window does not tell who was deleted. Time is
// therefore divided into spans of the setting fullRead, and a mark is good in the span in which it was made and no longer:
// in every span there is one reading of everything, which misses nobody. A span is the same for all processes and jobs,
// so nothing has to be remembered for it.
//
// Of teams all are delivered: a window of memberships does not tell which have ended.
func (s *Source) Changes(ctx context.Context, req connector.ReadRequest, since string) iter.Seq2[connector.Item, error] {
	w, err := s.wanted(req)
	if err != nil {
		return failed(err)
	}
	at, ok := parseMark(since)
	if now := s.now(); !ok || at.After(now.Add(time.Hour)) || s.span(at) != s.span(now) {
		return failed(&connector.Error{Kind: connector.KindNotFound, Op: "read changes", Code: connector.CodeInvalidAnchor, NotSent: true,
			Detail: "the last reading of everything is from before the span that the setting fullRead allows"})
	}
	if req.Kind == identity.Group {
		return s.teams(ctx, w)
	}
	l := s.allUsers(true)
	l.query = s.window(at.Add(-s.cfg.Overlap).Format(time.DateTime))
	return s.users(ctx, w, l)
}

// span is the number of the span that a time is in.
func (s *Source) span(t time.Time) int64 { return t.Unix() / int64(s.cfg.FullRead/time.Second) }

func parseMark(mark string) (time.Time, bool) {
	seconds, ok := strings.CutPrefix(mark, markPrefix)
	n, err := strconv.ParseInt(seconds, 10, 64)
	if !ok || err != nil || n < 0 {
		return time.Time{}, false
	}
	return time.Unix(n, 0).UTC(), true
}
