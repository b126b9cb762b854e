package directory

// Statements that must not read the whole table.
var ByManager = []string{dropManager, reportsOf}
