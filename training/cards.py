"""What the manifest of each net says beside the facts of its file. `cost` is in milliseconds per megapixel on two common cores."""

COMMON = {
    'scale': 1,
    'layout': 'NCHW',
    'range': [0, 1],
    'colours': 'RGB',
    'controls': [],
    'inputs': {'image': 'input'},
    'outputs': {'image': 'output'},
    'licence': 'MIT',
    'source': 'Trained from nothing by training/train.py on the pictures of training/data.json',
    'version': '1',
}

RESTORE = {
    **COMMON,
    'task': 'restore',
    'controls': ['noise', 'jpeg'],
    'multiple': 8,
    'tile': {'size': 448, 'overlap': 64},
}

CARDS = {
    'restore-best': {
        **RESTORE,
        'title': 'Grain and JPEG artefacts, thorough',
        'description': 'Takes out film grain, sensor noise and JPEG artefacts, as much as the control planes say there is. '
        'Keeps softness as it is and invents nothing.',
        'cost': 400,
    },
    'restore-fast': {
        **RESTORE,
        'title': 'Grain and JPEG artefacts, fast',
        'description': 'The same as restore-best in half the time, with a little less detail kept.',
        'cost': 200,
    },
    'mask': {
        **COMMON,
        'task': 'mask',
        'title': 'Scratches and dust',
        'description': 'Says of every pixel how likely it is covered by a scratch, a hair or a speck of dust.',
        'multiple': 8,
        'tile': {'size': 448, 'overlap': 64},
        'cost': 120,
    },
    'upscale-2x': {
        **COMMON,
        'task': 'upscale',
        'scale': 2,
        'title': 'Enlarge ×2',
        'description': 'Makes each side twice as long and keeps edges crisp. Invents no detail.',
        'multiple': 8,
        'tile': {'size': 448, 'overlap': 64},
        'cost': 300,
    },
}

# What the option `quality` of a restoration makes of each net.
QUALITY = {
    'restore-best': 'BALANCED and BEST, in one pass',
    'restore-fast': 'FAST, in one pass',
    'mask': 'FAST: one pass, over a copy of about 1.5 megapixels; BALANCED: over every size from there to the full one; BEST: each of them mirrored as well',
    'upscale-2x': 'FAST: one pass; BALANCED: the mean of two, one of them mirrored; BEST: of four, turned every way. x4 is x2 twice',
}

RESTORE_LIMITS = (
    'Grain larger than about two pixels stays in part. Texture that is as fine and as faint as the grain goes with it. Blur is left '
    'alone on purpose. Told of more grain than there is, it smooths.'
)

# What each net cannot do; for its model card.
LIMITS = {
    'restore-best': RESTORE_LIMITS,
    'restore-fast': RESTORE_LIMITS,
    'mask': 'On sharp photos it takes fine bright or dark lines of the scene, such as snow in clefts, twigs and glints, for damage: heirloom '
    'asks it unasked only where a photo is soft or grainy. Stains, tears and faint veils are not found, nor is damage wider than about '
    'eight pixels: a large scan is looked at on reduced copies, too.',
    'upscale-2x': 'It makes edges and lines crisp, and invents nothing: what the small picture does not show is not there afterwards. Of a '
    'grainy or strongly compressed picture it enlarges grain and blocks: take these out first, as the model `auto` does.',
}
