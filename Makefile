# Rollcall. `make` lists what there is; `make demo` and `make test` do all that most people need.

SHELL := bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

# Pinned: a new version of the linter brings new findings, so it comes with a commit of its own.
GOLANGCI_LINT_VERSION := v2.15.0
GOLANGCI_LINT := $(CURDIR)/.bin/golangci-lint-$(GOLANGCI_LINT_VERSION)

VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)

# What to test: make test PACKAGES=./internal/engine/... TESTFLAGS='-run TestResume -v'
PACKAGES ?= ./...
TESTFLAGS ?=

# Time given to each fuzz target by fuzz-smoke.
FUZZTIME ?= 10s

# Without real servers: tests that need one are skipped.
NO_SERVERS := env -u ROLLCALL_TEST_POSTGRES -u ROLLCALL_TEST_SCIMMY_DIR -u ROLLCALL_TEST_REQUIRE

.PHONY: help
help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: demo
demo: ## show Rollcall at work: a sample company provisioned into an emulated application
	@go run ./cmd/rollcall demo

.PHONY: build
build: ## build bin/rollcall, one static binary
	CGO_ENABLED=0 go build -trimpath -buildvcs=false -ldflags '-s -w -X main.version=$(VERSION)' -o bin/rollcall ./cmd/rollcall

.PHONY: unit
unit: ## run the tests that need no servers (under a minute)
	$(NO_SERVERS) go test -short $(TESTFLAGS) $(PACKAGES)

.PHONY: test
test: ## run every test, with real servers; installs, starts and stops what they need
	@test/services.sh run env ROLLCALL_TEST_REQUIRE=1 go test -count=1 $(TESTFLAGS) $(PACKAGES)

# The engine's tests open some thousand databases, which takes the race detector far more than ten minutes; these are the
# ones in which many workers meet.
RACE_ENGINE := ^(TestCancelledAtEveryCall|TestRateLimit|TestTwoProcesses)$$

.PHONY: race
race: ## run the tests that need no servers under the race detector
	$(NO_SERVERS) go test -race -short -timeout 25m $(TESTFLAGS) $$(go list $(PACKAGES) | grep -v /internal/engine$$)
	$(NO_SERVERS) go test -race -short -timeout 25m -run '$(RACE_ENGINE)' $(TESTFLAGS) ./internal/engine

# quick takes less than a minute, full less than five; long adds a large load with latency.
BENCH ?= full

.PHONY: bench
bench: ## compare Rollcall with a bare client, and its expressions with two other languages (BENCH=quick, full or long; PART=growth for one part)
	@[ "$(PART)" = expressions ] || go run ./test/bench -mode $(BENCH) -only "$(PART)"
	@echo
	@[ -n "$(filter-out expressions,$(PART))" ] || go -C test/bench/exprs run .

.PHONY: bench-parts
bench-parts: ## run the benchmarks of single packages
	$(NO_SERVERS) go test -run '^$$' -bench . -benchmem $(TESTFLAGS) $(PACKAGES)

.PHONY: fuzz-smoke
fuzz-smoke: ## run every fuzz target for a while each (FUZZTIME=10s)
	@$(NO_SERVERS) test/fuzz-smoke.sh $(FUZZTIME) $(PACKAGES)

# How many seeds sim runs, and from which on, and a single one to replay: make sim SEEDS=10000, make sim SEED=17.
SEEDS ?= 300
FROM ?= 1
SEED ?= 0
CYCLES ?= 30

.PHONY: sim
sim: ## run the fault simulator over many seeds (SEEDS=300, or SEED=17 alone), each through CYCLES=30 cycles
	$(NO_SERVERS) go test -timeout 0 -run 'TestSeeds' -v ./internal/sim -seeds $(SEEDS) -from $(FROM) -seed $(SEED) -cycles $(CYCLES)

.PHONY: mutations
mutations: ## break the safety code in one place after the other and show that each break is caught
	@$(NO_SERVERS) go run ./test/mutations

.PHONY: lint
lint: $(GOLANGCI_LINT) ## check style, dropped errors and the import rule; changes nothing
	$(GOLANGCI_LINT) config verify
	$(GOLANGCI_LINT) run $(PACKAGES)
	cd test/bench/exprs && $(GOLANGCI_LINT) run
	@ROLLCALL_TEST_GOLANGCI_LINT=$(GOLANGCI_LINT) go test -run Linter ./test/repo

$(GOLANGCI_LINT):
	GOBIN=$(CURDIR)/.bin/install go install github.com/golangci/golangci-lint/v2/cmd/golangci-lint@$(GOLANGCI_LINT_VERSION)
	mv .bin/install/golangci-lint $@
	rmdir .bin/install

.PHONY: generate
generate: ## make generated code and documents anew
	go generate ./...

.PHONY: verify
verify: ## check that generated files are up to date and that modules are as they were published
	@test/verify.sh
	go mod verify

.PHONY: clean
clean: ## stop servers that were left running, and delete what was built or installed
	test/services.sh stop
	rm -rf bin .bin .testbeds test/testbeds/scimmy/node_modules
