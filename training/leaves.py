"""Dead leaves: discs of all sizes that cover one another, whose statistics are those of photographs (Lee, Mumford and Huang 2001;
Achddou, Gousseau and Ladjal 2021 train denoisers on them). They belong to nobody."""

import numpy as np
from PIL import Image


def dead_leaves(rng, palette, side=640, discs=4000):
    """An RGB picture [side, side, 3] of bytes; `palette` [n, 3] lends its colours. Drawn at twice the size, then reduced."""
    big = 2 * side
    picture = np.empty((big, big, 3), np.float32)
    picture[:] = palette[rng.integers(len(palette))]
    low, high = 4.0, big / 3
    # Radii with density r^-3 between the two.
    radii = 1 / np.sqrt(rng.uniform(1 / high**2, 1 / low**2, discs))
    for radius in sorted(radii * rng.uniform(0.7, 1.3, discs), reverse=rng.random() < 0.5)[:discs]:
        x, y = rng.uniform(0, big, 2)
        stretch, angle = rng.uniform(0.3, 1), rng.uniform(0, np.pi)
        x0, x1 = int(max(0, x - radius)), int(min(big, x + radius + 1))
        y0, y1 = int(max(0, y - radius)), int(min(big, y + radius + 1))
        if x1 <= x0 or y1 <= y0:
            continue
        v, u = np.mgrid[y0:y1, x0:x1]
        a = (u - x) * np.cos(angle) + (v - y) * np.sin(angle)
        b = ((v - y) * np.cos(angle) - (u - x) * np.sin(angle)) / stretch
        inside = a * a + b * b < radius * radius
        colour = palette[rng.integers(len(palette))].astype(np.float32)
        shade = 1 + rng.uniform(-0.3, 0.3) * a / radius
        if rng.random() < 0.25:
            shade = shade + rng.uniform(0.05, 0.25) * np.sin(a * rng.uniform(0.2, 1.5))
        picture[y0:y1, x0:x1][inside] = (colour * shade[..., None])[inside]
    image = Image.fromarray(np.clip(picture, 0, 255).astype(np.uint8))
    return np.asarray(image.resize((side, side), Image.LANCZOS))
