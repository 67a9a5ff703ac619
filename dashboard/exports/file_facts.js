// Reads a file in pieces, in flat memory, and tells its facts: what `core/export/verification.py` finds in the same file.
"use strict";

// Bytes. Large enough that asking for a piece does not count, small enough to show progress.
const PIECE = 4 * 1024 * 1024;

const QUOTE = 0x22, LINE_END = 0x0a, RETURN = 0x0d;
const BOM = [0xef, 0xbb, 0xbf];

// The constants of SHA-256 (FIPS 180-4, 4.2.2 and 5.3.3): bits of the cube and square roots of the first primes.
const K = new Int32Array([
  0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
  0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
  0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
  0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
  0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
  0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
  0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
  0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2,
]);
const H = [0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19];

// SHA-256 of what comes piece by piece; the browser's own (`crypto.subtle`) wants everything at once.
class Sha256 {
  constructor() {
    this.state = new Int32Array(H);
    this.schedule = new Int32Array(64);
    this.rest = new Uint8Array(64);
    this.length = 0;
  }

  update(bytes) {
    const filled = this.length % 64;
    this.length += bytes.length;
    let start = 0;
    if (filled > 0) {
      start = Math.min(64 - filled, bytes.length);
      this.rest.set(bytes.subarray(0, start), filled);
      if (filled + start < 64) return;
      this.compress(this.rest, 0);
    }
    for (; start + 64 <= bytes.length; start += 64) this.compress(bytes, start);
    this.rest.set(bytes.subarray(start));
  }

  finish() {
    // A bit, zeros up to the end of a block, and the length in the last 8 bytes of that.
    const padding = new Uint8Array(64 + 8 - ((this.length + 8) % 64));
    const bits = new DataView(padding.buffer);
    padding[0] = 0x80;
    // A length in bits has 64 of them, and a number holds 53 exactly.
    bits.setUint32(padding.length - 8, Math.floor(this.length / 2 ** 29));
    bits.setUint32(padding.length - 4, (this.length * 8) >>> 0);
    this.update(padding);
    return Array.from(this.state, (word) => (word >>> 0).toString(16).padStart(8, "0")).join("");
  }

  compress(bytes, start) {
    const w = this.schedule, state = this.state;
    for (let i = 0, at = start; i < 16; i++, at += 4) {
      w[i] = (bytes[at] << 24) | (bytes[at + 1] << 16) | (bytes[at + 2] << 8) | bytes[at + 3];
    }
    for (let i = 16; i < 64; i++) {
      const x = w[i - 15], y = w[i - 2];
      const s0 = ((x >>> 7) | (x << 25)) ^ ((x >>> 18) | (x << 14)) ^ (x >>> 3);
      const s1 = ((y >>> 17) | (y << 15)) ^ ((y >>> 19) | (y << 13)) ^ (y >>> 10);
      w[i] = (w[i - 16] + s0 + w[i - 7] + s1) | 0;
    }
    let [a, b, c, d, e, f, g, h] = state;
    for (let i = 0; i < 64; i++) {
      const s1 = ((e >>> 6) | (e << 26)) ^ ((e >>> 11) | (e << 21)) ^ ((e >>> 25) | (e << 7));
      const t1 = (h + s1 + ((e & f) ^ (~e & g)) + K[i] + w[i]) | 0;
      const s0 = ((a >>> 2) | (a << 30)) ^ ((a >>> 13) | (a << 19)) ^ ((a >>> 22) | (a << 10));
      const t2 = (s0 + ((a & b) ^ (a & c) ^ (b & c))) | 0;
      h = g; g = f; f = e; e = (d + t1) | 0;
      d = c; c = b; b = a; a = (t1 + t2) | 0;
    }
    state[0] += a; state[1] += b; state[2] += c; state[3] += d;
    state[4] += e; state[5] += f; state[6] += g; state[7] += h;
  }
}

// Tell the facts of a file; `header` is the first line of an export, `progress` hears how many bytes were read.
async function readFacts(file, header, progress) {
  const digest = new Sha256();
  const expected = new TextEncoder().encode(header);
  const start = [];
  let lineEnds = 0, blankLines = 0, isQuoted = false, last = 0, lastButOne = 0;
  for (let from = 0; from < file.size; from += PIECE) {
    const bytes = new Uint8Array(await file.slice(from, from + PIECE).arrayBuffer());
    for (let i = 0; start.length < BOM.length + expected.length && i < bytes.length; i++) start.push(bytes[i]);
    // A line end closes a record where it stands in no quotes (RFC 4180).
    for (let i = 0; i < bytes.length; i++) {
      if (bytes[i] === QUOTE) isQuoted = !isQuoted;
      else if (bytes[i] === LINE_END && !isQuoted) {
        lineEnds++;
        const before = i > 0 ? bytes[i - 1] : last;
        const beforeThat = i > 1 ? bytes[i - 2] : i > 0 ? last : lastButOne;
        if (before === LINE_END || (before === RETURN && beforeThat === LINE_END)) blankLines++;
      }
    }
    last = bytes[bytes.length - 1];
    lastButOne = bytes[bytes.length - 2];
    digest.update(bytes);
    progress(from + bytes.length);
  }
  const hasBom = BOM.every((byte, i) => start[i] === byte);
  const line = start.slice(hasBom ? BOM.length : 0);
  return {
    bytes: file.size,
    sha256: digest.finish(),
    has_bom: hasBom,
    has_header: expected.every((byte, i) => line[i] === byte),
    records: Math.max(0, lineEnds - 1 - blankLines),
    blank_lines: blankLines,
    is_closed: !isQuoted && last === LINE_END,
  };
}

self.onmessage = async ({ data: { file, header } }) => {
  try {
    self.postMessage({ facts: await readFacts(file, header, (read) => self.postMessage({ read })) });
  } catch {
    self.postMessage({ failed: true });
  }
};
