"""Who speaks in which file, and what the corpora say of them."""

LABELLED_KINDS = ("audiomnist", "librispeech", "csv", "folder")  # layouts that state a gender
KINDS = (*LABELLED_KINDS, "unlabelled")  # layouts that can be read
PUBLIC_CORPORA = ("audiomnist", "librispeech")  # those that can be downloaded
