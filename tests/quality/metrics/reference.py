"""SSIM after Wang et al. 2004 in plain numpy, for checking ssim.ts: python3 reference.py prints the two figures of quality.test.ts."""

import numpy as np

WIDTH, HEIGHT = 96, 64
Y, X = np.mgrid[0:HEIGHT, 0:WIDTH].astype(float)
CLEAN = [np.floor(127 + 60 * np.sin(X / 5 + c) + 50 * np.cos(Y / 7 - X / 11) + 0.5) for c in range(3)]


def luma(planes):
    return 0.299 * planes[0] + 0.587 * planes[1] + 0.114 * planes[2]


def window():
    x = np.arange(11) - 5
    row = np.exp(-(x**2) / (2 * 1.5**2))
    kernel = np.outer(row, row)
    return kernel / kernel.sum()


def local(plane, kernel):
    out = np.zeros((plane.shape[0] - 10, plane.shape[1] - 10))
    for dy in range(11):
        for dx in range(11):
            out += kernel[dy, dx] * plane[dy : dy + out.shape[0], dx : dx + out.shape[1]]
    return out


def ssim(a, b):
    kernel = window()
    c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    ma, mb = local(a, kernel), local(b, kernel)
    va = local(a * a, kernel) - ma**2
    vb = local(b * b, kernel) - mb**2
    cov = local(a * b, kernel) - ma * mb
    return (((2 * ma * mb + c1) * (2 * cov + c2)) / ((ma**2 + mb**2 + c1) * (va + vb + c2))).mean()


wavy = [np.clip(p + (X * 7 + Y * 13) % 41 - 20, 0, 255) for p in CLEAN]
paler = [np.floor(p * 0.7 + 30 + 0.5) for p in CLEAN]
print(f"wavy: {ssim(luma(wavy), luma(CLEAN)):.8f}, paler: {ssim(luma(paler), luma(CLEAN)):.8f}")
