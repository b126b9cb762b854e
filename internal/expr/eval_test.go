package expr

import (
	"encoding/json"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// kindOf marks, in the tables of this file, that an error of a kind is wanted.
type kindOf ErrorKind

type evalCase struct {
	name       string
	expression string
	attrs      object
	want       any
}

func runCases(t *testing.T, cases []evalCase) {
	t.Helper()
	for _, tc := range cases {
		name := tc.name
		if name == "" {
			name = tc.expression
		}
		t.Run(name, func(t *testing.T) {
			p, err := Compile(tc.expression)
			var got any
			if err == nil {
				got, err = p.Eval(testEnv(tc.attrs))
			}
			if e := (*Error)(nil); errors.As(err, &e) {
				got = kindOf(e.Kind)
			}
			if diff := cmp.Diff(tc.want, shown(got)); diff != "" {
				t.Errorf("%s (-want +got):\n%s\nerror: %v", tc.expression, diff, err)
			}
		})
	}
}

// expr section 2
func TestGrammar(t *testing.T) {
	runCases(t, []evalCase{
		{"a backslash before another character is itself (O-03)", `Append("\+(.*)", "\\+(.*)")`, nil, `\+(.*)\+(.*)`},
		{"a backslash before the closing quote escapes it", `Append("C:\", "")`, nil, kindOf(KindParse)},
		{"line breaks may stand in a string", "Append(\"a\nb\", \"\")", nil, "a\nb"},
		{"there is no escape for a line feed", `Append("\n", "")`, nil, `\n`},
		{"signed and fractional numbers", `Join(" ", -5, +5, 1.50, 007)`, nil, "-5 5 1.5 7"},
		{"hexadecimal in both spellings", `Join(" ", &hff, &HFF)`, nil, "255 255"},
		{"hexadecimal with the highest bit is negative", `Join("", &HFFFFFFFFFFFFFFFF)`, nil, "-1"},
		{"a hexadecimal number in a string constant (stored form)", `BitAnd("&HF", "&HF7")`, nil, int64(7)},
		{"but not in an attribute", `BitAnd([x], 1)`, object{"x": "&HF"}, kindOf(KindType)},
		{"keywords ignore case (O-10)", `IIF(TRUE, 1, 2)`, nil, int64(1)},
		{"attribute names are trimmed", `[ mail ]`, object{"mail": "a"}, "a"},
		{"a filter with quoted brackets is one reference", `[emails[type eq "a]b"].value]`, object{`emails[type eq "a]b"].value`: "x"}, "x"},
		{"white space before a parenthesis", "Append\t (\r\n[a] , \"b\"\n)", object{"a": "x"}, "xb"},
		{"trailing commas of optional arguments", `ToLower([a], )`, object{"a": "X"}, "x"},
		{"more commas than parameters", `ToLower([a], , )`, nil, kindOf(KindArgument)},
		{"nested comparison", `IIF(([a]="x"), 1, 2)`, nil, kindOf(KindParse)},
		{"only white space", " \t\r\n", nil, kindOf(KindParse)},
		{"nothing", "", nil, kindOf(KindParse)},
		{"invalid UTF-8", "Append(\"\xff\", \"\")", nil, kindOf(KindParse)},
	})
}

// expr section 5, Comparison
func TestComparison(t *testing.T) {
	when := time.Date(2025, 1, 2, 0, 0, 0, 0, time.UTC)
	attrs := object{
		"five": 5, "text5": " 5 ", "half": 5.5, "ten": "10", "nine": "9", "true": true, "a": "a", "A": "A", "when": when, "big": int64(9007199254740993),
		"bigger": "9007199254740992", "solo": []any{"x"}, "pair": []any{"a", "b"}, "emoji": "😀", "bmp": "\uFF5E",
	}
	for _, tc := range []struct {
		condition string
		want      bool
	}{
		{`[five] = [text5]`, true},
		{`[five] < [half]`, true},
		{`[five] >= 5`, true},
		{`[ten] > [nine]`, false}, // both are text
		{`[ten] > 9`, true},
		{`[five] = "five"`, false}, // no number: compared as text
		{`[five] < "five"`, true},
		{`[true] = "True"`, true},
		{`[true] = "true"`, false},
		{`[true] = True`, true},
		{`[a] = [A]`, false},
		{`[A] < [a]`, true},
		{`[a] <> [missing]`, false},
		{`[a] <> ""`, false},
		{`[when] = CDate("2025-01-02T00:00:00Z")`, true},
		{`[when] < Now()`, true},
		{`[when] = "1/2/2025 12:00:00 AM"`, true},
		{`[big] = [bigger]`, false}, // not rounded to the same float
		{`[solo] = "x"`, true},
		{`[pair] = [missing]`, false}, // and no error: Null comes first
		{`[pair] <> ""`, false},
		{`[bmp] < [emoji]`, true}, // by code point, not by UTF-16 unit
	} {
		for _, form := range []string{`IIF(` + tc.condition + `, True, False)`, `CBool(` + tc.condition + `)`} {
			p, err := Compile(form)
			if err != nil {
				t.Fatal(err)
			}
			got, err := p.Eval(testEnv(attrs))
			if err != nil || got != tc.want {
				t.Errorf("%s gives %v, error %v; want %v", form, got, err, tc.want)
			}
		}
	}
}

// expr section 5: a value that is not chosen is not evaluated and cannot fail.
func TestLaziness(t *testing.T) {
	runCases(t, []evalCase{
		{expression: `IIF(True, "ok", Item([x], 9))`, want: "ok"},
		{expression: `IIF(False, CDate("never"), "ok")`, want: "ok"},
		{expression: `Switch("b", Mid("a", 0, 1), "b", "ok", "c", Mid("a", 0, 1))`, want: "ok"},
		{name: "Switch stops at the first match", expression: `Switch([x], "d", [x], "ok", Mid("a", 0, 1), "no")`, attrs: object{"x": "v"}, want: "ok"},
		{expression: `Coalesce("ok", Mid("a", 0, 1))`, want: "ok"},
		{expression: `SelectUniqueValue("ok", Mid("a", 0, 1))`, want: "ok"},
		{name: "a bad pattern in a branch not taken", expression: `IIF([x] = "v", "ok", Replace([x], , "(", , "", , ))`, attrs: object{"x": "v"}, want: "ok"},
		{name: "an eager function evaluates all", expression: `Join(",", "a", Mid("a", 0, 1))`, want: kindOf(KindRange)},
	})
}

// expr section 8
func TestFlowSignals(t *testing.T) {
	runCases(t, []evalCase{
		{expression: `IgnoreAttributeFlow`, want: IgnoreAttribute},
		{expression: `Coalesce([x], IgnoreObjectFlow)`, want: IgnoreObject},
		{expression: `Coalesce(IgnoreAttributeFlow, "x")`, want: IgnoreAttribute},
		{expression: `Switch("a", IgnoreAttributeFlow, "b", "c")`, want: IgnoreAttribute},
		{expression: `IIF(True, IgnoreFlowIfNullOrEmpty(""), "x")`, want: IgnoreAttribute},
		{expression: `Switch(IgnoreAttributeFlow, "d", "k", "v")`, want: kindOf(KindType)},
		{expression: `IIF(IgnoreAttributeFlow, 1, 2)`, want: kindOf(KindType)},
		{expression: `IIF(IgnoreAttributeFlow = "x", 1, 2)`, want: kindOf(KindType)},
		{expression: `Redact(IgnoreAttributeFlow)`, want: kindOf(KindType)},
		{expression: `IsNull(IgnoreAttributeFlow)`, want: kindOf(KindType)},
		{expression: `Not(IgnoreAttributeFlow)`, want: kindOf(KindType)},
		{expression: `SelectUniqueValue(IgnoreAttributeFlow, "x")`, want: kindOf(KindType)},
	})
}

// expr sections 3 and 4
func TestCoercion(t *testing.T) {
	type department string
	attrs := object{
		"list": []any{"a", "b"}, "solo": []string{"x"}, "nested": []any{[]any{"x"}}, "named": department("HR"), "names": []department{"HR", "IT"},
		"uint": uint8(7), "float": 514.0, "fraction": 0.1, "json": json.Number("12"), "jsonf": json.Number("1.25"), "number": " 42 ", "exp": "12E5", "nul": []any{nil},
		"map": map[string]any{"a": 1}, "bytes": []byte("x"), "when": time.Date(2025, 7, 30, 15, 4, 5, 0, time.FixedZone("", 2*3600)), "int32": int32(3),
	}
	runCases(t, []evalCase{
		{expression: `CStr([solo])`, attrs: attrs, want: "x"},
		{expression: `CStr([nested])`, attrs: attrs, want: "x"},
		{expression: `CStr([list])`, attrs: attrs, want: kindOf(KindType)},
		{expression: `CStr([map])`, attrs: attrs, want: kindOf(KindType)},
		{expression: `CStr([nul])`, attrs: attrs, want: nil},
		{expression: `CStr([named])`, attrs: attrs, want: "HR"},
		{expression: `[names]`, attrs: attrs, want: []any{"HR", "IT"}},
		{expression: `CStr([float])`, attrs: attrs, want: "514"},
		{expression: `CStr([fraction])`, attrs: attrs, want: "0.1"},
		{expression: `CStr([when])`, attrs: attrs, want: "7/30/2025 1:04:05 PM"},
		{expression: `BitAnd([float], 2)`, attrs: attrs, want: int64(2)},
		{expression: `BitAnd([uint], 3)`, attrs: attrs, want: int64(3)},
		{expression: `BitAnd([json], 8)`, attrs: attrs, want: int64(8)},
		{expression: `CStr([jsonf])`, attrs: attrs, want: "1.25"},
		{expression: `BitAnd([number], 2)`, attrs: attrs, want: int64(2)},
		{name: "a constant without a fraction is a whole number", expression: `-2.0`, want: int64(-2)},
		{expression: `2.50`, want: 2.5},
		{expression: `BitAnd([exp], 2)`, attrs: attrs, want: kindOf(KindType)},
		{expression: `BitAnd([fraction], 2)`, attrs: attrs, want: kindOf(KindType)},
		{expression: `[bytes]`, attrs: attrs, want: kindOf(KindType)},
		{expression: `[int32]`, attrs: attrs, want: int64(3)},
		{expression: `[solo]`, attrs: attrs, want: []any{"x"}},
		{expression: `CBool("true")`, want: true},
		{expression: `CBool("2")`, want: true},
		{expression: `CBool("x")`, want: kindOf(KindType)},
		{name: "only True is True to Not, a number is not (section 7)", expression: `Not(3)`, want: true},
		{expression: `Not("1")`, want: true},
		{expression: `Not("tRUE")`, want: false},
		{expression: `Not([solo])`, attrs: object{"solo": []any{true}}, want: false},
		{expression: `Not([list])`, attrs: attrs, want: true},
		{expression: `Not("yes")`, want: true},
		{expression: `IsString(1)`, want: false},
		{expression: `DateAdd("d", "1", "2025-07-30")`, want: "7/31/2025 12:00:00 AM"},
	})
}

func TestFunctionCorners(t *testing.T) {
	runCases(t, []evalCase{
		{expression: `Left("日本語", 2)`, want: "日本"},
		{expression: `Mid("a😀b", 2, 1)`, want: "😀"},
		{expression: `InStr("日本語", "語")`, want: int64(3)},
		{expression: `InStr("abc", "", 2)`, want: int64(2)},
		{expression: `InStr("abc", "", 4)`, want: int64(0)},
		{expression: `InStr("abc", "a", 0)`, want: kindOf(KindRange)},
		{name: "nothing is found in nothing, wherever one begins (section 7)", expression: `InStr("", "a", 0)`, want: int64(0)},
		{expression: `InStr("ÄBC", "bc", 1, vbTextCompare)`, want: int64(2)},
		{expression: `InStr("ÄBC", "äb", 1, "VBTEXTCOMPARE")`, want: int64(1)},
		{expression: `Mid("abc", 4, 1)`, want: ""},
		{expression: `Mid("abc", 2, 100)`, want: "bc"},
		{expression: `Mid("abc", 0, 1)`, want: kindOf(KindRange)},
		{expression: `Item("solo", 1)`, want: "solo"},
		{expression: `Item("solo", 0)`, want: kindOf(KindRange)},
		{name: "Word knows no empty words (O-25)", expression: `Word(", a,,b ,", 2, ", ")`, want: "b"},
		{name: "Word without a delimiter in the text", expression: `Word("solo", 1, " ")`, want: ""},
		{name: "Word of delimiters only", expression: `Word(",,", 1, ",")`, want: ""},
		{expression: `Join("-", Split("a,b", ","), Null([x]))`, want: kindOf(KindUnknownFunction)},
		{expression: `Join("-", Split("a,,b", ","), [none], 3)`, want: "a-b-3"},
		{expression: `Split("a, ,b", ",")`, want: []any{"a", "", "b"}},
		{expression: `RemoveDuplicates([l])`, attrs: object{"l": []any{"1", int64(1), "1", map[string]any{"a": 1}, map[string]any{"a": 1}}}, want: []any{"1", int64(1), map[string]any{"a": 1}}},
		{name: "ß has no upper case", expression: `ToUpper("straße")`, want: "STRAßE"},
		{name: "the invariant culture keeps İ and ı", expression: `Join("", ToLower("İ"), ToUpper("ı"))`, want: "İı"},
		{expression: `ToLower("İI", "az")`, want: "iı"},
		{expression: `ToUpper("ı", "de-DE")`, want: "I"},
		{expression: `ToUpper("a", "")`, want: "A"},
		{expression: `ToLower("A", [c])`, attrs: object{"c": "xx-YY"}, want: kindOf(KindArgument)},
		{expression: `PCase("3rd o'neil ÉCOLE ß_x")`, want: "3Rd O'neil École ß_X"},
		{name: "given separators begin words, no others", expression: `PCase("ann-marie o'neil", "'")`, want: "Ann-marie o'Neil"},
		{expression: `NormalizeDiacritics("İstanbul ẞ đ")`, want: "Istanbul SS đ"},
		{name: "marks of other scripts stay (O-22)", expression: `NormalizeDiacritics("Βενιζέλος Й が")`, want: "Βενιζέλος Й が"},
		{name: "marks after Latin and Greek letters", expression: `NormalizeDiacritics("éέ")`, want: "eέ"},
		{expression: `StripSpaces("a\tb c")`, want: `a\tbc`},
		{expression: "StripSpaces(\"a\u00a0\tb c\")", want: "a\u00a0\tbc"},
		{expression: `ConvertToBase64("😀")`, want: "PdgA3g=="},
		{name: "Switch takes a Boolean as True", expression: `Switch([b], "d", "True", "yes")`, attrs: object{"b": true}, want: "yes"},
		{name: "many constant keys", expression: `Switch([k], "d", "a","1", "b","2", "c","3", "d","4", "e","5", "f","6", "g","7", "b","8")`, attrs: object{"k": "b"}, want: "2"},
		{name: "many constant keys, Null is the key of nothing", expression: `Switch([k], "d", "a","1", "b","2", "c","3", "","4", "e","5", "f","6", "g","7", "h","8")`, want: "4"},
		{expression: `Replace("aXbX", "X", , , , , "")`, want: ""},
		{name: "in every match only the group is replaced", expression: `Replace("k=1;k=2", , "k=(?<v>\d)", "v", "$0", , )`, want: "k=$0;k=$0"},
		{name: "a group by its number", expression: `Replace("ab", , "a(b)", "1", "X", , )`, want: "aX"},
		{name: "the group is taken from the attribute", expression: `Replace("", , "(?<d>\d+)", "d", , "x", )`, want: nil},
		{name: "pattern from an attribute", expression: `Replace("a1", , [p], , "", , )`, attrs: object{"p": `\d`}, want: "a"},
		{name: "references of a replacement", expression: `Replace("ab", , "(?<x>a)(b)", , "$1${x}$2$0$&$$$9${y}$", , )`, want: "baaabab$$9${y}$"},
		{name: "lookbehind and back-reference", expression: `Replace("xaax", , "(?<=x)(a)\1", , "-", , )`, want: "x-x"},
		{name: "$ before a final line feed", expression: "Replace(\"ab\n\", , \"b$\", , \"c\", , )", want: "ac\n"},
		{name: "Unicode digits", expression: `Replace("a٣", , "\d", , "3", , )`, want: "a3"},
		{name: "empty matches as in .NET", expression: `Replace("baac", , "a*", , "-", , )`, want: "-b--c-"},
		{name: "roles: the first by name", expression: `SingleAppRoleAssignment([r])`, attrs: object{"r": []any{map[string]any{"id": "2", "value": "w"}, map[string]any{"id": "1", "displayName": "B"}, "A"}}, want: "A"},
		{name: "roles: nameless ones are passed over", expression: `SingleAppRoleAssignment([r])`, attrs: object{"r": []any{map[string]any{"id": "2"}}}, want: nil},
	})
}

func TestDates(t *testing.T) {
	runCases(t, []evalCase{
		{expression: `CDate("2020-03-16-07:00")`, want: "3/16/2020 7:00:00 AM"},
		{expression: `CDate("2020-03-16T01:02:03.1234567+0530")`, want: "3/15/2020 7:32:03 PM"},
		{expression: `CDate("2020-03-16 01:02")`, want: "3/16/2020 1:02:00 AM"},
		{expression: `CDate(" 3/6/2020 13:02 ")`, want: "3/6/2020 1:02:00 PM"},
		{expression: `CDate("3/6/2020 12:02 am")`, want: "3/6/2020 12:02:00 AM"},
		{expression: `CDate("3/6/2020 0:02 AM")`, want: kindOf(KindDate)},
		{expression: `CDate("2020-03-16T24:00")`, want: kindOf(KindDate)},
		{expression: `CDate("2020-3-16")`, want: kindOf(KindDate)},
		{expression: `CDate("2020-03-16x")`, want: kindOf(KindDate)},
		{expression: `CDate("0001-01-01+01:00")`, want: kindOf(KindDate)},
		{expression: `CDate("9999-12-31T23:30-01:00")`, want: kindOf(KindDate)},
		{expression: `CDate("2020-03-16+15:00")`, want: kindOf(KindDate)},
		{expression: `CDate(5)`, want: kindOf(KindType)},
		{expression: `DateAdd("yyyy", 1, CDate("2024-02-29"))`, want: "2/28/2025 12:00:00 AM"},
		{expression: `DateAdd("m", -14, CDate("2020-01-31T10:11:12Z"))`, want: "11/30/2018 10:11:12 AM"},
		{expression: `DateAdd("d", 9223372036854775807, CDate("2024-02-29"))`, want: kindOf(KindDate)},
		{expression: `DateAdd("m", -9223372036854775808, CDate("2024-02-29"))`, want: kindOf(KindDate)},
		{expression: `DateAdd("yyyy", -2024, CDate("2024-02-29"))`, want: kindOf(KindDate)},
		{expression: `DateAdd("D", 1, CDate("2024-02-29"))`, want: kindOf(KindArgument)},
		{name: "weeks count the Sundays passed (O-12)", expression: `DateDiff("ww", CDate("8/25/2021 5:41:18 PM"), CDate("2012-03-16-07:00"))`, want: int64(-493)},
		{name: "Saturday to Sunday is a week", expression: `DateDiff("ww", "2025-07-26", "2025-07-27")`, want: int64(1)},
		{name: "Sunday to Saturday is none", expression: `DateDiff("ww", "2025-07-27", "2025-08-02")`, want: int64(0)},
		{name: "months and years of the calendar", expression: `DateDiff("m", "2021-12-31", "2022-01-01")`, want: int64(1)},
		{name: "fractions are cut off towards zero", expression: `DateDiff("d", "2021-01-02T00:00", "2021-01-01T01:00")`, want: int64(0)},
		{expression: `DateDiff("h", "2021-01-01T00:00", "2021-01-01T01:59")`, want: int64(1)},
		{expression: `NumFromDate(DateFromNum("129699324000000000"))`, want: int64(129699324000000000)},
		{expression: `DateFromNum(0)`, want: "1/1/1601 12:00:00 AM"},
	})
}

// expr section 6, date formats
func TestDateFormats(t *testing.T) {
	format := func(text, in, out string) string {
		return `FormatDateTime("` + text + `", , "` + in + `", "` + out + `")`
	}
	runCases(t, []evalCase{
		{expression: format("5-7-2025", "d-M-yyyy", "dd dd/MM ddd dddd MMM MMMM yy y yyyy"), want: "05 05/07 Sat Saturday Jul July 25 25 2025"},
		{expression: format("2025-07-05 13:04:09.0500000", "yyyy-MM-dd HH:mm:ss.fffffff", "h hh H HH m mm s ss f ff fff FFF t tt"), want: "1 01 13 13 4 04 9 09 0 05 050 05 P PM"},
		{expression: format("2025-07-05T13:04:09+02:00", "yyyy-MM-ddTHH:mm:sszzz", "HH z zz zzz K"), want: "11 +0 +00 +00:00 Z"},
		{expression: format("2025-07-05T13:04:09Z", "yyyy-MM-ddTHH:mm:ssK", "o"), want: "2025-07-05T13:04:09.0000000Z"},
		{expression: format("2025-07-05T13:04:09", "yyyy-MM-ddTHH:mm:ssK", "s"), want: "2025-07-05T13:04:09"},
		{expression: format("2025-07-05 +2", "yyyy-MM-dd z", "yyyy-MM-dd HH"), want: "2025-07-04 22"},
		{expression: format("sat 05 JUL 2025 1 pm", "ddd dd MMM yyyy h tt", "D"), want: "Saturday, 05 July 2025"},
		{expression: format("07/05/49", "MM/dd/yy", "yyyy"), want: "2049"},
		{expression: format("07/05/50", "MM/dd/yy", "yyyy"), want: "1950"},
		{expression: format("  2025-07-05\u0009", "yyyy-MM-dd", "r"), want: "Sat, 05 Jul 2025 00:00:00 GMT"},
		{expression: format("at 2025 h", "'at' yyyy \\\\h", "yyyy'T'\\\\d%d"), want: "2025Td1"},
		{expression: format("2025-07-05 10:00:00", "yyyy-MM-dd HH:mm:ss.FFF", "HH:mm:ss.FFF"), want: "10:00:00"},
		{expression: format("2025-07-05 10:00:00.25", "yyyy-MM-dd HH:mm:ss.FFF", "HH:mm:ss.FFF"), want: "10:00:00.25"},
		{expression: format("12:30", "HH:mm", "yyyy-MM-dd HH:mm"), want: "2025-07-30 12:30"},
		{expression: format("12-30", "MM-dd", "yyyy-MM-dd"), want: "2025-12-30"},
		{expression: format("2025", "yyyy", "yyyy-MM-dd"), want: "2025-01-01"},
		{expression: format("2025-07-05 12 AM", "yyyy-MM-dd h tt", "HH"), want: "00"},
		{expression: `FormatDateTime("2025- 07 -05", "AllowWhiteSpaces", "yyyy-MM-dd", "yyyyMMdd")`, want: "20250705"},
		{expression: `FormatDateTime("12/31/2025", "MM/dd/yyyy", "yyyy-MM-dd")`, want: "2025-12-31"},
		{expression: `FormatDateTime(DateAdd("d", 1, "2025-07-05"), , "anything", "yyyy-MM-dd")`, want: "2025-07-06"},
		{name: "one digit is not dd", expression: format("5-07-2025", "dd-MM-yyyy", "d"), want: kindOf(KindDate)},
		{name: "three digits are not yyyy", expression: format("205", "yyyy", "d"), want: kindOf(KindDate)},
		{name: "a text that goes on", expression: format("2025-07-05x", "yyyy-MM-dd", "d"), want: kindOf(KindDate)},
		{name: "the wrong weekday", expression: format("Mon 2025-07-05", "ddd yyyy-MM-dd", "d"), want: kindOf(KindDate)},
		{name: "no white allowed", expression: `FormatDateTime(" 2025", "None", "yyyy", "yyyy")`, want: kindOf(KindDate)},
		{name: "a missing offset", expression: format("2025-12-31", "yyyy-MM-ddzzz", "d"), want: kindOf(KindDate)},
		{name: "thirteen o'clock of twelve", expression: format("13", "hh", "HH"), want: kindOf(KindDate)},
		{name: "eight digits of a second", expression: format("2025", "yyyy", "ffffffff"), want: kindOf(KindArgument)},
		{name: "no output format is the general one, as in .NET", expression: format("2025-07-05 13:04:09", "yyyy-MM-dd HH:mm:ss", ""), want: "07/05/2025 13:04:09"},
		{name: "no text has no input format", expression: format("2025", "", "yyyy"), want: kindOf(KindDate)},
		{name: "a DateTime needs no input format (O-13)", expression: `FormatDateTime(CDate("2025-07-05"), , "", "yyyy")`, want: "2025"},
		{name: "twelve hours without AM or PM are the morning, as in .NET", expression: format("2025-07-05 12:30", "yyyy-MM-dd hh:mm", "HH:mm"), want: "00:30"},
		{name: "one o'clock PM of 24 hours, as in .NET", expression: format("2025-07-05 01 PM", "yyyy-MM-dd HH tt", "HH"), want: kindOf(KindDate)},
		{name: "thirteen o'clock PM of 24 hours", expression: format("2025-07-05 13 PM", "yyyy-MM-dd HH tt", "HH"), want: "13"},
	})
}

func TestLimits(t *testing.T) {
	long := func(n int) string { return `"` + strings.Repeat("ä", n-2) + `"` }
	if _, err := Compile(long(MaxLength)); err != nil {
		t.Errorf("an expression of %d characters: %v", MaxLength, err)
	}
	nested := func(n int) string { return strings.Repeat("Not(", n) + "1" + strings.Repeat(")", n) }
	if _, err := Compile(nested(MaxDepth)); err != nil {
		t.Errorf("%d nested calls: %v", MaxDepth, err)
	}
	doubled := `[s]`
	for range 12 {
		doubled = `Append(` + doubled + `, ` + doubled + `)`
		if len(doubled) > MaxLength/3 {
			break
		}
	}
	huge := object{"s": strings.Repeat("x", 100_000), "commas": strings.Repeat(",", MaxElements)}
	work := `Count(Split(Join(",", ` + strings.TrimSuffix(strings.Repeat(`Count(Split(ToUpper([s]), "y")), `, 200), ", ") + `), ","))`
	runCases(t, []evalCase{
		{name: "too long", expression: long(MaxLength + 1), want: kindOf(KindLimit)},
		{name: "too deep", expression: nested(MaxDepth + 1), want: kindOf(KindLimit)},
		{name: "Append", expression: doubled, attrs: huge, want: kindOf(KindLimit)},
		{name: "Join", expression: `Join("", [s],[s],[s],[s],[s],[s],[s],[s],[s],[s],[s])`, attrs: huge, want: kindOf(KindLimit)},
		{name: "plain Replace", expression: `Replace([s], "x", , , "0123456789abcdef", , )`, attrs: huge, want: kindOf(KindLimit)},
		{name: "Replace by a pattern", expression: `Replace([s], , "x", , "0123456789abcdef", , )`, attrs: huge, want: kindOf(KindLimit)},
		{name: "Replace by groups", expression: `Replace([s], , "(x)", , "` + strings.Repeat("$1", 400) + `", , )`, attrs: huge, want: kindOf(KindLimit)},
		{name: "Replace in a template", expression: `Replace([s], "u", , , , , "uuuuuuuuuuu")`, attrs: huge, want: kindOf(KindLimit)},
		{name: "Split", expression: `Split([commas], ",")`, attrs: huge, want: kindOf(KindLimit)},
		{name: "all work together", expression: work, attrs: huge, want: kindOf(KindLimit)},
	})
}

func TestRegexTimeLimit(t *testing.T) {
	re, err := compileRegex(`(?=a)(a+)+$`)
	if err != nil {
		t.Fatal(err)
	}
	if re.fast != nil {
		t.Fatal("the pattern has a lookahead and runs in the fast engine")
	}
	re.net.MatchTimeout = 20 * time.Millisecond
	_, got := re.MatchString(strings.Repeat("a", 60) + "b")
	var e *Error
	if !errors.As(got, &e) || e.Kind != KindRegex {
		t.Errorf("error %v, want kind regex", got)
	}
}

func TestWholeRegex(t *testing.T) {
	for _, tc := range []struct {
		pattern, text string
		want          bool
	}{
		{`[1-9][0-9]`, "42", true},
		{`[1-9][0-9]`, "100", false},
		{`a|ab`, "ab", true},
		{`a$`, "a\n", false},
		{`(?x) a # c`, "a", true},
		{`(?<=x)?a`, "a", true},
	} {
		re, err := CompileWholeRegex(tc.pattern)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := re.MatchString(tc.text); err != nil || got != tc.want {
			t.Errorf("%s on %q gives %v, error %v; want %v", tc.pattern, tc.text, got, err, tc.want)
		}
	}
	for _, bad := range []string{`a)|(b`, `(`, `a{2,1}`} {
		if _, err := CompileWholeRegex(bad); err == nil {
			t.Errorf("%s compiles", bad)
		}
	}
}

// The short way for precomposed Latin letters gives the same as the general one.
func TestPlainLatinAgreesWithDecomposition(t *testing.T) {
	st := newState(&Env{})
	for r := rune(0x80); r < 0x300; r++ {
		s := "x" + string(r) + "y"
		short, ok := plainLatin(st, s)
		if !ok {
			t.Fatalf("%q is not taken", s)
		}
		if general := plainText(st, s); short != general {
			t.Errorf("%q: %q and %q", s, short, general)
		}
	}
}

func TestMissingParts(t *testing.T) {
	for _, expression := range []string{`Now()`, `Guid()`, `RandomString(3, 3, 0, 0, 0)`, `DefaultDomain()`, `FormatDateTime("12", , "MM", "MM")`} {
		p, err := Compile(expression)
		if err != nil {
			t.Fatal(err)
		}
		_, err = p.Eval(nil)
		var e *Error
		if !errors.As(err, &e) || e.Kind != KindArgument {
			t.Errorf("%s in an empty environment: error %v, want kind argument", expression, err)
		}
	}
	p, err := Compile(`SelectUniqueValue([x], "free")`)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := p.Eval(nil); err != nil || got != "free" {
		t.Errorf("SelectUniqueValue without a check gives %v, error %v", got, err)
	}
}

func TestNowIsOneValueForAnEvaluation(t *testing.T) {
	calls := 0
	env := &Env{Now: func() time.Time { calls++; return ExampleTime().Add(time.Duration(calls) * time.Hour) }}
	p, err := Compile(`DateDiff("s", Now(), Now())`)
	if err != nil {
		t.Fatal(err)
	}
	for want := range 2 {
		if got, err := p.Eval(env); err != nil || got != int64(0) || calls != want+1 {
			t.Errorf("got %v, error %v, after %d calls of the clock", got, err, calls)
		}
	}
}

func TestSeveralRolesWarn(t *testing.T) {
	var warnings []string
	p, err := Compile(`SingleAppRoleAssignment([r])`)
	if err != nil {
		t.Fatal(err)
	}
	env := &Env{Attributes: object{"r": []any{"B", "A"}}, Warn: func(m string) { warnings = append(warnings, m) }}
	if got, err := p.Eval(env); err != nil || got != "A" || len(warnings) != 1 {
		t.Errorf("got %v, error %v, warnings %q", got, err, warnings)
	}
}

func TestProgramsAreSafeForConcurrentUse(t *testing.T) {
	p, err := Compile(`ToLower(Join(".", [a], Replace([b], , [p], , "-", , ), FormatDateTime("2025", [f], "yyyy")))`)
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			name := strings.Repeat("X", i+1)
			for range 200 {
				got, err := p.Eval(testEnv(object{"a": name, "b": "1 2", "p": `\s`, "f": "yyyy"}))
				if want := strings.ToLower(name) + ".1-2.2025"; err != nil || got != want {
					t.Errorf("got %v, error %v, want %s", got, err, want)
					return
				}
			}
		})
	}
	wg.Wait()
}

// A constant part that is slow must not make every save slow: compiling tries only once.
func TestCompilingGivesUpOnSlowConstants(t *testing.T) {
	c := &compiler{fold: newState(&Env{})}
	slow := newError(KindRegex, "slow")
	slow.slow = true
	n := &node{}
	op := c.folded(operand{node: n, eval: func(*state) (value, *Error) { return value{}, slow }}, true)
	if op.constant || c.fold != nil {
		t.Errorf("constant %v, still folding %v", op.constant, c.fold != nil)
	}
}
