"""Clean training pictures: photographs made smaller (which takes out their own noise and JPEG), and dead leaves."""

import hashlib
import io
import json
import os

import numpy as np
from PIL import Image

from leaves import dead_leaves

FOLDER = os.path.dirname(os.path.abspath(__file__))


def load_manifest(name='data.json'):
    with open(os.path.join(FOLDER, name)) as file:
        return json.load(file)


def read_checked(root, entry):
    path = os.path.join(root, entry['file'])
    with open(path, 'rb') as file:
        found = hashlib.sha256(file.read()).hexdigest()
    if found != entry['sha256']:
        raise SystemExit(f'{path} is not the file of data.json: SHA-256 {found}')
    return Image.open(path)


def reduced(picture, factor):
    size = (picture.width // factor, picture.height // factor)
    return np.asarray(picture.convert('RGB').resize(size, Image.LANCZOS))


def training_pictures(root, leaves=24, seed=1):
    """Arrays [height, width, 3] of bytes. Every photograph comes at several sizes; the small ones as they are. The mask net gets no
    leaves (0): a small one could not be told from a speck of dust."""
    pictures = []
    for entry in load_manifest()['train']:
        photo = read_checked(root, entry)
        factors = (1,) if photo.width < 1000 else (2, 3, 4, 6)
        pictures += [reduced(photo, factor) for factor in factors]
    rng = np.random.default_rng(seed)
    palettes = [picture.reshape(-1, 3) for picture in pictures]
    pictures += [dead_leaves(rng, palettes[rng.integers(len(palettes))]) for _ in range(leaves)]
    return pictures


def validation_pictures(root):
    """Crops of 768 x 512 of the pictures that are never trained on, reduced by three."""
    crops = []
    for entry in load_manifest()['validate']:
        small = reduced(read_checked(root, entry), 3)
        height, width = small.shape[:2]
        for x, y in ((0, 0), (width - 768, height - 512)):
            crops.append(np.ascontiguousarray(small[y : y + 512, x : x + 768]))
    return crops


# Stains, smut and sprays of dots cover what lies under them over so wide an area that no filling could bring it back.
KINDS_OF_DAMAGE = ('dirt', 'hair', 'hair-short', 'lint', 'scratches', 'spots')
# So many files `npm run quality` lays over its pictures at most, evenly chosen (tests/quality/damage/film-masks.ts): they are not learned.
HELD_OUT = 200


def masks(root):
    """Film damage that can be repaired: alpha of the files, bytes [height, width]. Their SHA-256 is that of all names, lengths and contents."""
    folder = os.path.join(root, 'damage')
    names = sorted(
        os.path.relpath(os.path.join(at, name), folder) for at, _, files in os.walk(folder) for name in files if name.endswith('.png')
    )
    every, found, hashed = max(1, -(-len(names) // HELD_OUT)), [], hashlib.sha256()
    for number, name in enumerate(names):
        with open(os.path.join(folder, name), 'rb') as file:
            content = file.read()
        hashed.update(f'{name} {len(content)}\n'.encode())
        hashed.update(content)
        if number % every == 0 or os.path.dirname(name) not in KINDS_OF_DAMAGE:
            continue
        with Image.open(io.BytesIO(content)) as mask:
            found.append(np.asarray(mask.getchannel('A')))
    if hashed.hexdigest() != load_manifest()['masks']['sha256']:
        raise SystemExit(f'{folder} does not hold the files of data.json: SHA-256 {hashed.hexdigest()}')
    return found


def crop(rng, pictures, side):
    """A square that is not flat, turned and mirrored, 0-1."""
    for _ in range(6):
        picture = pictures[rng.integers(len(pictures))]
        height, width = picture.shape[:2]
        y, x = rng.integers(height - side + 1), rng.integers(width - side + 1)
        patch = picture[y : y + side, x : x + side]
        if patch[::4, ::4].std() > 8 or rng.random() < 0.15:
            break
    patch = np.rot90(patch, rng.integers(4))
    if rng.random() < 0.5:
        patch = patch[:, ::-1]
    return np.ascontiguousarray(patch).astype(np.float32) / 255
