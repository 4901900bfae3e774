// SPDX-License-Identifier: Apache-2.0
const decoder = new TextDecoder('utf-8', { ignoreBOM: true });

/** Bytes of the system as text that is valid everywhere: what is no UTF-8 becomes U+FFFD. */
export const textFromBytes = (bytes: Uint8Array): string => decoder.decode(bytes);

/** Stretches of ASCII, stretches of well-formed sequences, and single bytes that are neither; each byte a character. */
const stretches =
  /[\0-\x7f]+|(?:[\xc2-\xdf][\x80-\xbf]|\xe0[\xa0-\xbf][\x80-\xbf]|[\xe1-\xec\xee\xef][\x80-\xbf]{2}|\xed[\x80-\x9f][\x80-\xbf]|\xf0[\x90-\xbf][\x80-\xbf]{2}|[\xf1-\xf3][\x80-\xbf]{3}|\xf4[\x80-\x8f][\x80-\xbf]{2})+|[\x80-\xff]/g;

/** The lone surrogate that stands for a byte of 0x80 or above. */
const surrogateOf = (byte: string): string => String.fromCharCode(0xdc00 + byte.charCodeAt(0));

/** As text that loses nothing: a byte that is no UTF-8 becomes a lone surrogate, U+DC80 to U+DCFF, which UTF-8 can't have. */
export const losslessText = (bytes: Buffer): string =>
  bytes.toString('latin1').replace(stretches, (stretch) => {
    if (stretch < '\x80') return stretch;
    return stretch.length === 1 ? surrogateOf(stretch) : Buffer.from(stretch, 'latin1').toString('utf8');
  });

/** What `losslessText` made its text of. */
export const losslessBytes = (text: string): Buffer =>
  Buffer.concat(
    text.split(/([\udc80-\udcff])/u).map((part, index) => (index % 2 === 1 ? Buffer.of(part.charCodeAt(0) - 0xdc00) : Buffer.from(part))),
  );
