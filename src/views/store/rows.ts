/**
 * The values of the views: a CRC-32 over key and value, then the value as MessagePack. LevelDB has
 * checksums of its own, but a flipped bit in a table was seen to come back as a wrong value without
 * an error; and the key is in the sum so that a row can't stand in another's place.
 */
import { Packr } from 'msgpackr';
import { ViewsDamaged } from '../views.ts';
import { checksum } from './checksum.ts';
import { readObjectRow } from './object-rows.ts';

const CRC_BYTES = 4;
/** The kind of the current rows of objects: keys.ts. */
const OBJECT = 'o'.charCodeAt(0);

/** As in journal/codec: 'auto' is documented, but missing in the types. */
const int64AsType = 'auto' as 'number';

const packr = new Packr({ useRecords: false, variableMapSize: true, int64AsType });

/** The bytes of a value; the same for the same value, whatever was packed before. */
export function packValue(value: unknown): Buffer {
  return value === null ? NIL : packr.pack(value);
}

/** Half of all rows hold nothing: their key says it all. */
const NIL = packr.pack(null);

export function sealRow(key: Buffer, packed: Buffer): Buffer {
  const row = Buffer.allocUnsafe(CRC_BYTES + packed.length);
  row.writeUInt32BE(checksum(packed, checksum(key)), 0);
  packed.copy(row, CRC_BYTES);
  return row;
}

/** Throws ViewsDamaged. */
export function openRow(key: Buffer, row: Buffer): unknown {
  checkRow(key, row);
  const object = key[0] === OBJECT ? readObjectRow(row, CRC_BYTES) : undefined;
  if (object) return object;
  try {
    return packr.unpack(row.subarray(CRC_BYTES));
  } catch (cause) {
    throw new ViewsDamaged(`row ${nameOf(key)} is not MessagePack`, { cause });
  }
}

/** Throws ViewsDamaged. */
export function checkRow(key: Buffer, row: Buffer): void {
  const sound =
    row.length > CRC_BYTES &&
    row.readUInt32BE(0) === checksum(row.subarray(CRC_BYTES), checksum(key));
  if (!sound) throw new ViewsDamaged(`row ${nameOf(key)} is not what was written`);
}

/** A key for an operator's eyes: the kind of row and the beginning of the rest in hex. */
export function nameOf(key: Buffer): string {
  return `${key.toString('latin1', 0, 1)}:${key.toString('hex', 1, 65)}`;
}
