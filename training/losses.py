"""What each net is told of its mistakes."""

import torch
import torch.nn.functional as F


def charbonnier(answer, target):
    """L1 with a rounded tip (Charbonnier 1994)."""
    return torch.sqrt((answer - target) ** 2 + 1e-6).mean()


def mask_loss(answer, target):
    """Cross entropy and Dice; places at the rim of a damage, where nobody could say, count for nothing."""
    truth, counts = target[:, :1], target[:, 1:]
    entropy = F.binary_cross_entropy_with_logits(answer, truth, reduction='none')
    chance = torch.sigmoid(answer) * counts
    overlap = 2 * (chance * truth).sum() + 1
    return (entropy * counts).mean() + 0.05 * (1 - overlap / (chance.sum() + (truth * counts).sum() + 1))


LOSSES = {
    'restore-best': charbonnier,
    'restore-fast': charbonnier,
    'mask': mask_loss,
    'upscale-2x': charbonnier,
}
