/**
 * How deep MessagePack nests, found without recursion: a decoder recurses, and bytes that open a
 * hundred thousand arrays would overflow its stack.
 */

/** True where `bytes` nest more than `limit` levels, or end inside of a value. */
export function nestsDeeperThan(bytes: Uint8Array, limit: number): boolean {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  /** The values that are still to come, by level. */
  const open: number[] = [1];
  let at = 0;
  while (open.length > 0) {
    const top = open.length - 1;
    const left = open[top] ?? 0;
    if (left === 0) {
      open.pop();
      continue;
    }
    open[top] = left - 1;
    if (at >= bytes.length) return true;
    const { size, children } = head(view, at);
    at += size;
    if (at > bytes.length) return true;
    if (children > 0) {
      if (open.length > limit) return true;
      open.push(children);
    }
  }
  return false;
}

interface Head {
  /** Bytes of this value without those that it holds. */
  readonly size: number;
  /** Values that it holds. */
  readonly children: number;
}

/** Reads one value's head; a length that lies beyond the end gives a size that does too. */
function head(view: DataView, at: number): Head {
  const byte = view.getUint8(at);
  if (byte < 0x80 || byte >= 0xe0) return { size: 1, children: 0 };
  if (byte < 0x90) return { size: 1, children: (byte & 0x0f) * 2 };
  if (byte < 0xa0) return { size: 1, children: byte & 0x0f };
  if (byte < 0xc0) return { size: 1 + (byte & 0x1f), children: 0 };
  const fixed = fixedSizes.get(byte);
  if (fixed !== undefined) return { size: fixed, children: 0 };
  const { lengthBytes, extra, perItem } = variable.get(byte) ?? unknownHead;
  const length = unsigned(view, at + 1, lengthBytes);
  return perItem > 0
    ? { size: 1 + lengthBytes, children: length * perItem }
    : { size: 1 + lengthBytes + extra + length, children: 0 };
}

function unsigned(view: DataView, at: number, lengthBytes: number): number {
  if (at + lengthBytes > view.byteLength) return 0;
  if (lengthBytes === 1) return view.getUint8(at);
  return lengthBytes === 2 ? view.getUint16(at) : view.getUint32(at);
}

/** nil, false, true, floats, integers and fixext, by first byte: their whole size. */
const fixedSizes: ReadonlyMap<number, number> = new Map([
  [0xc0, 1],
  [0xc1, 1],
  [0xc2, 1],
  [0xc3, 1],
  [0xca, 5],
  [0xcb, 9],
  [0xcc, 2],
  [0xcd, 3],
  [0xce, 5],
  [0xcf, 9],
  [0xd0, 2],
  [0xd1, 3],
  [0xd2, 5],
  [0xd3, 9],
  [0xd4, 3],
  [0xd5, 4],
  [0xd6, 6],
  [0xd7, 10],
  [0xd8, 18],
]);

const unknownHead = { lengthBytes: 0, extra: 0, perItem: 0 };

/** bin, ext, str, array and map with a length of 1, 2 or 4 bytes. */
const variable: ReadonlyMap<number, typeof unknownHead> = new Map([
  [0xc4, { lengthBytes: 1, extra: 0, perItem: 0 }],
  [0xc5, { lengthBytes: 2, extra: 0, perItem: 0 }],
  [0xc6, { lengthBytes: 4, extra: 0, perItem: 0 }],
  [0xc7, { lengthBytes: 1, extra: 1, perItem: 0 }],
  [0xc8, { lengthBytes: 2, extra: 1, perItem: 0 }],
  [0xc9, { lengthBytes: 4, extra: 1, perItem: 0 }],
  [0xd9, { lengthBytes: 1, extra: 0, perItem: 0 }],
  [0xda, { lengthBytes: 2, extra: 0, perItem: 0 }],
  [0xdb, { lengthBytes: 4, extra: 0, perItem: 0 }],
  [0xdc, { lengthBytes: 2, extra: 0, perItem: 1 }],
  [0xdd, { lengthBytes: 4, extra: 0, perItem: 1 }],
  [0xde, { lengthBytes: 2, extra: 0, perItem: 2 }],
  [0xdf, { lengthBytes: 4, extra: 0, perItem: 2 }],
]);
