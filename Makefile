# make run       installs what is missing, builds, fetches the default model and answers a prompt
# make test      every test
# The rest is listed by `make help`.

PREFIX ?= /usr/local
MODEL ?= smollm2
PROMPT ?= Why is the sky blue?
SECONDS ?= 60
SWIFT ?= swift
BUILD := $(SWIFT) build -c release --traits Hub,Serve
APUS := .build/release/apus

.PHONY: help run test build bench bench-peers sanitize fuzz install format lint docs prerequisites test-data kernels

help:
	@echo "run          answer a prompt with the default model    (MODEL=, PROMPT=)"
	@echo "build        the release binary, $(APUS)"
	@echo "test         every test"
	@echo "bench        speed of the kernels, and of a folder's models (MODELS=DIR)"
	@echo "bench-peers  the same beside llama.cpp and ik_llama.cpp (MODELS=DIR)"
	@echo "kernels      check the C kernels by bits, on this CPU and for arm64"
	@echo "sanitize     tests under address, undefined-behaviour and thread sanitizers"
	@echo "fuzz         every fuzz target                          (SECONDS=60)"
	@echo "install      binary, completions and man page           (PREFIX=/usr/local)"
	@echo "test-data    what tests need, into ~/.cache/apus-test-models"
	@echo "docs         the library's documentation, warnings are errors"
	@echo "format lint"

prerequisites:
	@tools/prerequisites

build: prerequisites
	$(BUILD) --product apus

run: build
	@$(APUS) run $(MODEL) "$(PROMPT)"

test-data: prerequisites
	@tools/test-data $(if $(CI),--all)

test: test-data
	$(BUILD) --build-tests
	tools/kernels/check
	# Tests that start programs run one at a time: under load the subprocess package ends the process on a broken pipe.
	$(SWIFT) test -c release --traits Hub,Serve --skip-build --skip 'ProgramTests|ApusStoreTests'
	$(SWIFT) test -c release --traits Hub,Serve --skip-build --no-parallel --filter 'ProgramTests|ApusStoreTests'
	tools/serve-check
	tools/outside-package

kernels: prerequisites
	tools/kernels/check

bench: build
	tools/bench "$(MODELS)"

bench-peers: build
	tools/bench-peers "$(MODELS)"

sanitize: prerequisites
	tools/sanitize

fuzz: prerequisites
	tools/fuzz $(SECONDS)

install: build
	tools/install "$(PREFIX)"

format:
	$(SWIFT) format -i -r Package.swift Sources Tests Benchmarks Fuzz

lint:
	$(SWIFT) format lint --strict -r Package.swift Sources Tests Benchmarks Fuzz

docs: build
	tools/docs
