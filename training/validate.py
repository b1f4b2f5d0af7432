"""How good a net is on pictures that it was not trained on, in one line of the log; and by itself, of the last checkpoint:

    python3 training/validate.py restore-best --pictures FOLDER"""

import argparse
import os

import numpy as np
import torch
from PIL import Image

import damage
from nets import NETS
from pictures import masks, validation_pictures
from samples import planes


def psnr(a, b):
    return 10 * np.log10(1 / max(float(((a - b) ** 2).mean()), 1e-10))


def run(net, inputs):
    net.eval()
    with torch.no_grad():
        answer = net(torch.from_numpy(inputs[None]).to(next(net.parameters()).device)).cpu().numpy()[0]
    net.train()
    return answer


def restore(net, picture, noise, quality):
    height, width, _ = picture.shape
    controls = np.broadcast_to(np.array([noise / 50, quality], np.float32)[:, None, None], (2, height, width))
    answer = run(net, np.concatenate([planes(picture), controls]).astype(np.float32))
    return np.clip(answer.transpose(1, 2, 0), 0, 1)


def validate_restore(net, crops, _masks):
    found = {'grain 18': [], 'jpeg 45': [], 'grain 10 + jpeg 55': [], 'clean': []}
    for number, crop in enumerate(crops):
        clean = crop.astype(np.float32) / 255
        rng = np.random.default_rng(number)
        grainy = damage.grain(rng, clean, 18)
        noise = 255 * float((grainy - clean).std())
        found['grain 18'].append((psnr(restore(net, grainy, noise, 0), clean), psnr(grainy, clean)))
        packed = damage.jpeg(clean, 45)
        found['jpeg 45'].append((psnr(restore(net, packed, 0, 0.55), clean), psnr(packed, clean)))
        both = damage.grain(rng, clean, 10)
        noise = 255 * float((both - clean).std())
        both = damage.jpeg(both, 55)
        found['grain 10 + jpeg 55'].append((psnr(restore(net, both, noise * 0.8, 0.45), clean), psnr(both, clean)))
        found['clean'].append((psnr(restore(net, clean, 0, 0), clean), 99))
    return ', '.join(f'{kind} {np.mean([a for a, _ in v]):.2f} (from {np.mean([b for _, b in v]):.2f})' for kind, v in found.items())


def validate_mask(net, crops, masks):
    hits = {'sharp': [0, 0, 0], 'soft and grainy': [0, 0, 0]}
    for number, crop in enumerate(crops):
        clean = crop.astype(np.float32) / 255
        rng = np.random.default_rng(number)
        cover, colours = damage.drawn_damage(rng, *clean.shape[:2], 1)
        piece = damage.film_damage(rng, masks, 400, 400)
        corner = np.s_[:400, :400]
        colours[corner] = np.where((piece > cover[corner])[..., None], damage.tint(rng, 0.7), colours[corner])
        cover[corner] = np.maximum(cover[corner], piece)
        for kind, base in (('sharp', clean), ('soft and grainy', damage.blur(clean, 1))):
            picture = damage.covered(base, cover, colours)
            truth, unsure = damage.found_and_open(cover, base, picture)
            if kind != 'sharp':
                picture = damage.grain(rng, picture, 10)
            answer = run(net, planes(picture))[0] > 0
            for i, count in enumerate(((answer & truth).sum(), (answer & ~truth & ~unsure).sum(), (truth & ~answer).sum())):
                hits[kind][i] += int(count)
    clean = np.mean([(run(net, planes(crop.astype(np.float32) / 255))[0] > 0).mean() for crop in crops])
    scores = ', '.join(f'{kind} F1 {2 * t / max(1, 2 * t + f + m):.3f} (precision {t / max(1, t + f):.3f})' for kind, (t, f, m) in hits.items())
    return f'{scores}, flagged on clean pictures {100 * clean:.3f} %'


def validate_upscale(net, crops, _masks):
    found = []
    for crop in crops:
        image = Image.fromarray(crop)
        small = image.resize((crop.shape[1] // 2, crop.shape[0] // 2), Image.BICUBIC)
        lanczos = np.asarray(small.resize(image.size, Image.LANCZOS)).astype(np.float32) / 255
        answer = run(net, planes(np.asarray(small).astype(np.float32) / 255)).transpose(1, 2, 0)
        clean = crop.astype(np.float32) / 255
        found.append((psnr(np.clip(answer, 0, 1), clean), psnr(lanczos, clean)))
    return f'half {np.mean([a for a, _ in found]):.2f} (Lanczos {np.mean([b for _, b in found]):.2f})'


VALIDATIONS = {
    'restore-best': validate_restore,
    'restore-fast': validate_restore,
    'mask': validate_mask,
    'upscale-2x': validate_upscale,
}


def validate(name, net, crops, masks):
    return VALIDATIONS[name](net, crops, masks)


def main():
    parser = argparse.ArgumentParser(description='Measures the last checkpoint of a net.')
    parser.add_argument('net', choices=NETS)
    parser.add_argument('--pictures', required=True, help='folder with the files that data.json names')
    parser.add_argument('--runs', default='training/runs')
    args = parser.parse_args()
    saved = torch.load(os.path.join(args.runs, f'{args.net}.pt'), map_location='cpu')
    net = NETS[args.net]()
    net.load_state_dict(saved['average'])
    found = masks(args.pictures) if args.net == 'mask' else []
    print(f'step {saved["step"]}', validate(args.net, net, validation_pictures(args.pictures), found))


if __name__ == '__main__':
    main()
