/** What the message of a field holds; numbers as in onnx.proto3 (github.com/onnx/onnx). Every other field is skipped. */
const CHILDREN = {
  model: { 7: 'graph', 20: 'training', 25: 'function' },
  training: { 1: 'graph', 2: 'graph' },
  function: { 7: 'node', 11: 'attribute' },
  graph: { 1: 'node', 5: 'tensor', 15: 'sparse' },
  node: { 5: 'attribute' },
  attribute: { 5: 'tensor', 6: 'graph', 10: 'tensor', 11: 'graph', 22: 'sparse', 23: 'sparse' },
  sparse: { 1: 'tensor', 2: 'tensor' },
  tensor: {},
} as const;
type Message = keyof typeof CHILDREN;

/** Fields of a tensor that lies in another file: `external_data`, and `data_location` when it says EXTERNAL. */
const EXTERNAL_DATA = 13;
const DATA_LOCATION = 14;
const GRAPH = 7;
/** Graphs within graphs, far more than any real model has. */
const MAX_DEPTH = 64;

/** By these bytes the runtime knows a model in a format of its own, which it loads without looking at it as ONNX. */
const ORT_FORMAT = 'ORTM';
const ORT_FORMAT_AT = 4;

const NOT_ONNX = 'is not an ONNX model, or only a part of one: fetch or export it again';
const EXTERNAL =
  'keeps weights in other files, which its hash does not cover: save it as one file (onnx.save_model with save_as_external_data=False)';

class Malformed extends Error {}

/**
 * Looks through the bytes of a model without loading it: whether it is a protobuf message with a graph to its last byte, and
 * whether it would make whoever loads it read other files.
 *
 * @returns what is wrong and what to do, to stand behind the name of the file; undefined where nothing is.
 */
export function problemOfModelFile(bytes: Uint8Array): string | undefined {
  const mark = bytes.subarray(ORT_FORMAT_AT, ORT_FORMAT_AT + ORT_FORMAT.length);
  if (Buffer.from(mark).toString('latin1') === ORT_FORMAT) return NOT_ONNX;
  let graphs = 0;
  let external = false;

  function varint(at: number, end: number): { value: number; next: number } {
    let value = 0;
    for (let shift = 0; shift < 70; shift += 7) {
      const byte = at < end ? bytes[at++]! : -1;
      if (byte < 0) throw new Malformed();
      value += (byte & 0x7f) * 2 ** shift;
      if (byte < 0x80) return { value, next: at };
    }
    throw new Malformed();
  }

  function walk(message: Message, start: number, end: number, depth: number): void {
    if (depth > MAX_DEPTH) throw new Malformed();
    let at = start;
    while (at < end && !external) {
      const key = varint(at, end);
      const field = Math.floor(key.value / 8);
      at = key.next;
      switch (key.value % 8) {
        case 0: {
          const { value, next } = varint(at, end);
          at = next;
          if (message === 'tensor' && field === DATA_LOCATION && value !== 0) external = true;
          break;
        }
        case 1:
          at += 8;
          break;
        case 2: {
          const { value: length, next } = varint(at, end);
          at = next + length;
          if (at > end) throw new Malformed();
          if (message === 'model' && field === GRAPH) graphs++;
          if (message === 'tensor' && field === EXTERNAL_DATA) external = true;
          const child = (CHILDREN[message] as Record<number, Message>)[field];
          if (child !== undefined) walk(child, next, at, depth + 1);
          break;
        }
        case 5:
          at += 4;
          break;
        default:
          throw new Malformed();
      }
    }
    if (at > end && !external) throw new Malformed();
  }

  try {
    walk('model', 0, bytes.length, 0);
  } catch (error) {
    if (error instanceof Malformed) return NOT_ONNX;
    throw error;
  }
  if (external) return EXTERNAL;
  return graphs === 1 ? undefined : NOT_ONNX;
}
