package main

import (
	"fmt"
	"io"
	"os"
	"runtime"
	"text/tabwriter"
	"time"
)

// Each expression is timed in each engine for so many rounds of so many evaluations, in turn, and the least counts: a round
// is so short that most are not disturbed, however busy the machine is.
const (
	rounds = 500
	batch  = 400
)

// person is who the expressions are evaluated for.
func person() map[string]any {
	return map[string]any{
		"givenName": "Mira", "surname": "Okafor", "country": "DE", "jobTitle": "Manager",
		"telephoneNumber": "+1 (555) 123-4567", "employeeHireDate": "2025-07-30",
	}
}

// task is one of the expressions, as each engine writes it.
type task struct {
	name                string
	rollcall, cel, lang string
	want                string
	note                string
}

func tasks() []task {
	return []task{
		{"direct attribute", `[surname]`, `surname`, `surname`, "Okafor", ""},
		{"Join with lower case", `ToLower(Join(".", [givenName], [surname]))`, `[givenName, surname].join(".").lowerAscii()`,
			`lower(join([givenName, surname], "."))`, "mira.okafor", "cel-go lowers ASCII only"},
		{
			"nested Switch",
			`Switch([country], "none", "US", "USA", "DE", Switch([jobTitle], "DEU", "Engineer", "DEU-ENG", "Manager", "DEU-MGR"))`,
			`country == "US" ? "USA" : country == "DE" ? (jobTitle == "Engineer" ? "DEU-ENG" : jobTitle == "Manager" ? "DEU-MGR" : "DEU") : "none"`,
			`country == "US" ? "USA" : country == "DE" ? (jobTitle == "Engineer" ? "DEU-ENG" : jobTitle == "Manager" ? "DEU-MGR" : "DEU") : "none"`,
			"DEU-MGR", "",
		},
		{"regex Replace", `Replace([telephoneNumber], , "[()\s-]+", , "", , )`, `withoutPunctuation(telephoneNumber)`,
			`withoutPunctuation(telephoneNumber)`, "+15551234567", "both others by a function in Go"},
		{"date format", `FormatDateTime([employeeHireDate], , "yyyy-MM-dd", "M/d/yyyy")`, `americanDate(employeeHireDate)`,
			`date(employeeHireDate, "2006-01-02").Format("1/2/2006")`, "7/30/2025", "cel-go by a function in Go"},
	}
}

func main() {
	if err := run(os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "exprs:", err)
		os.Exit(1)
	}
}

// cost is that of one evaluation.
type cost struct {
	ns, allocs float64
}

func (c cost) String() string { return fmt.Sprintf("%.0f ns, %.0f", c.ns, c.allocs) }

func run(out io.Writer) error {
	fmt.Fprintf(os.Stderr, "exprs: evaluating %d expressions in %d engines\n", len(tasks()), len(engines()))
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintln(w, "EXPRESSION\tROLLCALL\tCEL-GO\tEXPR-LANG\tRATIO\tAIM\t\t") // the writer keeps its first error until Flush
	for _, t := range tasks() {
		costs, err := measure(t)
		if err != nil {
			return fmt.Errorf("%s: %w", t.name, err)
		}
		ratio := costs[0].ns / min(costs[1].ns, costs[2].ns)
		verdict := "met"
		if ratio > 1 {
			verdict = "MISSED"
		}
		_, _ = fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%.2f\t≤ 1.00\t%s\t%s\n", t.name, costs[0], costs[1], costs[2], ratio, verdict, t.note)
	}
	_, _ = fmt.Fprintf(w, "\nTime and allocations of one evaluation, the least of %d rounds. The ratio is to the faster of the others. %s.\n", rounds, runtime.Version())
	return w.Flush()
}

// measure times a task in every engine, in turn.
func measure(t task) ([]cost, error) {
	texts := []string{t.rollcall, t.cel, t.lang}
	evaluations := make([]evaluation, len(texts))
	for i, e := range engines() {
		eval, err := e.compile(texts[i])
		if err != nil {
			return nil, fmt.Errorf("%s: %w", e.name, err)
		}
		if got, err := eval(person()); err != nil || got != t.want {
			return nil, fmt.Errorf("%s: %s gives %v, error %w; want %s", e.name, texts[i], got, err, t.want)
		}
		evaluations[i] = eval
	}
	costs := make([]cost, len(texts))
	p := person()
	for round := range rounds {
		for i, eval := range evaluations {
			ns, err := timed(eval, p)
			if err != nil {
				return nil, err
			}
			if round == 0 || ns < costs[i].ns {
				costs[i].ns = ns
			}
		}
	}
	for i, eval := range evaluations {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		if _, err := timed(eval, p); err != nil {
			return nil, err
		}
		runtime.ReadMemStats(&after)
		costs[i].allocs = float64(after.Mallocs-before.Mallocs) / batch
	}
	return costs, nil
}

// timed gives the nanoseconds that one of a batch of evaluations takes.
func timed(eval evaluation, person map[string]any) (float64, error) {
	began := time.Now()
	for range batch {
		if _, err := eval(person); err != nil {
			return 0, err
		}
	}
	return float64(time.Since(began)) / batch, nil
}
