package expr

const (
	nameFormatDateTime = "FormatDateTime"
	nameNow            = "Now"
)

func dateFunctions() []Function {
	return []Function{
		{
			Name:   "CDate",
			Params: []Param{required("expression", TypeDateTime)},
			Result: "DateTime",
			Help:   "Reads a date such as 2025-07-30, 2025-07-30T09:05:00+02:00 or 7/30/2025 9:05:00 AM. The result is in UTC; without an offset the text is taken as UTC.",
			Examples: []Example{
				{Expression: `CDate("2021-06-30+08:00")`, Want: "6/29/2021 4:00:00 PM"},
			},
			apply: func(_ *state, a []value) (value, *Error) { return a[0], nil },
		},
		{
			Name: "DateAdd",
			Params: []Param{
				required("interval", TypeString).help("yyyy year, m month, d day, ww week, h hour, n minute, s second"),
				required("value", TypeNumber).integer().help("how many; may be negative"),
				required("dateTime", TypeDateTime),
			},
			Result: "DateTime",
			Help:   "Adds a number of intervals to a date. Months and years keep the day, or fall back to the last day of the month.",
			Examples: []Example{
				{Expression: `DateAdd("d", 7, CDate("2025-07-30"))`, Want: "8/6/2025 12:00:00 AM"},
				{Expression: `DateAdd("m", -1, CDate("2020-03-31"))`, Want: "2/29/2020 12:00:00 AM"},
			},
			bind: func(_ *node, constants []*value) applyFn {
				interval := constantOr(constants[0], 0, parseInterval)
				return func(_ *state, a []value) (value, *Error) {
					iv, err := interval(a)
					if err != nil {
						return value{}, err
					}
					return dateAdd(iv, a[1].n, a[2].n)
				}
			},
		},
		{
			Name: "DateDiff",
			Params: []Param{
				required("interval", TypeString).help("yyyy year, m month, d day, ww week, h hour, n minute, s second"),
				required("date1", TypeDateTime), required("date2", TypeDateTime),
			},
			Result: "Number",
			Help:   "Gives date2 minus date1: positive when date2 is later. Years and months count calendar years and months, weeks the Sundays between; the others elapsed time, fractions cut off.",
			Examples: []Example{
				{Expression: `DateDiff("d", CDate("2021-08-18"), CDate("2021-08-31"))`, Want: int64(13)},
				{Expression: `DateDiff("yyyy", CDate("2021-12-31"), CDate("2022-01-01"))`, Want: int64(1)},
			},
			bind: func(_ *node, constants []*value) applyFn {
				interval := constantOr(constants[0], 0, parseInterval)
				return func(_ *state, a []value) (value, *Error) {
					iv, err := interval(a)
					if err != nil {
						return value{}, err
					}
					return intValue(dateDiff(iv, a[1].n, a[2].n)), nil
				}
			},
		},
		{
			Name:   "DateFromNum",
			Params: []Param{required("value", TypeNumber).integer().help("100-nanosecond steps since 1601-01-01 UTC")},
			Result: "DateTime",
			Help:   "Turns a time of Active Directory into a date.",
			Examples: []Example{
				{Expression: `DateFromNum(129699324000000000)`, Want: "1/1/2012 11:00:00 PM"},
			},
			apply: func(_ *state, a []value) (value, *Error) {
				if a[0].n < 0 {
					return value{}, newError(KindRange, "the number is negative").forArg(0)
				}
				if a[0].n >= endOfCalendar-fileTimeEpoch {
					return value{}, errCalendar().forArg(0)
				}
				return dateValue(a[0].n + fileTimeEpoch), nil
			},
		},
		{
			Name: nameFormatDateTime,
			Params: []Param{
				required("source", TypeAny).help("a text in the input format, or a DateTime"),
				optional("dateTimeStyles", TypeString).help("normally omitted; names of .NET DateTimeStyles"),
				required("inputFormat", TypeString).nullable().help("a .NET date format; not used for a DateTime"),
				required("outputFormat", TypeString).nullable().help("a .NET date format"),
			},
			Result: "String",
			Help: "Reads a date in one format and writes it in another. A text with an offset is brought to UTC first. With three arguments the styles " +
				"are left out: FormatDateTime(source, inputFormat, outputFormat).",
			Examples: []Example{
				{Expression: `FormatDateTime("20150123105347.1Z", , "yyyyMMddHHmmss.fZ", "yyyy-MM-dd")`, Want: "2015-01-23"},
				{Expression: `FormatDateTime(Now(), , "M/d/yyyy h:mm:ss tt", "yyyy-MM-dd")`, Want: "2025-07-30"},
			},
			check: checkFormatDateTime,
			bind:  bindFormatDateTime,
		},
		{
			Name:     nameNow,
			Result:   "DateTime",
			Help:     "Gives the current time in UTC, the same at every place of the expression.",
			Examples: []Example{{Expression: `Now()`, Want: "7/30/2025 9:05:00 AM"}},
			impure:   true,
			apply: func(st *state, _ []value) (value, *Error) {
				ticks, err := st.currentTime()
				return dateValue(ticks), err
			},
		},
		{
			Name:   "NumFromDate",
			Params: []Param{required("value", TypeDateTime)},
			Result: "Number",
			Help:   "Turns a date into a time of Active Directory: 100-nanosecond steps since 1601-01-01 UTC.",
			Examples: []Example{
				{Expression: `NumFromDate("2020-12-31 23:59:59-08:00")`, Want: int64(132539615990000000)},
			},
			apply: func(_ *state, a []value) (value, *Error) {
				if a[0].n < fileTimeEpoch {
					return value{}, newError(KindRange, "the date is before 1601").forArg(0)
				}
				return intValue(a[0].n - fileTimeEpoch), nil
			},
		},
	}
}

type interval uint8

const (
	years interval = iota + 1
	months
	weeks
	days
	hours
	minutes
	seconds
)

// parseInterval reads an interval; the letters are lower case exactly.
func parseInterval(s string) (interval, *Error) {
	switch s {
	case "yyyy":
		return years, nil
	case "m":
		return months, nil
	case "ww":
		return weeks, nil
	case "d":
		return days, nil
	case "h":
		return hours, nil
	case "n":
		return minutes, nil
	case "s":
		return seconds, nil
	}
	return 0, newError(KindArgument, "the interval is not known").hint("intervals are yyyy, m, d, ww, h, n and s; n is minutes")
}

func (iv interval) ticks() int64 {
	switch iv {
	case weeks:
		return 7 * ticksPerDay
	case days:
		return ticksPerDay
	case hours:
		return ticksPerHour
	case minutes:
		return ticksPerMinute
	case seconds:
		return ticksPerSecond
	case years, months:
	}
	return 0
}

func dateAdd(iv interval, n, ticks int64) (value, *Error) {
	if unit := iv.ticks(); unit > 0 {
		if limit := endOfCalendar / unit; n > limit || n < -limit {
			return value{}, errCalendar()
		}
		if ticks += n * unit; !inCalendar(ticks) {
			return value{}, errCalendar()
		}
		return dateValue(ticks), nil
	}
	const most = 12 * 9999
	if n > most || n < -most {
		return value{}, errCalendar()
	}
	if iv == years {
		n *= 12
	}
	from := civilOf(ticks)
	total := int64(from.year)*12 + int64(from.month) - 1 + n
	c := civil{year: int(total / 12), month: int(total%12) + 1}
	if total < 12 || c.year > 9999 {
		return value{}, errCalendar()
	}
	c.day = min(from.day, daysIn(c.year, c.month))
	date, ok := c.ticks()
	if !ok {
		return value{}, errCalendar()
	}
	return dateValue(date + ticks%ticksPerDay), nil
}

// dateDiff counts as Visual Basic does (O-12).
func dateDiff(iv interval, from, to int64) int64 {
	switch iv {
	case years:
		return int64(civilOf(to).year - civilOf(from).year)
	case months:
		a, b := civilOf(from), civilOf(to)
		return int64(b.year-a.year)*12 + int64(b.month-a.month)
	case weeks:
		return weekNumber(to) - weekNumber(from)
	case days, hours, minutes, seconds:
	}
	return (to - from) / iv.ticks()
}

// weekNumber counts the Sundays up to and with the day. 0001-01-01, day 0, was a Monday.
func weekNumber(ticks int64) int64 { return (ticks/ticksPerDay + 1) / 7 }

func checkFormatDateTime(c *checker, n *node) {
	switch {
	case len(n.args) > 4:
		c.report(n.argPos[4], c.countError(n, "too many arguments"))
	case len(n.args) < 3:
		c.report(n.pos, c.countError(n, "too few arguments"))
	default:
		for i := range n.args {
			if n.args[i] == nil && (i != 1 || len(n.args) == 3) {
				c.report(n.argPos[i], c.countError(n, "this argument must not be omitted"))
			}
		}
	}
}

func bindFormatDateTime(n *node, constants []*value) applyFn {
	in, out := 2, 3
	if len(n.args) == 3 { // source, inputFormat, outputFormat (O-13)
		in, out = 1, 2
	}
	input := constantOr(constants[in], in, parseDateFormat)
	output := constantOr(constants[out], out, parseDateFormat)
	styles := func([]value) (dateStyles, *Error) { return defaultStyles, nil }
	if in == 2 && !n.omitted(1) {
		given := constantOr(constants[1], 1, parseStyles)
		styles = func(a []value) (dateStyles, *Error) {
			if a[1].k == kindNull {
				return defaultStyles, nil
			}
			return given(a)
		}
	}
	return func(st *state, a []value) (value, *Error) {
		source, err := a[0].single()
		if err != nil {
			return value{}, err.forArg(0)
		}
		if source.isEmpty() || a[in].k == kindNull || a[out].k == kindNull {
			return value{}, nil
		}
		target, err := output(a)
		if err != nil {
			return value{}, err
		}
		if source.k != kindDate { // a DateTime has no format to be read by (O-13)
			if source, err = source.toText(); err != nil {
				return value{}, err.forArg(0)
			}
			if a[in].s == "" {
				return value{}, errFormat().forArg(0)
			}
			format, err := input(a)
			if err != nil {
				return value{}, err
			}
			how, err := styles(a)
			if err != nil {
				return value{}, err
			}
			ticks, err := format.parse(st, source.s, how)
			if err != nil {
				return value{}, err.forArg(0)
			}
			source = dateValue(ticks)
		}
		buf := target.append(st.buf[:0], source.n)
		st.buf = buf[:0]
		return textValue(string(buf)), nil
	}
}
