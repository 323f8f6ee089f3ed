  // SHA-256 (FIPS 180-4): the browser's own is kept from pages that came by plain HTTP.
  const sha256 = (text) => {
    const primes = [];
    for (let n = 2; primes.length < 64; n += 1) if (primes.every((prime) => n % prime)) primes.push(n);
    const fraction = (root) => (prime) => ((prime ** (1 / root)) % 1) * 2 ** 32 | 0;
    const constants = primes.map(fraction(3));
    let state = primes.slice(0, 8).map(fraction(2));
    const bytes = new TextEncoder().encode(text);
    const message = new DataView(new ArrayBuffer((bytes.length + 72) & -64));
    new Uint8Array(message.buffer).set([...bytes, 128]);
    message.setUint32(message.byteLength - 4, bytes.length * 8);
    const turned = (word, ...by) => by.reduce((all, n) => all ^ (word >>> n) ^ (word << (32 - n)), 0);
    for (let start = 0; start < message.byteLength; start += 64) {
      const words = [];
      let [a, b, c, d, e, f, g, h] = state;
      for (let i = 0; i < 64; i += 1) {
        const [near, far] = [words[i - 15], words[i - 2]];
        words[i] = i < 16 ? message.getInt32(start + 4 * i) : (words[i - 16] + words[i - 7] + (turned(near, 7, 18) ^ (near >>> 3)) + (turned(far, 17, 19) ^ (far >>> 10))) | 0;
        const first = h + turned(e, 6, 11, 25) + ((e & f) ^ (~e & g)) + constants[i] + words[i];
        const second = turned(a, 2, 13, 22) + ((a & b) ^ (a & c) ^ (b & c));
        [a, b, c, d, e, f, g, h] = [(first + second) | 0, a, b, c, (d + first) | 0, e, f, g];
      }
      state = [a, b, c, d, e, f, g, h].map((word, i) => (word + state[i]) | 0);
    }
    return state.map((word) => (word >>> 0).toString(16).padStart(8, "0")).join("");
  };

  // The hash by which the audit knows a text: of its JSON in ASCII, as Python writes it.
  const textHash = (parts) => {
    const code = (letter) => `\\u${letter.charCodeAt(0).toString(16).padStart(4, "0")}`;
    const json = parts.map((part) => JSON.stringify(part).replace(/[^ -~]/g, code));
    return sha256(`[${json.join(", ")}]`);
  };
