// Package sim is the fault simulator. It puts a source, a target, the store and the clock into one process under a seed,
// runs cycle upon cycle of the engine while everything that can go wrong does, and compares what happens, step by step,
// with a model that knows nothing of the engine (design section 7, invariants I1 to I9). docs/simulator.md tells what
// that proves, how to replay a seed and how to add a fault.
//
// There is no code here but tests. Read them in this order:
//
//	model/           what is right: who may have an account, what may be taken away, what the target must show
//	seed_test.go     one seed from beginning to end
//	world_test.go    the world of a seed: both ends, the store, the clock, the job
//	edit_test.go     what people do to the source and, by hand, to the target
//	fault_test.go    what goes wrong, and the count of it
//	process_test.go  one process: its life, its target, source_test.go its source, store_test.go its store
//	sim_test.go      the tests, and their flags
//	story_test.go    stories that everybody tells of such a system, over SQLite and PostgreSQL
package sim
