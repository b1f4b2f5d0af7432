const SEQUENCE_HEADER = 1;
const MAX_UNITS = 64;

/** Bits of `bytes`, most significant first; zeros after the end. */
function bitReader(bytes: Buffer): (count: number) => number {
  let position = 0;
  return (count) => {
    let value = 0;
    for (let i = 0; i < count; i++, position++) {
      value = value * 2 + (((bytes[position >> 3] ?? 0) >> (7 - (position & 7))) & 1);
    }
    return value;
  };
}

function skipUvlc(bits: (count: number) => number): void {
  let zeros = 0;
  while (zeros < 32 && bits(1) === 0) zeros += 1;
  if (zeros < 32) bits(zeros);
}

/** The largest frame a sequence allows: `sequence_header_obu` of the AV1 bitstream specification, section 5.5.1. */
function frameLimit(payload: Buffer): { width: number; height: number } {
  const bits = bitReader(payload);
  bits(3 + 1);
  if (bits(1) === 1) bits(5);
  else {
    let delayBits = 0;
    if (bits(1) === 1) {
      bits(64);
      if (bits(1) === 1) skipUvlc(bits);
      if (bits(1) === 1) {
        delayBits = bits(5) + 1;
        bits(32 + 5 + 5);
      }
    }
    const hasDisplayDelay = bits(1) === 1;
    const points = bits(5) + 1;
    for (let i = 0; i < points; i++) {
      bits(12);
      if (bits(5) > 7) bits(1);
      if (delayBits > 0 && bits(1) === 1) bits(2 * delayBits + 1);
      if (hasDisplayDelay && bits(1) === 1) bits(4);
    }
  }
  const widthBits = bits(4) + 1;
  const heightBits = bits(4) + 1;
  return { width: bits(widthBits) + 1, height: bits(heightBits) + 1 };
}

/** The frame size in each sequence header among the first units of AV1 data; what does not parse is skipped. */
export function av1FrameSizes(data: Buffer): { width: number; height: number }[] {
  const sizes: { width: number; height: number }[] = [];
  let offset = 0;
  for (let units = 0; units < MAX_UNITS && offset < data.length; units++) {
    const header = data[offset] ?? 0;
    offset += (header & 0x04) === 0 ? 1 : 2;
    let length = data.length - offset;
    if ((header & 0x02) !== 0) {
      length = 0;
      for (let i = 0; i < 8; i++) {
        const byte = data[offset++] ?? 0;
        length += (byte & 0x7f) * 2 ** (7 * i);
        if ((byte & 0x80) === 0) break;
      }
    }
    if (((header >> 3) & 15) === SEQUENCE_HEADER) sizes.push(frameLimit(data.subarray(offset, offset + length)));
    offset += length;
  }
  return sizes;
}
