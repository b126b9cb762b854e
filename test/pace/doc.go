// Package pace tests how fast Rollcall may be where a target allows so many calls a minute: engine, connectors, store
// and sandboxes as they are, in one process and in virtual time, so that a load of ten minutes takes seconds. The
// sandboxes keep the limit, so a call too many is seen.
//
// Only the network is missing between them: httpx is given a Transport that hands requests to the sandboxes. It has no
// code besides its tests.
package pace
