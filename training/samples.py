"""What one sample of each net is: inputs and targets made from clean pictures, the same for the same seed and number."""

import numpy as np

import damage
from pictures import crop

SIDE = 96


def generator(seed, number):
    return np.random.default_rng((seed, number))


def planes(picture):
    return np.ascontiguousarray(picture.transpose(2, 0, 1))


def look(rng, picture):
    """How the scene came onto the film: softness, tone and lack of colour belong to the picture that the net must keep."""
    if rng.random() < 0.2:
        picture = damage.toned(rng, picture)
    if rng.random() < 0.35:
        picture = damage.fade(rng, picture)
    if rng.random() < 0.45:
        picture = damage.blur(picture, rng.uniform(0.3, 1.4))
    return picture


def restore_sample(seed, number, clean, _masks, side=SIDE):
    """Grain and JPEG, alone and together. The control planes say how much of both there is, as well as it can be measured."""
    rng = generator(seed, number)
    # Room for a block grid that does not begin at the corner.
    target = look(rng, crop(rng, clean, side + 8))
    picture = target
    noise = quality = 0.0
    kind = rng.random()
    if kind >= 0.17:
        with_grain, with_jpeg = kind < 0.75, kind >= 0.5
        if with_grain:
            sigma = rng.uniform(1.5, 28) if rng.random() < 0.8 else rng.uniform(1, 8)
            picture = damage.grain(rng, picture, sigma)
            noise = 255 * float((picture - target).std())
        if with_jpeg:
            level = rng.integers(25, 80) if rng.random() < 0.8 else rng.integers(60, 96)
            picture = damage.jpeg(picture, level, 2 if rng.random() < 0.85 else 0)
            quality = (100 - level) / 100
    # The measurements err as those of the product do: a little, and now and then they see nothing, or grain where there is none.
    noise = 0.0 if rng.random() < 0.03 else noise * (1 + rng.normal() * 0.12) * (rng.uniform(0.7, 1) if quality else 1)
    if quality:
        quality = 0.0 if rng.random() < 0.03 else quality + rng.normal() * 0.015
    if kind < 0.17 and rng.random() < 0.2:
        noise, quality = rng.uniform(0, 3), rng.uniform(0, 0.2)
    controls = np.clip([noise / 50, quality], 0, 1)
    y, x = rng.integers(9, size=2)
    window = np.s_[y : y + side, x : x + side]
    inputs = np.concatenate([planes(picture[window]), np.broadcast_to(controls[:, None, None], (2, side, side))])
    return inputs.astype(np.float32), planes(target[window])


def scene(rng, clean, side):
    """A crop that no camera has seen: enlarged, in other tones, as a negative, with exchanged colours. The mask net must not learn the few
    photographs by heart."""
    if rng.random() < 0.35:
        wide = int(side * rng.uniform(0.5, 0.95)) if rng.random() < 0.4 else int(side * rng.uniform(1.05, 1.8))
        picture = damage.resized(crop(rng, clean, wide), side)
    else:
        picture = crop(rng, clean, side)
    if rng.random() < 0.3:
        picture = picture[..., rng.permutation(3)]
    if rng.random() < 0.25:
        picture = 1 - picture
    if rng.random() < 0.5:
        middle = picture.mean()
        picture = np.clip(middle + (picture - middle) * rng.uniform(0.6, 1.8) + rng.uniform(-0.1, 0.1), 0, 1)
        picture = picture ** rng.uniform(0.6, 1.6)
    return picture.astype(np.float32)


def mask_sample(seed, number, clean, masks, side=128):
    """Where scratches, hairs and dust are. A third of the samples has none, and half have what only looks like it: branches, wires,
    whiskers and snow are no damage."""
    rng = generator(seed, number)
    picture = scene(rng, clean, side)
    if rng.random() < 0.5:
        picture = damage.overlaid(rng, picture, scene(rng, clean, side))
    if rng.random() < 0.2:
        picture = damage.toned(rng, picture)
    if rng.random() < 0.3:
        picture = damage.fade(rng, picture)
    if rng.random() < 0.5:
        picture = damage.blur(picture, rng.uniform(0.4, 1.8))
    cover, colours = np.zeros((side, side), np.float32), np.zeros((side, side, 3), np.float32)
    if rng.random() < 0.65:
        kind = rng.random()
        if kind < 0.7:
            cover, colours = damage.drawn_damage(rng, side, side, rng.uniform(0.5, 4))
        if kind >= 0.5:
            film = damage.film_damage(rng, masks, side, side)
            colours = np.where((film > cover)[..., None], damage.tint(rng, 0.7), colours)
            cover = np.maximum(cover, film)
        if rng.random() < 0.3:
            cover = damage.blur(cover, rng.uniform(0.3, 0.7))
    before = picture
    picture = damage.covered(picture, cover, colours)
    target, unsure = damage.found_and_open(cover, before, picture)
    if rng.random() < 0.5:
        picture = damage.grain(rng, picture, rng.uniform(2, 20))
    if rng.random() < 0.4:
        picture = damage.jpeg(picture, rng.integers(40, 96), 2)
    return planes(picture), np.stack([target, 1 - unsure]).astype(np.float32)


def upscale_sample(seed, number, clean, _masks, side=64):
    """Half the size, by several ways of making a picture smaller."""
    from PIL import Image

    rng = generator(seed, number)
    target = crop(rng, clean, 2 * side)
    if rng.random() < 0.15:
        target = damage.toned(rng, target)
    image = Image.fromarray((target * 255 + 0.5).astype(np.uint8))
    way = Image.BICUBIC if rng.random() < 0.7 else rng.choice([Image.LANCZOS, Image.BOX])
    small = np.asarray(image.resize((side, side), way)).astype(np.float32) / 255
    if rng.random() < 0.15:
        small = damage.jpeg(small, rng.integers(75, 97), 0)
    return planes(small), planes(target)


SAMPLES = {
    'restore-best': restore_sample,
    'restore-fast': restore_sample,
    'mask': mask_sample,
    'upscale-2x': upscale_sample,
}
