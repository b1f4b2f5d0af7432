"""What time does to photographs: every function takes a picture [height, width, 3], 0-1, float32, and a seeded generator, and gives
a new one. The kinds and their strengths are those that quality is measured with (`npm run quality`), somewhat widened."""

import io

import numpy as np
from PIL import Image, ImageDraw


def gaussian(sigma):
    radius = max(1, int(np.ceil(3 * sigma)))
    x = np.arange(-radius, radius + 1)
    kernel = np.exp(-(x**2) / (2 * sigma**2))
    return (kernel / kernel.sum()).astype(np.float32)


def blur(picture, sigma):
    """Gaussian, mirrored at the border."""
    if sigma < 0.15:
        return picture
    kernel = gaussian(sigma)
    radius = len(kernel) // 2
    for axis in (0, 1):
        pad = [(0, 0)] * picture.ndim
        pad[axis] = (radius, radius)
        padded = np.pad(picture, pad, mode='symmetric')
        length = picture.shape[axis]
        picture = sum(w * np.take(padded, range(i, i + length), axis) for i, w in enumerate(kernel))
    return picture.astype(np.float32)


def grain(rng, picture, sigma):
    """Film grain of standard deviation `sigma` (of 255): mostly the same in all colours, larger than a pixel, strongest in the mid tones."""
    height, width, _ = picture.shape
    mono = rng.normal(size=(height, width, 1)).astype(np.float32)
    chroma = rng.normal(size=(height, width, 3)).astype(np.float32)
    share = rng.choice([1.0, 0.85, 0.85, 0.85, 0.0])
    noise = share * mono + (0.5 if share == 0.85 else 1 - share) * chroma
    size = rng.uniform(0, 0.8) if rng.random() < 0.85 else rng.uniform(0.8, 1.3)
    noise = blur(noise, size)
    noise = noise / max(float(noise.std()), 1e-6)
    luminance = picture.mean(axis=2, keepdims=True)
    depth = rng.uniform(0, 0.8)
    noise = noise * (1 - depth + depth * 4 * luminance * (1 - luminance))
    return np.clip(picture + noise * (sigma / 255), 0, 1).astype(np.float32)


def jpeg(picture, quality, subsampling=2):
    """Through an encoder; the block grid begins at the upper left corner. `subsampling` 2 = 4:2:0, 0 = 4:4:4."""
    file = io.BytesIO()
    Image.fromarray((picture * 255 + 0.5).astype(np.uint8)).save(file, 'JPEG', quality=int(quality), subsampling=subsampling)
    return np.asarray(Image.open(file)).astype(np.float32) / 255


def fade(rng, picture):
    """Lifted blacks, dull whites, a bent curve, pale and yellowed colours."""
    black, white = rng.uniform(0.1, 0.22), rng.uniform(0.72, 0.9)
    grey = picture.mean(axis=2, keepdims=True)
    pale = grey + (picture - grey) * rng.uniform(0.5, 1)
    out = black + (white - black) * pale ** rng.uniform(0.8, 1.15)
    out = out * np.array([1, rng.uniform(0.9, 1), rng.uniform(0.68, 0.95)], np.float32)
    return np.clip(out, 0, 1).astype(np.float32)


def toned(rng, picture):
    """Black and white, some of it in one hue such as sepia."""
    grey = picture @ np.array([0.299, 0.587, 0.114], np.float32)
    hue = np.array([1, 1, 1]) if rng.random() < 0.5 else np.array([1, rng.uniform(0.85, 0.97), rng.uniform(0.65, 0.9)])
    return (grey[..., None] * hue.astype(np.float32)).astype(np.float32)


def path(rng, x, y, length, wander, steps=14):
    """A line that changes its mind a little at every step."""
    angle, points = rng.uniform(0, 2 * np.pi), [(x, y)]
    for _ in range(steps):
        angle += rng.normal() * wander
        x, y = x + np.cos(angle) * length / steps, y + np.sin(angle) * length / steps
        points.append((x, y))
    return points


def tint(rng, bright):
    """Light like the paper under the picture, or dark like dirt upon it; `bright` = how likely it is light."""
    level = rng.uniform(0.75, 1) if rng.random() < bright else rng.uniform(0, 0.25)
    return np.clip(level + rng.normal(size=3) * 0.03, 0, 1)


def drawn_damage(rng, height, width, amount):
    """Cover of scratches, hairs and dust, 0-1 [height, width], and their colours [height, width, 3]; `amount` 1 = about 70 specks and 6
    lines in 0.4 megapixels."""
    scale = 3
    sheet, colours = Image.new('L', (width * scale, height * scale), 0), Image.new('RGB', (width, height))
    draw, paint = ImageDraw.Draw(sheet), ImageDraw.Draw(colours)
    area = height * width / 0.4e6
    side = scale * np.hypot(height, width)

    def somewhere():
        return rng.uniform(0, width * scale), rng.uniform(0, height * scale)

    def stroke(points, bright, fill, wide):
        """A line with round ends. Its colour reaches a little further than its cover, so that no rim is of another one."""
        ends = (points[0], points[-1])
        draw.line(points, fill=int(fill), width=max(1, int(scale * wide)), joint='curve')
        for x, y in ends:
            r = scale * wide / 2
            draw.ellipse((x - r, y - r, x + r, y + r), fill=int(fill))
        colour = tuple(int(255 * c + 0.5) for c in tint(rng, bright))
        paint.line([(x / scale, y / scale) for x, y in points], fill=colour, width=int(wide) + 4)
        for x, y in ends:
            r = wide / 2 + 2
            paint.ellipse((x / scale - r, y / scale - r, x / scale + r, y / scale + r), fill=colour)

    for _ in range(rng.poisson(6 * area * amount + 0.5)):
        points = path(rng, *somewhere(), rng.uniform(0.3, 1.6) * side, rng.uniform(0, 0.12))
        stroke(points, 0.85, rng.uniform(120, 255), rng.uniform(0.7, 3.2))
    for _ in range(rng.poisson(8 * area * amount + 0.3)):
        points = path(rng, *somewhere(), scale * rng.uniform(10, 90), rng.uniform(0.1, 0.7))
        stroke(points, 0.5, rng.uniform(120, 255), rng.uniform(0.6, 1.8))
    for _ in range(rng.poisson(70 * area * amount)):
        x, y = somewhere()
        turn, far = rng.uniform(0, 2 * np.pi), scale * rng.uniform(0, 1.5)
        stroke([(x, y), (x + far * np.cos(turn), y + far * np.sin(turn))], 0.7, rng.uniform(140, 255), rng.uniform(1, 4.2))
    cover = np.asarray(sheet.resize((width, height), Image.BOX)).astype(np.float32) / 255
    return cover, np.asarray(colours).astype(np.float32) / 255


def resized(picture, side):
    image = Image.fromarray((picture * 255 + 0.5).astype(np.uint8)).resize((side, side), Image.BICUBIC)
    return np.asarray(image).astype(np.float32) / 255


def overlaid(rng, picture, other):
    """What looks like damage and belongs to the scene: branches, wires and whiskers of another texture, and snow-like patches. Unlike
    damage they have light and shade of their own, and their thin parts hang on thick ones."""
    height, width, _ = picture.shape
    if rng.random() < 0.5:
        sheet = Image.new('L', (width * 2, height * 2), 0)
        draw = ImageDraw.Draw(sheet)
        for _ in range(rng.integers(1, 7)):
            points = path(rng, rng.uniform(0, 2 * width), rng.uniform(0, 2 * height), rng.uniform(40, 300), rng.uniform(0, 0.35))
            thick, thin = 2 * rng.uniform(2, 9), 2 * rng.uniform(0.5, 3)
            for i, (a, b) in enumerate(zip(points, points[1:])):
                draw.line((a, b), fill=255, width=max(1, int(thick + (thin - thick) * i / len(points))))
        cover = np.asarray(sheet.resize((width, height), Image.BOX)).astype(np.float32) / 255
    else:
        field = blur(rng.normal(size=(height, width)).astype(np.float32), rng.uniform(1.5, 6))
        field /= max(float(field.std()), 1e-6)
        cover = np.clip((field - rng.uniform(0.6, 1.8)) * rng.uniform(2, 8), 0, 1)
    # Textures of a scene; most often lit so that they stand out as damage would, but never as even as that.
    if rng.random() < 0.6:
        level = rng.uniform(0.65, 0.95) if rng.random() < 0.6 else rng.uniform(0.05, 0.35)
        contrast = max(0.08, float(other.std()) * rng.uniform(0.4, 0.9)) / max(float(other.std()), 0.02)
        other = np.clip(level + (other - other.mean()) * contrast, 0, 1)
    # A lens has drawn them: no edge in a scene is as sharp as that of a scratch.
    cover = blur(cover, rng.uniform(0.35, 0.9))
    return np.clip(picture + cover[..., None] * (other - picture), 0, 1).astype(np.float32)


def film_damage(rng, masks, height, width):
    """A piece of a film-damage mask, turned, at most half of it covered."""
    for _ in range(4):
        mask = masks[rng.integers(len(masks))]
        mask = np.rot90(mask, rng.integers(4))
        y, x = rng.integers(max(1, mask.shape[0] - height + 1)), rng.integers(max(1, mask.shape[1] - width + 1))
        piece = np.zeros((height, width), np.float32)
        part = mask[y : y + height, x : x + width].astype(np.float32) / 255
        piece[: part.shape[0], : part.shape[1]] = part
        # The faint veils of some masks are no damage that a person would mark.
        piece = np.where(piece < 0.25, 0, piece)
        if piece.mean() < 0.12:
            return piece
    return np.zeros((height, width), np.float32)


def covered(picture, cover, colours):
    """The picture under damage."""
    return np.clip(picture + cover[..., None] * (colours - picture), 0, 1).astype(np.float32)


def found_and_open(cover, before, after):
    """Where damage has to be found, and where an answer is neither right nor wrong: at soft rims, and where nothing can be seen.
    As `npm run quality` counts."""
    seen = np.abs(after - before).max(axis=2) >= 10 / 255
    found = (cover >= 0.3) & seen
    return found, (cover >= 0.05) & ~found
