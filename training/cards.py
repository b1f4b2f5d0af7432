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
