"""Training of a network with one output: early stopping, best weights, TensorBoard."""

import contextlib
import copy

import numpy as np
import torch
from torch.nn.functional import binary_cross_entropy_with_logits


def fit_network(network, train, valid, *, epochs, patience, batch, lr, weight_decay, seed,
                log_dir=None, balanced=True):
    """Fit a network and leave it with its best weights.

    Adam with decoupled weight decay; the rate is halved whenever a third of the patience
    passes without a better validation loss.

    Parameters
    ----------
    network : torch.nn.Module
        gives log-odds of female, shape (n,)
    train, valid : (np.ndarray [shape=(n, ...)], np.ndarray of bool [shape=(n,)])
    epochs, patience : int
        at most so many; and so many without a better validation loss
    batch : int
    lr, weight_decay : float
    seed : int
        of the order of the examples
    log_dir : path, optional
        for TensorBoard
    balanced : bool
        let both labels weigh the same

    Returns
    -------
    list of dict
        per epoch ``epoch, train_loss, valid_loss, lr``
    """
    sides = [(torch.as_tensor(x), torch.as_tensor(np.asarray(y, np.float32)))
             for x, y in (train, valid)]
    weight = float((1 - sides[0][1]).sum() / sides[0][1].sum()) if balanced else 1.0
    optimiser = torch.optim.AdamW(network.parameters(), lr, weight_decay=weight_decay)
    schedule = torch.optim.lr_scheduler.ReduceLROnPlateau(optimiser, factor=0.5,
                                                          patience=patience // 3)
    order = torch.Generator().manual_seed(seed)
    history, best, best_state = [], np.inf, None
    with _events(log_dir) as write:
        for epoch in range(epochs):
            row = {"epoch": epoch, "lr": optimiser.param_groups[0]["lr"],
                   "train_loss": _one_epoch(network, sides[0], batch, optimiser, order, weight),
                   "valid_loss": _loss_of(network, sides[1], weight)}
            history.append(row)
            write(row)
            schedule.step(row["valid_loss"])
            if row["valid_loss"] < best:
                best, best_state = row["valid_loss"], copy.deepcopy(network.state_dict())
            elif epoch - min(history, key=lambda r: r["valid_loss"])["epoch"] >= patience:
                break
    network.load_state_dict(best_state)
    return history


def _one_epoch(network, side, batch, optimiser, order, weight):
    network.train()
    x, y = side
    total = 0.0
    # A last batch of one example has no variance to normalise by.
    for chosen in torch.randperm(len(x), generator=order).tensor_split(max(1, len(x) // batch)):
        loss = _loss(network(x[chosen]), y[chosen], weight)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        total += loss.item() * len(chosen)
    return total / len(x)


def _loss_of(network, side, weight):
    network.eval()
    with torch.no_grad():
        evidence = torch.cat([network(part) for part in side[0].split(256)])
    return _loss(evidence, side[1], weight).item()


def _loss(evidence, is_female, weight):
    weights = torch.where(is_female > 0.5, weight, 1.0)
    losses = binary_cross_entropy_with_logits(evidence, is_female, reduction="none")
    return (weights * losses).sum() / weights.sum()


@contextlib.contextmanager
def _events(log_dir):
    """A function that hands a row of the history to TensorBoard."""
    if log_dir is None:
        yield lambda row: None
        return
    from torch.utils.tensorboard import SummaryWriter

    with SummaryWriter(str(log_dir)) as writer:
        yield lambda row: [writer.add_scalar(name, value, row["epoch"])
                           for name, value in row.items() if name != "epoch"]
