/**
 * BLAKE3 while bytes pass. It owns the choice of the implementation: the native one, or WebAssembly
 * where no native binary fits this machine. Both give the same 64 hex digits.
 */

export interface Blake3 {
  update(bytes: Uint8Array): void;
  /** The digest in hex; the hash takes no bytes after it. */
  digest(): string;
}

type NewHash = () => Blake3 | Promise<Blake3>;

let implementation: Promise<NewHash> | undefined;

export async function newBlake3(): Promise<Blake3> {
  implementation ??= nativeBlake3()
    .catch(() => wasmBlake3())
    .catch((fault: unknown) => {
      // What kept it from loading, such as too many open files, may be over at the next try.
      implementation = undefined;
      throw fault;
    });
  return (await implementation)();
}

/** Rejects where the package has no binary for this platform. */
export async function nativeBlake3(): Promise<NewHash> {
  const { Blake3Hasher } = await import('@napi-rs/blake-hash');
  return () => {
    const hash = new Blake3Hasher();
    return {
      update: (bytes) => void hash.update(bufferOf(bytes)),
      digest: () => hash.digest('hex'),
    };
  };
}

/** The same bytes as the type that the package declares. */
function bufferOf(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

export async function wasmBlake3(): Promise<NewHash> {
  const { createBLAKE3 } = await import('hash-wasm');
  return async () => {
    const hash = (await createBLAKE3()).init();
    return {
      update: (bytes) => void hash.update(bytes),
      digest: () => hash.digest('hex'),
    };
  };
}
