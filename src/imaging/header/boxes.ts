/** One box of an ISO base media file (ISO/IEC 14496-12) held in memory. */
export interface Box {
  readonly type: string;
  readonly data: Buffer;
}

/** The boxes in `bytes`, up to `cap` of them; a length that reaches too far ends the list. */
export function boxesIn(bytes: Buffer, cap = 10_000): Box[] {
  const found: Box[] = [];
  let offset = 0;
  while (offset + 8 <= bytes.length && found.length < cap) {
    const { headerBytes, length } = boxLength(bytes.subarray(offset, offset + 16), bytes.length - offset);
    if (length < headerBytes || offset + length > bytes.length) break;
    found.push({
      type: bytes.toString('latin1', offset + 4, offset + 8),
      data: bytes.subarray(offset + headerBytes, offset + length),
    });
    offset += length;
  }
  return found;
}

/** A box's whole length and that of its header; length 0 in the file means "to the end". */
export function boxLength(head: Buffer, remaining: number): { headerBytes: number; length: number } {
  const short = head.length >= 8 ? head.readUInt32BE(0) : 0;
  if (short === 1 && head.length >= 16) return { headerBytes: 16, length: Number(head.readBigUInt64BE(8)) };
  return { headerBytes: 8, length: short === 0 ? remaining : short };
}

/** Reads big-endian numbers one after another; zeros after the end. */
export function numberReader(bytes: Buffer, start = 0): (size: number) => number {
  let offset = start;
  return (size) => {
    let value = 0;
    for (let i = 0; i < size; i++) value = value * 256 + (bytes[offset++] ?? 0);
    return value;
  };
}
