SHELL := bash
.SHELLFLAGS := -eu -o pipefail -c
MAKEFLAGS += --warn-undefined-variables --no-builtin-rules
.DEFAULT_GOAL := help
# The pinned Node (an npm package of this project) comes before the machine's own.
export PATH := $(CURDIR)/node_modules/.bin:$(PATH)

relay_socket_tests := 'test/relay/*.test.ts' \
  'test/relay/{connection,data-plane,handover,limits,listener,net,proxy-protocol,transport,udp,upstream}/*.test.ts'

##@ Use
.PHONY: run
run: build ## Run the examples on this machine, with no cluster.
	@exec node examples/backends.ts node dist/realm-operator.js standalone -f examples/

##@ Develop
node_modules: package.json package-lock.json
	npm ci --no-audit --no-fund --loglevel=error
	touch node_modules

.PHONY: build
build: node_modules ## Bundle the programs into dist/.
	node tools/build.ts

.PHONY: test
test: node_modules ## Run every test that this machine can run.
	node tools/test.ts

.PHONY: test-node-engine
test-node-engine: node_modules ## Run the relay's tests on sockets with the engine node; `make test` uses the kernel's where it works.
	TEST_ENGINE=node node tools/test.ts $(relay_socket_tests)

.PHONY: bench
bench: build ## Measure the relay beside nginx, HAProxy and socat, if they are installed; ROUNDS=5.
	node bench/main.ts

.PHONY: bench-operator
bench-operator: build ## Measure the operator on a real API server; RELAYS=2660,10000 GATEWAYS=200 REST_SECONDS=60. Needs `make cluster`.
	node bench/operator.ts

.PHONY: fuzz
fuzz: node_modules ## Fuzz every parser of untrusted input, guided by coverage; SECONDS=60 SEED=1 TARGET=proxy-header.
	node test/fuzz/main.ts

.PHONY: faults
faults: build ## Put the operator under faults, and kill it before and after each of its writes; SEED=1 SEEDS=1 SCENARIO=scale PLAN=outage. Needs `make cluster`.
	node test/faults/main.ts

.PHONY: explore
explore: node_modules ## Edit a RealmRelay at random, and compare each result with a new one; EDITS=2000 SEED=1. Needs `make cluster`.
	node test/explore/main.ts

.PHONY: soak
soak: build ## Put load and faults on relays on a real node, and search for lost bytes and leaks; MINUTES=10 SEED=1 LAYER=loopback.
	node tools/soak.ts

.PHONY: coverage
coverage: node_modules ## Run the tests that need no cluster and print their coverage.
	c8 --src src --reporter text mocha 'test/**/*.test.ts'

.PHONY: golden
golden: node_modules ## Rewrite test/golden from the code; review the diff.
	UPDATE_GOLDEN=1 mocha 'test/{desired,gateway}/*.test.ts'

##@ Check
.PHONY: check
check: format-check typecheck lint layers dead-code licences verify-generated ## Run every static check.

.PHONY: format
format: node_modules ## Rewrite the sources in the project's format.
	prettier --write --log-level warn .

.PHONY: format-check
format-check: node_modules
	prettier --check --log-level warn .

.PHONY: typecheck
typecheck: node_modules
	tsc
	tsc --project src/telemetry/page
	tsc --project src/relay/admin/page
	tsc --project src/operator/page
	tsc --project tools/docs/assets

.PHONY: lint
lint: node_modules
	eslint --max-warnings 0 .

.PHONY: layers
layers: node_modules
	depcruise --config .dependency-cruiser.js --output-type err-long src

.PHONY: dead-code
dead-code: node_modules
	knip

.PHONY: licences
licences: node_modules ## Fail if a shipped package has a licence that is not approved.
	node tools/licences.ts

##@ Generate
.PHONY: generate
generate: node_modules ## Generate the CRD, docs/api.md, docs/metrics.md, files of the chart, and the pages.
	node tools/generate.ts

.PHONY: merge-table
merge-table: node_modules ## Generate src/kube/merge-table.ts from the test cluster's API server. Needs `make cluster`.
	node tools/merge-table.ts

.PHONY: verify-generated
verify-generated: node_modules ## Fail if a generated file was edited by hand or is stale.
	node tools/generate.ts --check

##@ Package
.PHONY: packages
packages: npm-package host-packages executable install-manifest chart-package ## Build everything that can be installed, for this machine's processor.

.PHONY: npm-package
npm-package: build ## Build the npm package in dist/npm/.
	rm -rf dist/npm
	mkdir -p dist/npm
	npm pack --silent --ignore-scripts --pack-destination dist/npm >/dev/null

.PHONY: host-packages
host-packages: build ## Build a tarball and a Debian package in dist/host/, each with Node.js and a systemd unit.
	rm -rf dist/host
	tools/host-packages.sh

.PHONY: executable
executable: node_modules ## Build the single executable in dist/executable/.
	rm -rf dist/executable
	node tools/executable.ts

.PHONY: arm64
arm64: build ## Build host packages, executable and image for arm64 on x64, in dist/arm64/; downloads the pinned Node.js of arm64.
	tools/arm64.sh

.PHONY: install-manifest
install-manifest: node_modules ## Build dist/install.yaml, the manifests of config/ in one file.
	node tools/install-manifest.ts

.PHONY: chart-package
chart-package: ## Pack the Helm chart in dist/chart/. Needs `make cluster`, or HELM=helm.
	tools/chart-package.sh

##@ Documentation
.PHONY: site
site: node_modules ## Build the documentation as a static site, dist/site/; fail on dead links and on commands that no test runs.
	node tools/docs.ts

.PHONY: docs
docs: site build ## The same, and run every command of it on a real node, with real clients.
	node tools/e2e.ts guides

##@ Cluster
.PHONY: cluster
cluster: ## Build the test cluster (Kubernetes, etcd, Helm, containerd, runc) from Go modules.
	test/cluster/build.sh
	test/cluster/fetch-crds.sh
	test/github/build.sh

.PHONY: image
image: build ## Build the image as an OCI archive, without a container engine.
	tools/image.sh

.PHONY: sbom
sbom: image ## Write the bills of materials of the package and the image (CycloneDX) to dist/sbom/.
	node tools/sbom.ts

.PHONY: e2e
e2e: build ## Test the image on a real node: kubelet, containerd, kube-proxy.
	node tools/e2e.ts

.PHONY: e2e-full
e2e-full: build ## The same, with the tests that take minutes: traffic, Helm, Flux, every page, a network partition.
	node tools/e2e.ts full

.PHONY: conformance
conformance: build ## Run the Gateway API's conformance suite on a real node; ADDRESSES=ClusterIP FAMILY=IPv6.
	node tools/conformance.ts --addresses=$${ADDRESSES:-LoadBalancer} --family=$${FAMILY:-IPv4}

.PHONY: help
help: ## Show this help.
	@awk 'BEGIN {FS = ":.*## "} /^##@/ {printf "\n%s\n", substr($$0, 5)} /^[a-z0-9-]+:.*## / {printf "  %-18s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
