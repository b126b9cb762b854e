// Command bench compares Rollcall with the least that the same work can cost, in one run on one machine: a bare HTTP
// client that sends the same calls to the same target, and a bare reader of the same file. Machines are noisy, ratios
// are much less so. `make bench` runs it and prints one table; it writes nothing outside a temporary folder.
//
// It is no test: a figure that misses its aim is marked and the exit code stays 0. The exit code is 1 when something
// could not be measured, for instance because the two clients left different accounts in the target.
//
// What is compared, and what favours whom: Rollcall is timed from the start of its process to its end, with reading
// files, planning and its database; the bare client from its first call to its last answer, with its calls already in
// memory. Each gets a fresh target in a process of its own, they take turns, and the bare client sends what a recorded
// run of Rollcall sent, in that order, on as many connections. It waits for an id that it needs and does not have yet.
//
// Read main.go (what is measured), data.go (the people), program.go (processes), script.go and client.go (the bare
// client), load.go, mappings.go, growth.go and feed.go (the measures), table.go.
package main
