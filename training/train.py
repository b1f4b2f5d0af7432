"""Trains one net from nothing, or goes on from its last checkpoint.

    python3 training/train.py restore-best --pictures FOLDER --steps 60000

Every sample is made on the fly from its seed and number, so that a run that was interrupted goes on as if it had not been. The
weights that are shipped are the moving average of the last steps."""

import argparse
import copy
import math
import os
import subprocess
import time

import numpy as np
import onnx
import onnx.numpy_helper
import torch

from losses import LOSSES
from nets import NETS
from pictures import masks, training_pictures, validation_pictures
from samples import SAMPLES
from validate import validate

BATCH = {'restore-best': 16, 'restore-fast': 16, 'mask': 12, 'upscale-2x': 8}


class Samples(torch.utils.data.Dataset):
    def __init__(self, make, seed, start, count, clean, found):
        self.make, self.seed, self.start, self.count, self.clean, self.found = make, seed, start, count, clean, found

    def __len__(self):
        return self.count

    def __getitem__(self, index):
        return self.make(self.seed, self.start + index, self.clean, self.found)


def rate(step, steps, highest):
    """Warm-up, then half a cosine down to a hundredth."""
    if step < 500:
        return highest * (step + 1) / 500
    return highest * (0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * min(1, step / steps))))


def commit():
    """Of the recipe, where git knows it."""
    try:
        return subprocess.run(['git', 'rev-parse', '--short=12', 'HEAD'], capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return 'unknown'


def device():
    return torch.device('cuda' if torch.cuda.is_available() else 'cpu')


def shipped_weights(path):
    """What export.py has written: the weights are stored by their own names, most of them with half the digits."""
    found = {}
    for tensor in onnx.load(path).graph.initializer:
        if tensor.name.startswith('net.'):
            name = tensor.name[len('net.') :].removesuffix('.half')
            found[name] = torch.from_numpy(onnx.numpy_helper.to_array(tensor).astype(np.float32))
    return found


def main():
    parser = argparse.ArgumentParser(description='Trains one net.')
    parser.add_argument('net', choices=NETS)
    parser.add_argument('--pictures', required=True, help='folder with the files that data.json names')
    parser.add_argument('--runs', default='training/runs', help='folder of checkpoints and logs')
    parser.add_argument('--steps', type=int, default=60_000)
    parser.add_argument('--rate', type=float, default=8e-4)
    parser.add_argument('--seed', type=int, default=1)
    parser.add_argument('--workers', type=int, default=2)
    parser.add_argument('--begin', help='shipped weights to begin with instead of nothing: models/NAME.onnx')
    parser.add_argument('--threads', type=int, default=torch.get_num_threads())
    args = parser.parse_args()

    torch.manual_seed(args.seed)
    torch.set_num_threads(args.threads)
    os.makedirs(args.runs, exist_ok=True)
    where = device()
    # The order of numbers that convolutions like best: nearly twice as fast on a processor.
    net = NETS[args.net]().to(where, memory_format=torch.channels_last)
    average = NETS[args.net]().to(where)
    average.load_state_dict(net.state_dict())
    optimiser = torch.optim.Adam(net.parameters(), args.rate)
    checkpoint = os.path.join(args.runs, f'{args.net}.pt')
    start = 0
    if args.begin:
        begun = shipped_weights(args.begin)
        net.load_state_dict(begun)
        average.load_state_dict(begun)
    if os.path.exists(checkpoint):
        saved = torch.load(checkpoint, map_location=where)
        net.load_state_dict(saved['net'])
        average.load_state_dict(saved['average'])
        optimiser.load_state_dict(saved['optimiser'])
        start = saved['step']
    log = open(os.path.join(args.runs, f'{args.net}.log'), 'a', buffering=1)

    def say(text):
        print(text, flush=True)
        log.write(text + '\n')

    for_mask = args.net == 'mask'
    clean = training_pictures(args.pictures, leaves=0 if for_mask else 24)
    crops, found = validation_pictures(args.pictures), masks(args.pictures) if for_mask else []
    size = sum(p.numel() for p in net.parameters())
    batch, loss_of = BATCH[args.net], LOSSES[args.net]
    begun_with = f', begun with {args.begin}' if args.begin else ''
    say(
        f'# {args.net}: {size} parameters, {len(clean)} pictures, step {start} of {args.steps}, {batch} samples a step, '
        f'highest rate {args.rate}, seed {args.seed}, commit {commit()}, {where}{begun_with}'
    )
    data = Samples(SAMPLES[args.net], args.seed, start * batch, (args.steps - start) * batch, clean, found)
    loader = torch.utils.data.DataLoader(data, batch, num_workers=args.workers, persistent_workers=False)

    def save(step):
        state = {'net': net.state_dict(), 'average': average.state_dict(), 'optimiser': optimiser.state_dict(), 'step': step}
        torch.save(state, checkpoint + '.part')
        os.replace(checkpoint + '.part', checkpoint)

    losses, began = [], time.time()
    usual, safe = None, None
    for step, (inputs, target) in enumerate(loader, start):
        inputs, target = inputs.to(where, memory_format=torch.channels_last), target.to(where)
        for group in optimiser.param_groups:
            group['lr'] = rate(step, args.steps, args.rate)
        optimiser.zero_grad()
        # Half the digits make a step four times faster on a processor that knows them; the weights keep all of theirs.
        with torch.autocast(where.type, dtype=torch.bfloat16):
            answer = net(inputs)
        loss = loss_of(answer.float(), target)
        lost = loss.item()
        # Rarely a step goes astray, and the net with it: then it goes on from where it was well.
        if usual is not None and not lost < 12 * usual:
            say(f'step {step + 1} loss {lost:.5f}: back to the last good weights')
            net.load_state_dict(safe['net'])
            optimiser.load_state_dict(safe['optimiser'])
        else:
            loss.backward()
            torch.nn.utils.clip_grad_norm_(net.parameters(), 0.5)
            optimiser.step()
            keep = min(0.999, (step + 1) / (step + 10))
            with torch.no_grad():
                for mean, now in zip(average.parameters(), net.parameters()):
                    mean.lerp_(now, 1 - keep)
            losses.append(lost)
            usual = lost if usual is None else 0.98 * usual + 0.02 * lost
        if safe is None or step % 200 == 0:
            safe = copy.deepcopy({'net': net.state_dict(), 'optimiser': optimiser.state_dict()})
        if (step + 1) % 500 == 0:
            speed = (time.time() - began) / max(1, len(losses))
            say(f'step {step + 1} loss {np.mean(losses):.5f} rate {rate(step, args.steps, args.rate):.2e} {speed * 1e3:.0f} ms/step')
            losses, began = [], time.time()
            save(step + 1)
        if (step + 1) % 5000 == 0 or step + 1 == args.steps:
            say(f'step {step + 1} ' + validate(args.net, average, crops, found))
            began = time.time()
    save(args.steps)


if __name__ == '__main__':
    main()
