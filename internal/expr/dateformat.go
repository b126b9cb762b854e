package expr

import (
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// dateFormat is a parsed .NET custom date format string (specification, section 6), invariant culture.
type dateFormat []datePart

// datePart is a run of one format letter, or literal text.
type datePart struct {
	letter  byte // 0: literal
	count   int
	literal string
}

// parseDateFormat reads a format string. A single letter is a standard format, as in .NET; %d is the way to
// write a custom format of one letter.
func parseDateFormat(s string) (dateFormat, *Error) {
	if custom := standardFormat(s); custom != "" {
		s = custom
	}
	var out dateFormat
	literal := func(text string) {
		if text == "" {
			return
		}
		if n := len(out); n > 0 && out[n-1].letter == 0 {
			out[n-1].literal += text
			return
		}
		out = append(out, datePart{literal: text})
	}
	for i := 0; i < len(s); {
		switch c := s[i]; {
		case strings.IndexByte("dMyhHmsfFtzK", c) >= 0:
			n := 1
			for c != 'K' && i+n < len(s) && s[i+n] == c {
				n++
			}
			if (c == 'f' || c == 'F') && n > 7 {
				return nil, newError(KindArgument, "the date format has more than seven digits of a second")
			}
			out = append(out, datePart{letter: c, count: n})
			i += n
		case c == '\'' || c == '"':
			end := i + 1
			var text strings.Builder
			for ; end < len(s) && s[end] != c; end++ {
				if s[end] == '\\' && end+1 < len(s) {
					end++
				}
				text.WriteByte(s[end])
			}
			if end >= len(s) {
				return nil, newError(KindArgument, "a quoted part of the date format is not closed")
			}
			literal(text.String())
			i = end + 1
		case c == '\\':
			if i+1 >= len(s) {
				return nil, newError(KindArgument, `the date format ends in a \`)
			}
			_, size := utf8.DecodeRuneInString(s[i+1:])
			literal(s[i+1 : i+1+size])
			i += 1 + size
		case c == '%':
			if i+1 >= len(s) || s[i+1] == '%' {
				return nil, newError(KindArgument, "a %% of the date format has no letter after it")
			}
			i++
		default:
			_, size := utf8.DecodeRuneInString(s[i:])
			literal(s[i : i+size])
			i += size
		}
	}
	return out, nil
}

// standardFormat gives the custom format that a standard one-letter format stands for, or "". No format at all writes as G
// does; there is no text that it reads.
func standardFormat(s string) string {
	switch s {
	case "d":
		return "MM/dd/yyyy"
	case "D":
		return "dddd, dd MMMM yyyy"
	case "f":
		return "dddd, dd MMMM yyyy HH:mm"
	case "F", "U":
		return "dddd, dd MMMM yyyy HH:mm:ss"
	case "g":
		return "MM/dd/yyyy HH:mm"
	case "G", "":
		return "MM/dd/yyyy HH:mm:ss"
	case "m", "M":
		return "MMMM dd"
	case "o", "O":
		return "yyyy-MM-ddTHH:mm:ss.fffffffK"
	case "r", "R":
		return "ddd, dd MMM yyyy HH:mm:ss 'GMT'"
	case "s":
		return "yyyy-MM-ddTHH:mm:ss"
	case "t":
		return "HH:mm"
	case "T":
		return "HH:mm:ss"
	case "u":
		return "yyyy-MM-dd HH:mm:ssZ"
	case "y", "Y":
		return "yyyy MMMM"
	}
	return ""
}

// append writes an instant in UTC. The zone letters write what UTC has: +0, +00, +00:00, and Z for K.
func (f dateFormat) append(b []byte, ticks int64) []byte {
	c := civilOf(ticks)
	for i := range f {
		p := &f[i]
		switch p.letter {
		case 0:
			b = append(b, p.literal...)
		case 'd':
			switch {
			case p.count <= 2:
				b = appendPadded(b, c.day, p.count)
			case p.count == 3:
				b = append(b, weekdayOf(ticks).String()[:3]...)
			default:
				b = append(b, weekdayOf(ticks).String()...)
			}
		case 'M':
			switch {
			case p.count <= 2:
				b = appendPadded(b, c.month, p.count)
			case p.count == 3:
				b = append(b, time.Month(c.month).String()[:3]...)
			default:
				b = append(b, time.Month(c.month).String()...)
			}
		case 'y':
			if p.count <= 2 {
				b = appendPadded(b, c.year%100, p.count)
			} else {
				b = appendPadded(b, c.year, min(p.count, 18))
			}
		case 'h':
			b = appendPadded(b, (c.hour+11)%12+1, min(p.count, 2))
		case 'H':
			b = appendPadded(b, c.hour, min(p.count, 2))
		case 'm':
			b = appendPadded(b, c.minute, min(p.count, 2))
		case 's':
			b = appendPadded(b, c.second, min(p.count, 2))
		case 'f', 'F':
			b = appendFraction(b, c.fraction, p)
		case 't':
			half := "AM"
			if c.hour >= 12 {
				half = "PM"
			}
			b = append(b, half[:min(p.count, 2)]...)
		case 'z':
			b = append(b, [...]string{"+0", "+00", "+00:00"}[min(p.count, 3)-1]...)
		case 'K':
			b = append(b, 'Z')
		}
	}
	return b
}

// appendFraction writes the digits of a second. F leaves zeros at the end out, and a point before them if
// nothing is left.
func appendFraction(b []byte, ticks int64, p *datePart) []byte {
	for range 7 - p.count {
		ticks /= 10
	}
	start := len(b)
	b = appendPadded(b, int(ticks), p.count)
	if p.letter == 'f' {
		return b
	}
	for len(b) > start && b[len(b)-1] == '0' {
		b = b[:len(b)-1]
	}
	if len(b) == start && start > 0 && b[start-1] == '.' {
		b = b[:start-1]
	}
	return b
}

// dateStyles is the part of .NET DateTimeStyles that matters here: all results are in UTC anyway.
type dateStyles struct{ leading, trailing, inner bool }

// defaultStyles are those of an omitted argument.
var defaultStyles = dateStyles{leading: true, trailing: true}

func parseStyles(s string) (dateStyles, *Error) {
	var out dateStyles
	for name := range strings.SplitSeq(s, ",") {
		switch strings.ToLower(strings.TrimSpace(name)) {
		case "allowleadingwhite":
			out.leading = true
		case "allowtrailingwhite":
			out.trailing = true
		case "allowinnerwhite":
			out.inner = true
		case "allowwhitespaces":
			out = dateStyles{leading: true, trailing: true, inner: true}
		case "", "none", "roundtripkind", "assumeuniversal", "adjusttouniversal", "assumelocal", "nocurrentdatedefault":
		default:
			return out, newError(KindArgument, "the date styles have a name that is not known").
				hint("leave the argument out, or write names such as AllowWhiteSpaces")
		}
	}
	return out, nil
}

// twoDigitYearMax is the last year that yy can mean, as in .NET.
const twoDigitYearMax = 2049

// dateReader reads one text by a format.
type dateReader struct {
	scanner
	c                     civil
	hasYear, hasMonth     bool
	hasDay                bool
	twelve, pm, hasHalf   bool
	weekday               time.Weekday
	hasWeekday, hasOffset bool
	hasHour               bool
	offset                int64
	inner                 bool
}

// parse reads a text: every letter and literal must be matched, to the end. A text with an offset is
// brought to UTC. As in .NET a missing year is the current one, and a text without any date is today.
func (f dateFormat) parse(st *state, s string, how dateStyles) (int64, *Error) {
	if how.leading {
		s = strings.TrimLeftFunc(s, unicode.IsSpace)
	}
	if how.trailing {
		s = strings.TrimRightFunc(s, unicode.IsSpace)
	}
	r := dateReader{scanner: scanner{s: s}, inner: how.inner}
	for i := range f {
		if how.inner {
			r.skipBlanks()
		}
		fraction := i+1 < len(f) && f[i+1].letter == 'F'
		if !r.part(&f[i], fraction) {
			return 0, errFormat()
		}
	}
	if !r.done() {
		return 0, errFormat()
	}
	if err := r.complete(st); err != nil {
		return 0, err
	}
	ticks, ok := r.c.ticks()
	if !ok || r.hasWeekday && weekdayOf(ticks) != r.weekday {
		return 0, newError(KindDate, "there is no such date")
	}
	if ticks -= r.offset; !inCalendar(ticks) {
		return 0, errCalendar()
	}
	return ticks, nil
}

func errFormat() *Error {
	return newError(KindDate, "the text does not have the input format").
		hint("in the format dd takes exactly two digits and d one or two; every other character must be there")
}

func (r *dateReader) skipBlanks() {
	for r.i < len(r.s) && isBlank(r.s[r.i]) {
		r.i++
	}
}

// part reads one part. beforeFraction is true for a literal before F digits: its point may be missing
// together with them.
func (r *dateReader) part(p *datePart, beforeFraction bool) bool {
	digits := func(into *int) bool {
		if p.count == 1 {
			return r.digits(1, 2, into)
		}
		return r.digits(2, 2, into)
	}
	switch p.letter {
	case 0:
		return r.text(p.literal, beforeFraction)
	case 'd':
		if p.count > 2 {
			var day int
			r.hasWeekday = true
			ok := r.name(7, p.count > 3, func(i int) string { return time.Weekday(i).String() }, &day)
			r.weekday = time.Weekday(day)
			return ok
		}
		r.hasDay = true
		return digits(&r.c.day)
	case 'M':
		r.hasMonth = true
		if p.count > 2 {
			ok := r.name(12, p.count > 3, func(i int) string { return time.Month(i + 1).String() }, &r.c.month)
			r.c.month++
			return ok
		}
		return digits(&r.c.month)
	case 'y':
		r.hasYear = true
		if p.count > 2 {
			return r.digits(p.count, p.count, &r.c.year)
		}
		ok := digits(&r.c.year)
		r.c.year += twoDigitYearMax - twoDigitYearMax%100
		if r.c.year > twoDigitYearMax {
			r.c.year -= 100
		}
		return ok
	case 'h':
		r.twelve = true
		return digits(&r.c.hour) && r.c.hour <= 12
	case 'H':
		r.hasHour = true
		return digits(&r.c.hour)
	case 'm':
		return digits(&r.c.minute)
	case 's':
		return digits(&r.c.second)
	case 'f':
		return r.secondDigits(p.count, p.count)
	case 'F':
		return r.secondDigits(0, p.count)
	case 't':
		r.hasHalf = true
		if p.count > 1 {
			return r.dayHalf(&r.pm)
		}
		c := r.peek() | 0x20
		r.pm = c == 'p'
		r.i = min(r.i+1, len(r.s))
		return c == 'a' || c == 'p'
	case 'z':
		return r.zone(p.count)
	case 'K':
		if r.accept('Z') {
			r.hasOffset = true
			return true
		}
		return r.peek() != '+' && r.peek() != '-' || r.zone(3)
	}
	return false
}

func (r *dateReader) text(literal string, beforeFraction bool) bool {
	if r.inner {
		literal = strings.TrimSpace(literal)
	}
	if strings.HasPrefix(r.s[r.i:], literal) {
		r.i += len(literal)
		return true
	}
	if cut, ok := strings.CutSuffix(literal, "."); ok && beforeFraction && strings.HasPrefix(r.s[r.i:], cut) {
		r.i += len(cut)
		return true
	}
	return false
}

// name reads the name of a weekday or month, short or long, without regard to case.
func (r *dateReader) name(n int, long bool, name func(int) string, into *int) bool {
	for i := range n {
		want := name(i)
		if !long {
			want = want[:3]
		}
		if rest := r.s[r.i:]; len(rest) >= len(want) && strings.EqualFold(rest[:len(want)], want) {
			r.i += len(want)
			*into = i
			return true
		}
	}
	return false
}

func (r *dateReader) secondDigits(least, most int) bool {
	start, unit := r.i, int64(ticksPerSecond)
	r.c.fraction = 0
	for r.i < len(r.s) && r.i-start < most && isDigit(r.s[r.i]) {
		unit /= 10
		r.c.fraction += int64(r.s[r.i]-'0') * unit
		r.i++
	}
	return r.i-start >= least
}

// zone reads an offset: z takes hours with one or two digits, zz with two, zzz hours and minutes.
func (r *dateReader) zone(count int) bool {
	if r.hasOffset {
		return false
	}
	r.hasOffset = true
	if count > 2 {
		return r.scanner.offset(&r.offset)
	}
	sign, hours := r.peek(), 0
	if sign != '+' && sign != '-' {
		return false
	}
	r.i++
	return r.digits(count, 2, &hours) && setOffset(&r.offset, sign, hours, 0)
}

// complete fills in what the format does not have.
func (r *dateReader) complete(st *state) *Error {
	switch {
	case r.twelve: // without AM or PM it is the morning
		r.c.hour %= 12
		if r.pm {
			r.c.hour += 12
		}
	case r.hasHour && r.hasHalf && r.pm != (r.c.hour >= 12):
		return newError(KindDate, "the hour and AM or PM contradict each other")
	}
	if !r.hasYear {
		now, err := st.currentTime()
		if err != nil {
			return newError(KindArgument, "the format has no year, and this evaluation has no clock to take it from")
		}
		today := civilOf(now)
		r.c.year = today.year
		if !r.hasMonth && !r.hasDay {
			r.c.month, r.c.day = today.month, today.day
			return nil
		}
	}
	if !r.hasMonth {
		r.c.month = 1
	}
	if !r.hasDay {
		r.c.day = 1
	}
	return nil
}
