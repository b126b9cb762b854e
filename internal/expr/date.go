package expr

import (
	"strconv"
	"strings"
	"time"
)

// A DateTime is kept as 100-nanosecond ticks since 0001-01-01T00:00:00Z, the resolution and the calendar
// (years 1 to 9999) of .NET.
const (
	ticksPerSecond = 10_000_000
	ticksPerMinute = 60 * ticksPerSecond
	ticksPerHour   = 60 * ticksPerMinute
	ticksPerDay    = 24 * ticksPerHour

	secondsToUnix = 62_135_596_800          // 0001-01-01 to 1970-01-01
	endOfCalendar = 3_652_059 * ticksPerDay // 10000-01-01
	fileTimeEpoch = 584_388 * ticksPerDay   // 1601-01-01, where Active Directory starts counting

	maxOffset = 14 * ticksPerHour
)

func ticksOf(t time.Time) (int64, bool) {
	sec := t.Unix() + secondsToUnix
	if sec < 0 || sec >= endOfCalendar/ticksPerSecond {
		return 0, false
	}
	return sec*ticksPerSecond + int64(t.Nanosecond())/100, true
}

func timeOf(ticks int64) time.Time {
	return time.Unix(ticks/ticksPerSecond-secondsToUnix, ticks%ticksPerSecond*100).UTC()
}

func inCalendar(ticks int64) bool { return 0 <= ticks && ticks < endOfCalendar }

func errCalendar() *Error {
	return newError(KindDate, "the date is outside the years 1 to 9999")
}

// civil is a date and time of day without a zone.
type civil struct {
	year, month, day     int
	hour, minute, second int
	fraction             int64 // ticks
}

// ticks gives the instant, or false for a date that does not exist.
func (c civil) ticks() (int64, bool) {
	if c.year < 1 || c.year > 9999 || c.month < 1 || c.month > 12 || c.day < 1 || c.day > daysIn(c.year, c.month) ||
		c.hour < 0 || c.hour > 23 || c.minute < 0 || c.minute > 59 || c.second < 0 || c.second > 59 {
		return 0, false
	}
	days := daysBefore(c.year, c.month, c.day)
	return days*ticksPerDay + int64(c.hour)*ticksPerHour + int64(c.minute)*ticksPerMinute + int64(c.second)*ticksPerSecond + c.fraction, true
}

// civilOf gives the date and time of day of an instant in UTC.
func civilOf(ticks int64) civil {
	days, rest := ticks/ticksPerDay, ticks%ticksPerDay
	c := civil{
		hour: int(rest / ticksPerHour), minute: int(rest % ticksPerHour / ticksPerMinute), second: int(rest % ticksPerMinute / ticksPerSecond),
		fraction: rest % ticksPerSecond,
	}
	c.year, c.month, c.day = dateOf(days)
	return c
}

// weekdayOf gives the day of the week of an instant in UTC. 0001-01-01 was a Monday.
func weekdayOf(ticks int64) time.Weekday { return time.Weekday((ticks/ticksPerDay + 1) % 7) }

// Both conversions count from 1 March of the year 0, so that the leap day is the last of its year and the lengths of the
// months before it follow a rule; the calendar repeats every 400 years.
const (
	daysPer400Years = 146_097
	marchOfYear0    = 306 // days from 0000-03-01 to 0001-01-01
)

// daysBefore gives the days from 0001-01-01 to a date that exists.
func daysBefore(year, month, day int) int64 {
	y, m := int64(year), int64(month)-3
	if m < 0 {
		y, m = y-1, m+12
	}
	return y*365 + y/4 - y/100 + y/400 + (153*m+2)/5 + int64(day) - 1 - marchOfYear0
}

// dateOf gives the date that many days after 0001-01-01.
func dateOf(days int64) (year, month, day int) {
	days += marchOfYear0
	y400, d := days/daysPer400Years, days%daysPer400Years
	y := (d - d/1460 + d/36_524 - d/146_096) / 365
	d -= 365*y + y/4 - y/100
	m := (5*d + 2) / 153
	year, month, day = int(y400*400+y), int(m)+3, int(d-(153*m+2)/5)+1
	if month > 12 {
		year, month = year+1, month-12
	}
	return year, month, day
}

func daysIn(year, month int) int {
	switch month {
	case 2:
		if year%4 == 0 && (year%100 != 0 || year%400 == 0) {
			return 29
		}
		return 28
	case 4, 6, 9, 11:
		return 30
	}
	return 31
}

// parseDate reads the texts that CDate accepts (O-11): ISO 8601 with T or a blank, with or without time
// and offset, and M/d/yyyy with a 12-hour or 24-hour time.
func parseDate(s string) (int64, *Error) {
	sc := scanner{s: strings.TrimSpace(s)}
	var c civil
	var offset int64
	ok := false
	if strings.IndexByte(sc.s, '/') >= 0 {
		ok = sc.usDate(&c)
	} else {
		ok = sc.isoDate(&c, &offset)
	}
	ok = ok && sc.done()
	ticks := int64(0)
	if ok {
		ticks, ok = c.ticks()
	}
	if !ok {
		return 0, newError(KindDate, "the text is not a date that can be read").
			hint("accepted are 2025-07-30, 2025-07-30T09:05:00Z (or with an offset such as +02:00) and 7/30/2025 9:05:00 AM")
	}
	if ticks -= offset; !inCalendar(ticks) {
		return 0, errCalendar()
	}
	return ticks, nil
}

// scanner reads the parts of a date. Its methods report whether the part was there.
type scanner struct {
	s string
	i int
}

func (sc *scanner) done() bool { return sc.i == len(sc.s) }

func (sc *scanner) peek() byte {
	if sc.i < len(sc.s) {
		return sc.s[sc.i]
	}
	return 0
}

func (sc *scanner) accept(c byte) bool {
	if sc.i < len(sc.s) && sc.s[sc.i] == c {
		sc.i++
		return true
	}
	return false
}

// digits reads between least and most digits.
func (sc *scanner) digits(least, most int, into *int) bool {
	start, n := sc.i, 0
	for sc.i < len(sc.s) && sc.i-start < most && isDigit(sc.s[sc.i]) {
		n = min(n*10+int(sc.s[sc.i]-'0'), 1<<30) // beyond every calendar; more digits must not make it small again
		sc.i++
	}
	if sc.i-start < least {
		return false
	}
	*into = n
	return true
}

func (sc *scanner) isoDate(c *civil, offset *int64) bool {
	if !sc.digits(4, 4, &c.year) || !sc.accept('-') || !sc.digits(2, 2, &c.month) || !sc.accept('-') || !sc.digits(2, 2, &c.day) {
		return false
	}
	if sc.accept('T') || isDigit(sc.after(' ')) && sc.accept(' ') {
		if !sc.digits(2, 2, &c.hour) || !sc.accept(':') || !sc.digits(2, 2, &c.minute) {
			return false
		}
		if sc.accept(':') && (!sc.digits(2, 2, &c.second) || sc.peek() == '.' && !sc.fraction(c)) {
			return false
		}
	}
	if sc.done() {
		return true
	}
	return sc.accept('Z') || sc.offset(offset)
}

// after gives the character behind c when c comes next, else 0.
func (sc *scanner) after(c byte) byte {
	if sc.peek() == c && sc.i+1 < len(sc.s) {
		return sc.s[sc.i+1]
	}
	return 0
}

// fraction reads a point and the digits after it; those beyond the seventh are cut off.
func (sc *scanner) fraction(c *civil) bool {
	sc.i++
	start := sc.i
	unit := int64(ticksPerSecond)
	for sc.i < len(sc.s) && isDigit(sc.s[sc.i]) {
		unit /= 10
		c.fraction += int64(sc.s[sc.i]-'0') * unit
		sc.i++
	}
	return sc.i > start
}

// offset reads +hh:mm, -hh:mm, or the same without the colon.
func (sc *scanner) offset(into *int64) bool {
	sign := sc.peek()
	if sign != '+' && sign != '-' {
		return false
	}
	sc.i++
	var hours, minutes int
	if !sc.digits(2, 2, &hours) {
		return false
	}
	sc.accept(':')
	if !sc.digits(2, 2, &minutes) || minutes > 59 {
		return false
	}
	return setOffset(into, sign, hours, minutes)
}

func setOffset(into *int64, sign byte, hours, minutes int) bool {
	*into = int64(hours)*ticksPerHour + int64(minutes)*ticksPerMinute
	if *into > maxOffset {
		return false
	}
	if sign == '-' {
		*into = -*into
	}
	return true
}

func (sc *scanner) usDate(c *civil) bool {
	if !sc.digits(1, 2, &c.month) || !sc.accept('/') || !sc.digits(1, 2, &c.day) || !sc.accept('/') || !sc.digits(4, 4, &c.year) {
		return false
	}
	if sc.done() {
		return true
	}
	if !sc.accept(' ') || !sc.digits(1, 2, &c.hour) || !sc.accept(':') || !sc.digits(2, 2, &c.minute) {
		return false
	}
	if sc.accept(':') && !sc.digits(2, 2, &c.second) {
		return false
	}
	if sc.done() {
		return true
	}
	var pm bool
	return sc.accept(' ') && sc.dayHalf(&pm) && c.twelveHour(pm)
}

func (sc *scanner) dayHalf(pm *bool) bool {
	if len(sc.s)-sc.i < 2 {
		return false
	}
	two := sc.s[sc.i : sc.i+2]
	switch {
	case strings.EqualFold(two, "AM"):
		*pm = false
	case strings.EqualFold(two, "PM"):
		*pm = true
	default:
		return false
	}
	sc.i += 2
	return true
}

// twelveHour turns an hour of 1 to 12 into one of 0 to 23.
func (c *civil) twelveHour(pm bool) bool {
	if c.hour < 1 || c.hour > 12 {
		return false
	}
	c.hour %= 12
	if pm {
		c.hour += 12
	}
	return true
}

// appendGeneralDate writes M/d/yyyy h:mm:ss tt, the text of a DateTime.
func appendGeneralDate(b []byte, ticks int64) []byte {
	c := civilOf(ticks)
	half := " AM"
	if c.hour >= 12 {
		half = " PM"
	}
	b = appendPadded(b, c.month, 1)
	b = append(b, '/')
	b = appendPadded(b, c.day, 1)
	b = append(b, '/')
	b = appendPadded(b, c.year, 4)
	b = append(b, ' ')
	b = appendPadded(b, (c.hour+11)%12+1, 1)
	b = append(b, ':')
	b = appendPadded(b, c.minute, 2)
	b = append(b, ':')
	b = appendPadded(b, c.second, 2)
	return append(b, half...)
}

// appendPadded writes n with leading zeros up to width digits.
func appendPadded(b []byte, n, width int) []byte {
	switch { // most numbers of a date have one or two digits
	case n < 10 && width == 1:
		return append(b, byte('0'+n))
	case n < 100 && width <= 2:
		return append(b, byte('0'+n/10), byte('0'+n%10))
	case 1000 <= n && n < 10_000 && width <= 4:
		return append(b, byte('0'+n/1000), byte('0'+n/100%10), byte('0'+n/10%10), byte('0'+n%10))
	}
	limit := 1
	for range width - 1 {
		limit *= 10
	}
	for ; n < limit && limit > 1; limit /= 10 {
		b = append(b, '0')
	}
	return strconv.AppendInt(b, int64(n), 10)
}
