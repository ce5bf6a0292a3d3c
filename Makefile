# make demo: light install, classify my_wavs/, heat maps in results/demo/
# make test: full install, all tests
# make quick: the tests that start no process, no training and no browser
# make model CORPORA=DIR: retrain models/default
# make measure CORPORA=DIR: how models/default holds on voices and in conditions it never met
# make benchmark CORPORA=DIR: the shipped model by the benchmark protocol
# make compare CORPORA=DIR: the classifiers of the field on the same speakers
# make notebooks [CORPUS=CSV]: run nbs/ again and store the results
# make docs: the pages of docs/ and a reference, to docs/_build/
# make coverage: the tests, and which lines they run
# make explain CORPORA=DIR: whether heat maps are right, and what moves the answer
# make analyse CORPORA=DIR: what the features of the corpora are like
# make speakers CORPORA=DIR: who speaks, on LibriSpeech test-other
# make bench: speed and memory, to results/benchmarks/runs.json and docs/benchmarks.md
# make figures: all published tables and figures, from the stored results
# make audiomnist CORPORA=DIR: the AudioMNIST table, from the published pictures
# make audiomnist-waveforms AUDIOMNIST=DIR: the same from one's own copy, voxsight recipe

VENV ?= .venv
PYTHON ?= python3
PY := $(VENV)/bin/python
UV := $(VENV)/bin/uv
INSTALL := $(UV) pip install --quiet --python $(PY) --constraint constraints.txt --compile-bytecode
CORPORA ?= $(VOXSIGHT_CORPORA)
TRAINING := mfc_dataset/default
CONVERT = $(PY) scripts/preprocess_wavs.py --augment 8 --teacher resemblyzer \
    --out $(TRAINING) --maps maps/default
TRAIN = $(PY) scripts/train_model.py $(TRAINING) --valid 0.15 --lr 1e-3 --augment 0.5 \
    --teacher resemblyzer
DEVELOPMENT = librispeech:$(CORPORA)/LibriSpeech:test-other audiomnist:$(CORPORA)/audiomnist_az \
    csv:$(CORPORA)/ravdess/manifest.csv csv:$(CORPORA)/baved/manifest.csv

CONVERT_DEVELOPMENT = $(PY) scripts/preprocess_wavs.py --out mfc_dataset/development \
    --maps maps/development
EXPLAIN = $(PY) scripts/explain_model.py models/default librispeech:$(CORPORA)/LibriSpeech:test-other \
    audiomnist:$(CORPORA)/audiomnist_az

COMPARE = $(PY) scripts/compare_classifiers.py librispeech:$(CORPORA)/LibriSpeech:train-clean-100 \
    $(CORPORA)/speechocean762/manifest.csv

WINDOWS = --windows 3 --only logistic,gradient_boosting,mlp,gmm,xgboost,dnn,cnn1d,cnn2d

.PHONY: demo test quick notebooks lint docs coverage model measure benchmark compare explain analyse speakers bench figures audiomnist audiomnist-waveforms clean

demo: $(VENV)/light
	$(PY) scripts/deploy_model.py my_wavs/ --heatmaps results/demo

test: $(VENV)/full
	OMP_NUM_THREADS=1 $(PY) -m pytest -n auto --dist loadgroup  # a core each: half the time

quick: $(VENV)/full
	OMP_NUM_THREADS=1 $(PY) -m pytest -n auto --dist loadgroup -m "not slow"

notebooks: $(VENV)/full
	$(PY) nbs/run.py $(if $(CORPUS),--corpus $(CORPUS) --out results/notebooks)

lint: $(VENV)/full
	$(VENV)/bin/ruff check .
	$(VENV)/bin/codespell
	$(VENV)/bin/mypy
	$(VENV)/bin/lint-imports --no-cache

docs: $(VENV)/full
	$(VENV)/bin/sphinx-build -q -W --keep-going docs docs/_build
	@echo docs/_build/index.html

coverage: $(VENV)/full
	OMP_NUM_THREADS=1 $(PY) -m pytest -n auto --dist loadgroup --cov --cov-report term:skip-covered \
	    --deselect tests/commands/test_survival.py::test_a_full_disk_loses_nothing  # nor can coverage write

model: $(VENV)/full
	test -n "$(CORPORA)" || { echo "name the folder of the corpora: make model CORPORA=DIR"; exit 2; }
	$(CONVERT) $(CORPORA)/LibriSpeech --corpus librispeech --subset train-clean-100
	$(CONVERT) $(CORPORA)/speechocean762/manifest.csv --corpus csv
	$(CONVERT) $(CORPORA)/ami/manifest.csv --corpus csv
	$(CONVERT) $(CORPORA)/arabic_commands/manifest.csv --corpus unlabelled
	$(TRAIN) --out models/default_first --weights none --head-epochs 0 --epochs 12
	$(TRAIN) --out models/default --weights models/default_first --head-epochs 2 --epochs 1

measure: $(VENV)/full
	test -n "$(CORPORA)" || { echo "name the folder of the corpora: make measure CORPORA=DIR"; exit 2; }
	$(PY) scripts/measure_robustness.py models/default $(DEVELOPMENT) \
	    --noise $(CORPORA)/nonspeech --out results/default_model
	$(PY) scripts/measure_robustness.py models/default+resemblyzer $(DEVELOPMENT) \
	    --noise $(CORPORA)/nonspeech --out results/default_model_resemblyzer
	$(PY) scripts/measure_conversations.py models/default librispeech:$(CORPORA)/LibriSpeech:test-other \
	    --noise $(CORPORA)/nonspeech --without 1688 --out results/default_model
	$(PY) scripts/evaluate_model.py models/default results/default_model/predictions.csv \
	    --out results/default_development \
	    --into-card 'On development corpora: never trained on, but looked at in choosing the model'
	$(PY) scripts/evaluate_model.py models/default $(CORPORA)/speechocean762_children/manifest.csv \
	    --out results/default_children --by sex,age,pitch \
	    --into-card 'On children of 6 to 10, whose right answer is mostly uncertain'
	$(PY) docs/figures.py

benchmark: $(VENV)/full
	test -n "$(CORPORA)" || { echo "name the folder of the corpora: make benchmark CORPORA=DIR"; exit 2; }
	$(PY) scripts/benchmark_models.py models/default models/default+resemblyzer \
	    --corpora $(DEVELOPMENT) --out results/benchmark

compare: $(VENV)/full
	test -n "$(CORPORA)" || { echo "name the folder of the corpora: make compare CORPORA=DIR"; exit 2; }
	$(COMPARE) --test $(DEVELOPMENT) --out results/classifiers
	$(COMPARE) $(WINDOWS) --out results/classifiers_honest
	$(COMPARE) $(WINDOWS) --split random --out results/classifiers_leaky

explain: $(VENV)/full
	test -n "$(CORPORA)" || { echo "name the folder of the corpora: make explain CORPORA=DIR"; exit 2; }
	$(EXPLAIN) --faithfulness --per-speaker 1 --out results/explanations
	$(EXPLAIN) csv:$(CORPORA)/ravdess/manifest.csv csv:$(CORPORA)/baved/manifest.csv \
	    --sensitivity --per-speaker 1 --out results/explanations \
	    --into-card 'What moves the answer'
	$(CONVERT_DEVELOPMENT) $(CORPORA)/LibriSpeech --corpus librispeech --subset test-other
	$(CONVERT_DEVELOPMENT) $(CORPORA)/audiomnist_az --corpus audiomnist
	$(CONVERT_DEVELOPMENT) $(CORPORA)/ravdess/manifest.csv --corpus csv
	$(CONVERT_DEVELOPMENT) $(CORPORA)/baved/manifest.csv --corpus csv
	$(PY) scripts/explain_model.py models/default mfc_dataset/development \
	    --method hirescam --layer layer1 --out results/explanations

analyse: $(VENV)/full
	test -n "$(CORPORA)" || { echo "name the folder of the corpora: make analyse CORPORA=DIR"; exit 2; }
	$(PY) scripts/analyse_features.py librispeech:$(CORPORA)/LibriSpeech:train-clean-100 \
	    $(CORPORA)/speechocean762/manifest.csv $(DEVELOPMENT) --out results/features

speakers: $(VENV)/full
	test -n "$(CORPORA)" || { echo "name the folder of the corpora: make speakers CORPORA=DIR"; exit 2; }
	$(PY) scripts/classify_speakers.py librispeech:$(CORPORA)/LibriSpeech --subset test-other
	$(PY) scripts/classify_speakers.py librispeech:$(CORPORA)/LibriSpeech --subset test-other \
	    --features mfcc --out results/speakers_mfcc

bench: $(VENV)/full
	$(PY) benchmarks/run.py --out results/benchmarks/runs.json

figures: $(VENV)/full
	$(PY) docs/figures.py

audiomnist: $(VENV)/full
	test -n "$(CORPORA)" || { echo "name the folder of the corpora: make audiomnist CORPORA=DIR"; exit 2; }
	$(PY) scripts/audiomnist_table.py $(CORPORA)/audiomnist_mfc

audiomnist-waveforms: $(VENV)/full
	test -n "$(AUDIOMNIST)" || { echo "name your copy: make audiomnist-waveforms AUDIOMNIST=DIR"; exit 2; }
	$(PY) scripts/preprocess_wavs.py $(AUDIOMNIST) --corpus audiomnist \
	    --out mfc_dataset/audiomnist --maps maps/audiomnist
	$(PY) scripts/audiomnist_table.py mfc_dataset/audiomnist --cells paper,folds --size 64x64 \
	    --out results/audiomnist_waveforms

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
