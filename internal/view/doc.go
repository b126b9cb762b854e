// Package view turns the results of commands into what people and scripts read: aligned tables, a progress bar, and JSON
// documents whose form is a contract (design 6.1, held by golden files). Its functions take values and a writer; they
// open nothing, decide nothing and know no command line.
//
// Read table.go, human.go and json.go for the means, then one file per result: run.go, plan.go, status.go, logs.go,
// deletes.go, and progress.go for what is shown while a cycle runs.
package view
