# Carillon. `make` prints this list; `make run` and `make test` do all the set-up there is.

SHELL := /bin/bash
.SHELLFLAGS := -o pipefail -ec
.DEFAULT_GOAL := help

TEMPORAL_CLI := github.com/temporalio/cli/cmd/temporal@v1.5.1
TOOL         := go tool -modfile=tools/go.mod
GOFLAGS      ?= -buildvcs=false
TIMEOUT      ?= 15m# one test binary
ROUNDS       ?= 20# kills of each case in `make chaos`
FUZZTIME     ?= 10s# each fuzz target in `make fuzz`
BENCH        ?= .# which benchmarks in `make microbench`
ROW          ?=# rows of `make bench`, separated by commas; all of them if empty
ARGS         ?=# given to `carillon dev` by `make run`

VERSION  := $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
PACKAGES := ./...

export GOFLAGS
export CARILLON_TEMPORAL = $(CURDIR)/bin/temporal

.PHONY: help
help: ## Print the targets
	@awk 'BEGIN {FS = ":.*## "} /^[a-z-]+:.*## / {printf "  make %-11s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

## --- run

.PHONY: run
run: temporal build ## Install what is missing, build, and start `carillon dev`
	./bin/carillon dev $(ARGS)

.PHONY: build
build: ## Build bin/carillon
	@echo "building bin/carillon (the first time this also downloads the Go modules)"
	go build -ldflags "-X main.version=$(VERSION)" -o bin/carillon ./cmd/carillon

.PHONY: temporal
temporal: bin/temporal ## Install the Temporal CLI (its dev server) into bin/

bin/temporal:
	@echo "installing the Temporal CLI into bin/ (once; builds from source, some minutes)"
	GOBIN=$(CURDIR)/bin go install $(TEMPORAL_CLI)

## --- check

.PHONY: check
check: fmt vet lint test race ## Everything a change must pass: fmt vet lint test race

.PHONY: fmt
fmt: ## Format the Go files (gofumpt, import order)
	$(TOOL) golangci-lint fmt

.PHONY: vet
vet: ## go vet
	go vet $(PACKAGES)

.PHONY: lint
lint: ## golangci-lint, workflowcheck, gofumpt
	$(TOOL) golangci-lint run $(PACKAGES)
	$(TOOL) workflowcheck -config tools/workflowcheck.yaml ./workflows/...
	@unformatted=$$($(TOOL) gofumpt -l $$(git ls-files --cached --others --exclude-standard '*.go')); \
	if [ -n "$$unformatted" ]; then echo "not formatted, run make fmt:"; echo "$$unformatted"; exit 1; fi

.PHONY: test
test: temporal ## Run the tests
	go test -timeout $(TIMEOUT) $(PACKAGES)
	cd deploy && go test ./...

.PHONY: race
race: temporal ## Run the tests under the race detector
	go test -race -timeout $(TIMEOUT) $(PACKAGES)

.PHONY: fuzz
fuzz: ## Run every fuzz target for FUZZTIME (10s)
	.ci/fuzz $(FUZZTIME) $(PACKAGES)

.PHONY: chaos
chaos: temporal ## Kill worker, server, store, and worker in mid-send, ROUNDS (20) times; nothing lost, nothing sent twice
	ROUNDS=$(ROUNDS) go test -tags chaos -run TestChaos -count=1 -timeout 60m ./e2e/...

.PHONY: bench
bench: temporal ## Measure every promise in one table (ROW=name chooses, BENCH_N=40 is a tenth of it)
	go run ./bench -row '$(ROW)'

.PHONY: microbench
microbench: temporal ## Run the Go benchmarks beside the code (BENCH=. chooses)
	go test -run '^$$' -bench '$(BENCH)' -benchmem -timeout 60m $(PACKAGES)

.PHONY: histories
histories: temporal ## Record workflow histories for scenarios that have none; the replay tests keep them for ever
	CARILLON_RECORD=1 go test -run TestRecord -count=1 -timeout 10m ./e2e/...

.PHONY: fixture
fixture: temporal ## Record what the release VERSION leaves on a disk, for upgrade tests (VERSION=v0.2.0)
	CARILLON_FIXTURE=$(VERSION) go test -run TestRecordFixture -count=1 -timeout 10m ./e2e/...

.PHONY: docs
docs: ## Write docs/channels.md and docs/channels/ anew, of what the providers say about themselves
	go test ./channels/all -run TestDocs -update

## --- deploy

.PHONY: up
up: .env ## Start everything with Docker Compose (docs/deploy.md)
	docker compose up --build --detach --wait

# Secrets are hexadecimal: they stand in a URL unescaped.
.env:
	@echo "writing new secrets into .env: keep it, the database cannot be read without them"
	@umask 077; for name in POSTGRES_PASSWORD TEMPORAL_DB_PASSWORD CARILLON_DB_PASSWORD CARILLON_SECRET_KEY CARILLON_ADMIN_KEY; do \
	  echo "$$name=$$(od -An -v -tx1 -N32 /dev/urandom | tr -d ' \n')"; done > $@

.PHONY: down
down: ## Stop it; the data stays in its volumes
	docker compose down
