# make demo: light install, classify my_wavs/, heat maps in results/demo/
# make test: full install, all tests
# make model: retrain models/default from the corpora in VOXSIGHT_CORPORA

VENV ?= .venv
PYTHON ?= python3
PY := $(VENV)/bin/python
UV := $(VENV)/bin/uv
INSTALL := $(UV) pip install --quiet --python $(PY) --constraint constraints.txt --compile-bytecode
CORPORA ?= $(VOXSIGHT_CORPORA)
TRAINING := mfc_dataset/default

.PHONY: demo test lint model clean

demo: $(VENV)/light
	$(PY) scripts/deploy_model.py my_wavs/ --heatmaps results/demo

test: $(VENV)/full
	$(PY) -m pytest -n auto --dist loadgroup

lint: $(VENV)/full
	$(VENV)/bin/ruff check .
	$(VENV)/bin/codespell

model: $(VENV)/full
	test -n "$(CORPORA)" || { echo "name the folder of the corpora: make model CORPORA=DIR"; exit 2; }
	$(PY) scripts/preprocess_wavs.py $(CORPORA)/LibriSpeech --corpus librispeech \
	    --subset train-clean-100 --augment 3 --out $(TRAINING) --maps maps/default
	$(PY) scripts/preprocess_wavs.py $(CORPORA)/speechocean762/manifest.csv --corpus csv \
	    --augment 3 --out $(TRAINING) --maps maps/default
	$(PY) scripts/preprocess_wavs.py $(CORPORA)/ami/manifest.csv --corpus csv \
	    --augment 3 --out $(TRAINING) --maps maps/default
	$(PY) scripts/train_model.py $(TRAINING) --out models/default --weights none \
	    --head-epochs 0 --epochs 8 --lr 1e-3 --augment 1

clean:
	rm -rf $(VENV) build dist *.egg-info runs results/demo

$(UV):
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "found Python " + sys.version.split()[0] + ", expected 3.11 or newer: make PYTHON=python3.11")'
	$(PYTHON) -m venv $(VENV)
	$(PY) -m pip install --quiet --disable-pip-version-check --constraint constraints.txt uv

$(VENV)/light: $(UV) setup.cfg constraints.txt
	$(INSTALL) --editable .
	touch $@

$(VENV)/full: $(UV) setup.cfg constraints.txt
	$(INSTALL) --editable '.[dev]'
	touch $@
