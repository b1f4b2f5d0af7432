"""Writes a trained net as ONNX with its manifest, as Heirloom loads it, and its model card.

    python3 training/export.py restore-best --runs training/runs --models models

Large weights are stored with half the digits (float16) and widened when the file is loaded, which halves the file and changes no
sample of a result by more than 1 of 255; the answer is checked against the net's own before the file is kept."""

import argparse
import hashlib
import json
import os
import re

import numpy as np
import onnx
import torch
from onnx import numpy_helper

from cards import CARDS, LIMITS, QUALITY
from nets import NETS
from pictures import load_manifest
from train import BATCH, commit

# Weights with fewer elements than this stay as they are.
SMALL = 256


class Shipped(torch.nn.Module):
    """The net with what training leaves out: chances instead of logits for the mask, and an end at black and white."""

    def __init__(self, net, task):
        super().__init__()
        self.net, self.task = net, task

    def forward(self, x):
        answer = self.net(x)
        return torch.sigmoid(answer) if self.task == 'mask' else torch.clamp(answer, 0, 1)


def with_half_weights(model):
    """The same graph with float16 initialisers, each followed by a Cast to float32 (folded away when a session is made)."""
    graph = model.graph
    casts = []
    for tensor in list(graph.initializer):
        values = numpy_helper.to_array(tensor)
        if values.dtype != np.float32 or values.size < SMALL:
            continue
        graph.initializer.remove(tensor)
        graph.initializer.append(numpy_helper.from_array(values.astype(np.float16), tensor.name + '.half'))
        casts.append(onnx.helper.make_node('Cast', [tensor.name + '.half'], [tensor.name], to=onnx.TensorProto.FLOAT))
    nodes = casts + list(graph.node)
    del graph.node[:]
    graph.node.extend(nodes)
    return model


def last_figures(runs, net):
    """The last line of the log that says how good the net was on pictures that it was not trained on."""
    with open(os.path.join(runs, f'{net}.log')) as log:
        lines = [line.strip() for line in log if line.startswith('step') and 'loss' not in line]
    return lines[-1].split(' ', 2)[2] if lines else 'not measured'


def runs_of(runs, net):
    """Where each run of the log began, and the number of steps that its learning rate was planned for: `0 of 20,000`."""
    with open(os.path.join(runs, f'{net}.log')) as log:
        heads = [re.search(r'step (\d+) of (\d+)', line) for line in log if line.startswith('#')]
    return ', '.join(f'{int(head[1]):,} of {int(head[2]):,}' for head in heads if head)


def card_of(manifest, runs, parameters, step):
    """The model card: what a stranger has to know before trusting the net."""
    name = manifest['name']
    photos = len(load_manifest()['train'])
    return f"""# {name}: {manifest['title']}

{manifest['description']}

| | |
|---|---|
| shape | U-Net at 1/2, 1/4 and 1/8 of the resolution (`training/nets.py`), {parameters:,} parameters, {manifest['bytes']:,} bytes |
| trained on | {photos} photographs, CC0, reduced (`training/data.json`), and generated pictures; damage drawn on the fly (`training/samples.py`) |
| run | {step:,} steps from nothing, {BATCH[name]} samples each at last, seed 1, begun at step {runs_of(runs, name)} planned: `training/logs/{name}.log` |
| `quality` | {QUALITY[name]} |
| exported at | commit {commit()} |
| on {len(load_manifest()['validate'])} photographs that it never saw | {last_figures(runs, name)} |
| licence | {manifest['licence']} |

**What it cannot do.** {LIMITS[name]}

The figures are those of the training's own damage; what the service makes of photographs with it stands in the README (`npm run quality`).
"""


def main():
    parser = argparse.ArgumentParser(description='Writes a trained net as ONNX with its manifest.')
    parser.add_argument('net', choices=NETS)
    parser.add_argument('--runs', default='training/runs')
    parser.add_argument('--models', default='models')
    args = parser.parse_args()

    card = CARDS[args.net]
    net = NETS[args.net]()
    saved = torch.load(os.path.join(args.runs, f'{args.net}.pt'), map_location='cpu')
    net.load_state_dict(saved['average'])
    # As shipped: what is lost by half the digits is lost here too, so that the check below looks at nothing else.
    with torch.no_grad():
        for weight in net.parameters():
            if weight.numel() >= SMALL:
                weight.copy_(weight.half().float())
    shipped = Shipped(net, card['task']).eval()

    planes = 3 + len(card['controls'])
    example = torch.rand(1, planes, 64, 48)
    path = os.path.join(args.models, f'{args.net}.onnx')
    os.makedirs(args.models, exist_ok=True)
    axes = {2: 'height', 3: 'width'}
    torch.onnx.export(
        shipped,
        example,
        path,
        opset_version=13,
        input_names=['input'],
        output_names=['output'],
        dynamic_axes={'input': axes, 'output': {2: 'height_out', 3: 'width_out'}},
    )
    model = with_half_weights(onnx.load(path))
    model.producer_name, model.producer_version = 'heirloom', commit()
    onnx.checker.check_model(model)
    onnx.save(model, path)

    with open(path, 'rb') as file:
        content = file.read()
    manifest = {
        'name': args.net,
        **card,
        'file': f'{args.net}.onnx',
        'sha256': hashlib.sha256(content).hexdigest(),
        'bytes': len(content),
    }
    with open(os.path.join(args.models, f'{args.net}.json'), 'w') as file:
        json.dump(manifest, file, indent=2)
        file.write('\n')
    parameters = sum(p.numel() for p in net.parameters())
    with open(os.path.join(args.models, f'{args.net}.md'), 'w') as file:
        file.write(card_of(manifest, args.runs, parameters, saved['step']))
    print(f'{path}: {len(content)} bytes, {parameters} parameters, step {saved["step"]}')


if __name__ == '__main__':
    main()
