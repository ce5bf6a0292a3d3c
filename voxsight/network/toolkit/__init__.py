"""Parts for fastai: pictures of mel cepstra as a block, their labels, a loss, and callbacks."""
