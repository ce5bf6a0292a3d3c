"""Commands that prepare corpora: download, preprocess, merge."""
