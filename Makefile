# Thin on purpose: tools/set-up brings what is missing, pyproject.toml holds the configuration of every tool.
.PHONY: run test check format lock bench fuzz matrix
BIN := .venv/bin

run: ## the demo clinic; LAN=1 serves phones on the local network, CONFIG=FILE your own clinic
	@tools/set-up run
	@exec $(BIN)/python -m signaling serve $(if $(CONFIG),--config $(CONFIG)) $(if $(LAN),--lan)

test: check ## everything that CI runs
	$(BIN)/pytest

check: ## what needs no test run: style, types, imports
	@tools/set-up test
	$(BIN)/ruff format --check
	$(BIN)/ruff check
	$(BIN)/mypy
	$(BIN)/lint-imports
	node_modules/.bin/tsc --project web

bench: ## what a forwarded packet costs, beside the floor of this machine; ARGS="--help" lists the choices
	@tools/set-up test
	$(BIN)/python -m tests.bench $(ARGS)

matrix: ## calls on bad lines, measured, into docs/bad-lines.md; alone on the machine, or the figures mean nothing
	@tools/set-up test
	$(BIN)/python -m tests.lab.figures

fuzz: ## each parser of what a peer sends, for a minute; ARGS="--help" lists the choices
	@tools/set-up test
	$(BIN)/python -m tests.fuzz $(ARGS)

format: ## rewrite to house style
	@tools/set-up test
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

lock: ## locks from pyproject.toml and package.json; UPGRADE=1 takes newer versions
	@tools/set-up test
	tools/lock $(if $(UPGRADE),--upgrade)
