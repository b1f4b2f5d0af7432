"""The nets. All of them think at half resolution: a 2x2 block of pixels becomes the channels of one place (pixel unshuffle), which
makes a net five times cheaper per parameter. Every convolution adds to what it was given (a residual), so that a net begins as
next to nothing and learns quickly."""

import torch
import torch.nn as nn
import torch.nn.functional as F


class Residual(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, 3, padding=1)

    def forward(self, x):
        return x + F.relu(self.conv(x))


def body(channels, count):
    return nn.Sequential(*[Residual(channels) for _ in range(count)])


class UNet(nn.Module):
    """Three levels at 1/2, 1/4 and 1/8 of the resolution. `planes` in, `colours` out at the resolution of the input times `scale`.
    With `residual`, the answer is added to the first `colours` planes of the input (enlarged, where scale is 2)."""

    def __init__(self, planes, colours, widths, depths, residual=True, scale=1):
        super().__init__()
        (c1, c2, c3), (n1, n2, n3) = widths, depths
        self.residual, self.scale, self.colours = residual, scale, colours
        self.stem = nn.Conv2d(planes * 4, c1, 3, padding=1)
        self.enter1, self.leave1 = body(c1, n1), body(c1, n1)
        self.enter2, self.leave2 = body(c2, n2), body(c2, n2)
        self.middle = body(c3, n3)
        self.down1 = nn.Conv2d(c1, c2, 2, stride=2)
        self.down2 = nn.Conv2d(c2, c3, 2, stride=2)
        self.up2 = nn.Conv2d(c3, c2 * 4, 1)
        self.up1 = nn.Conv2d(c2, c1 * 4, 1)
        self.tail = nn.Conv2d(c1, colours * 4 * scale * scale, 3, padding=1)
        initialise(self)

    def forward(self, x):
        first = self.enter1(self.stem(F.pixel_unshuffle(x, 2)))
        second = self.enter2(self.down1(first))
        second = self.leave2(second + F.pixel_shuffle(self.up2(self.middle(self.down2(second))), 2))
        first = self.leave1(first + F.pixel_shuffle(self.up1(second), 2))
        out = F.pixel_shuffle(self.tail(first), 2 * self.scale)
        return out + enlarge(x[:, : self.colours], self.scale) if self.residual else out


def enlarge(x, scale):
    return x if scale == 1 else F.interpolate(x, scale_factor=scale, mode='bicubic', align_corners=False)


def initialise(net):
    """He's initialisation, the residual bodies scaled by 0.3 and the tail by 0.1 (QUALITY: without it, such a chain does not train)."""
    for name, module in net.named_modules():
        if not isinstance(module, nn.Conv2d):
            continue
        nn.init.kaiming_normal_(module.weight, nonlinearity='relu')
        nn.init.zeros_(module.bias)
        with torch.no_grad():
            module.weight.mul_(0.1 if name == 'tail' else 0.3 if name.endswith('conv') else 0.7)


NETS = {
    'restore-best': lambda: UNet(5, 3, (48, 96, 128), (2, 2, 4)),
    'restore-fast': lambda: UNet(5, 3, (32, 64, 96), (1, 2, 4)),
    'mask': lambda: UNet(3, 1, (24, 48, 64), (2, 2, 3), residual=False),
    'upscale-2x': lambda: UNet(3, 3, (48, 64, 80), (3, 2, 2), scale=2),
}
