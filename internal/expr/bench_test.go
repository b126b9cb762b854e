package expr

import "testing"

// fixed is a source object that costs next to nothing to read.
type fixed struct{ given, surname, country, title, phone, hired any }

func (f *fixed) Attr(name string) (any, bool) {
	switch name {
	case "givenName":
		return f.given, true
	case "surname":
		return f.surname, true
	case "country":
		return f.country, true
	case "jobTitle":
		return f.title, true
	case "telephoneNumber":
		return f.phone, true
	case "employeeHireDate":
		return f.hired, true
	}
	return nil, false
}

func BenchmarkEval(b *testing.B) {
	for _, bm := range []struct{ name, expression string }{
		{"direct", `[surname]`},
		{"join and lower", `ToLower(Join(".", [givenName], [surname]))`},
		{"nested switch", `Switch([country], "none", "US", "USA", "DE", Switch([jobTitle], "DEU", "Engineer", "DEU-ENG", "Manager", "DEU-MGR"))`},
		{"regex replace", `Replace([telephoneNumber], , "[()\s-]+", , "", , )`},
		{"regex groups", `Replace([telephoneNumber], , "\+(?<code>\d*) (?<number>.*)", , "${number}", , )`},
		{"format date", `FormatDateTime([employeeHireDate], , "yyyy-MM-dd", "M/d/yyyy")`},
		{"mail address", `Join("@", NormalizeDiacritics(StripSpaces(Join(".", [givenName], [surname]))), "contoso.com")`},
	} {
		b.Run(bm.name, func(b *testing.B) {
			p, err := Compile(bm.expression)
			if err != nil {
				b.Fatal(err)
			}
			env := &Env{Attributes: &fixed{"José", "García López", "DE", "Manager", "+1 (555) 123-4567", "2025-07-30"}}
			b.ReportAllocs()
			for b.Loop() {
				if _, err := p.Eval(env); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkCompile(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Compile(`Switch([country], "none", "US", "USA", "DE", ToLower(Join(".", [givenName], [surname])))`); err != nil {
			b.Fatal(err)
		}
	}
}
